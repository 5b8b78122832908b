"""One package for hosts without a usable Python: the standalone directories in which they differ, and what chooses there.

Its scripts are plain shell and stand in templates/legacy; activate finds a directory by the name that `name_kit` gives it.
docs/why/legacy-packages.md says what old dpkg and rpm can read.
"""

import email.utils
import gzip
import hashlib
import io
import os
import tempfile
from pathlib import Path
from typing import Dict, NamedTuple, Tuple

import kexec_initd
from kexec_initd.errors import Error
from kexec_initd.install.layout import CONFIG_DIR
from kexec_initd.install.offline import Rendition, render_for
from kexec_initd.install.standalone import HALTS, write_standalone
from kexec_initd.install.templates import find_templates
from kexec_initd.settings.sources import directory_for, path_for
from kexec_initd.system import process
from kexec_initd.system.files import write_atomic
from kexec_initd.system.host import Family
from kexec_initd.system.virt import STATE_DIR

NAME = "kexec-initd-legacy"
SHARE = "usr/share/" + NAME
PACK_TIMEOUT = 300
# One release of each kind: the others of a family are like one of them in all that enters its files.
RELEASES = {
    Family.DEBIAN: ("debian:5", "debian:7", "ubuntu:8.04", "ubuntu:11.10"),
    Family.RHEL: ("rhel:4", "rhel:5", "rhel:6"),
}
PROGRAMS = ("activate", "deactivate")
MAINTAINER_SCRIPTS = ("postinst", "prerm", "postrm")


class Tool(NamedTuple):
    """What packs for a family, and the package that brings it on Debian's machines and on RHEL's."""

    program: str
    brought_by: str


TOOLS = {Family.DEBIAN: Tool("dpkg-deb", "dpkg"), Family.RHEL: Tool("rpmbuild", "rpm on Debian, rpm-build on RHEL")}


def write_package(family: Family, out: Path) -> None:
    """Write the package of a family to the file `out`. Raises Error where the tool for it is missing or fails, OSError."""
    tool = TOOLS[family]
    program = process.find(Path("/"), tool.program)
    if program is None:
        raise Error("{} is missing".format(tool.program), "install it: the package {}".format(tool.brought_by))
    with tempfile.TemporaryDirectory(prefix="kexec-initd-") as name:
        work = Path(name)
        made = _pack_deb(program, work) if family is Family.DEBIAN else _pack_rpm(program, work)
        write_atomic(out, made.read_bytes(), 0o644)


def name_kit(rendition: Rendition) -> str:
    """Return the name of a standalone directory: the facts about a host that decide whether it fits."""
    host = rendition.host
    shape = HALTS.get(rendition.record) or ("run" if host.state_dir == STATE_DIR else "dev")
    return "{}-{}".format(host.init.value, shape)


def stage(family: Family, tree: Path) -> None:
    """Lay out below `tree` what the package of a family brings."""
    share = tree / SHARE
    for target in RELEASES[family]:
        rendition = render_for(target, None, True)
        write_standalone(rendition, share / name_kit(rendition))
    for name in PROGRAMS:
        _put(share / name, _read(name), 0o755)
    _put(share / "host.sh", (find_templates() / "standalone/installer/host.sh").read_bytes())
    for section in "58":
        _put(tree / "usr/share/man/man{0}/kexec-initd.{0}.gz".format(section), _zip("kexec-initd." + section))
    _put(tree / "usr/share/doc" / NAME / "copyright", _read("copyright"))
    _put(tree / "usr/share/doc" / NAME / "changelog.gz", _zip("changelog"))
    _put(_below(tree, path_for(Path("/"), family)), _read("default"))
    for name in ("pre-jump.d", "arrival.d"):
        _below(tree, Path(CONFIG_DIR) / name).mkdir(parents=True)
    _below(tree, directory_for(Path("/"), family)).mkdir()
    _settle(tree)


def _pack_deb(program: Path, work: Path) -> Path:
    """Pack a .deb of format 2.0 with two members of gzip: what dpkg 1.14 reads."""
    tree, made = work / "tree", work / "package.deb"
    stage(Family.DEBIAN, tree)
    _put(tree / "usr/share/lintian/overrides" / NAME, _read("lintian-overrides"))
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    sums = "".join(
        "{}  {}\n".format(hashlib.md5(path.read_bytes()).hexdigest(), path.relative_to(tree)) for path in files
    )
    size = sum(-(-path.stat().st_size // 1024) for path in files)
    control = _read("control").decode().replace("@VERSION@", kexec_initd.__version__).replace("@SIZE@", str(size))
    _put(tree / "DEBIAN/control", control.encode())
    _put(tree / "DEBIAN/conffiles", "{}\n".format(path_for(Path("/"), Family.DEBIAN)).encode())
    _put(tree / "DEBIAN/md5sums", sums.encode())
    for name in MAINTAINER_SCRIPTS:
        _put(tree / "DEBIAN" / name, _read(name), 0o755)
    _settle(tree)
    packing = ["--root-owner-group", "--uniform-compression", "-Zgzip", "-z9", "--build", str(tree), str(made)]
    process.run([str(program), *packing], PACK_TIMEOUT, env=_environment())
    return made


def _pack_rpm(program: Path, work: Path) -> Path:
    """Have rpmbuild pack what the spec asks for."""
    tree = work / "tree"
    stage(Family.RHEL, tree)
    spec = work / (NAME + ".spec")
    _put(spec, _read(spec.name))
    defines = {
        "_topdir": str(work),
        "_rpmdir": str(work),
        "_build_name_fmt": "package.rpm",
        "_buildhost": "localhost",
        "_mandir": "/usr/share/man",
        "use_source_date_epoch_as_buildtime": "1",
        "clamp_mtime_to_source_date_epoch": "1",
        "staged": str(tree),
        "packed_version": kexec_initd.__version__,
        "packed_day": _day(),
    }  # type: Dict[str, str]
    words = [word for name, value in defines.items() for word in ("--define", "{} {}".format(name, value))]
    process.run(
        [str(program), "-bb", "--quiet", *words, str(spec)], PACK_TIMEOUT, env=dict(_environment(), HOME=str(work))
    )
    return work / "package.rpm"


def _environment() -> Dict[str, str]:
    """Return what makes every machine, at any time, give the same bytes."""
    return {"SOURCE_DATE_EPOCH": str(_date()[1]), "TZ": "UTC"}


def _date() -> Tuple[str, int]:
    """Return the date of the newest entry of the changelog, in its words and in seconds."""
    lines = _read("changelog").decode("utf-8").splitlines()
    text = next(line for line in lines if line.startswith(" -- ")).split(">", 1)[1].strip()
    return text, int(email.utils.parsedate_to_datetime(text).timestamp())


def _day() -> str:
    """Return that date as a spec has it."""
    name, day, month, year = _date()[0].replace(",", "").split()[:4]
    return "{} {} {:02d} {}".format(name, month, int(day), year)


def _read(name: str) -> bytes:
    return (find_templates() / "legacy" / name).read_bytes()


def _zip(name: str) -> bytes:
    """Return a document packed as gzip -9n does."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as stream:
        stream.write(_read(name))
    return packed.getvalue()


def _put(path: Path, data: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def _below(tree: Path, path: Path) -> Path:
    return tree / str(path).lstrip("/")


def _settle(tree: Path) -> None:
    """Give everything the mode and the time that it has in every package, whatever umask and clock this machine has."""
    seconds = _date()[1]
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(str(path), (seconds, seconds), follow_symlinks=False)


def describe_install(family: Family, package: Path) -> str:
    """Say in a line what to do with the package."""
    command = "dpkg -i" if family is Family.DEBIAN else "rpm -U"
    return "copy {0} to the host, and run there as root: {1} {0.name}".format(package, command)
