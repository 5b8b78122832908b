"""What rendering gives, kept: a table says which host gets which file at which path, and each distinct file is kept once.

UPDATE_GOLDEN=1 in the environment of pytest has both written anew before the tests run.
"""

import os
import shutil
from pathlib import Path
from typing import Dict, Tuple

from kexec_initd.cli import main
from kexec_initd.install.render import render_all, write_tree
from kexec_initd.install.standalone import SCRIPTS
from kexec_initd.system.host import gather
from tests.render.kept import FILES, keep, read

HERE = Path(__file__).resolve().parent
TABLE = HERE / "table.txt"
# What is there before an installation, by the name of a host.
HOSTS = {path.name: path for path in sorted((HERE / "hosts").iterdir())}
# Other machines, known by their distribution's name alone.
TARGETS = (
    *("ubuntu:10.04", "ubuntu:12.04", "ubuntu:13.04", "ubuntu:14.04", "debian:7", "debian:8", "debian:12", "devuan"),
    *("rhel:4", "rhel:5", "rhel:6", "centos:6", "oracle:6", "amazon:1"),
)
KINDS = ("packaged", "standalone")
# Of each path, whether it is a "link" or whether it is "executable" or "plain", and its target or content.
Files = Dict[str, Tuple[str, bytes]]


def generate(target: str, kind: str, out: Path) -> Path:
    """Have the files for another machine written to `out`, and return that."""
    assert main(["render", "--for", target, "--out", str(out)] + ["--standalone"] * (kind == "standalone")) == 0
    return out


def read_files(directory: Path) -> Files:
    """Return what differs between hosts below a directory."""
    found = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if name in ("README", *SCRIPTS):
            continue
        if path.is_symlink():
            found[name] = ("link", os.readlink(str(path)).encode())
        elif path.is_file():
            found[name] = ("executable" if path.stat().st_mode & 0o100 else "plain", path.read_bytes())
    return found


def expected(name: str) -> Files:
    """Return what the host of that name, or "TARGET KIND", is to get."""
    found = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        host, path, kind, what = line.split("\t")
        if host == name:
            found[path] = (kind, what.encode() if kind == "link" else read(what))
    return found


def update(directory: Path) -> None:
    """Take for expected what is rendered now, below `directory` first."""
    everything = {}
    for name, root in HOSTS.items():
        write_tree(render_all(gather(root)), directory / name)
        everything[name] = read_files(directory / name)
    for target in TARGETS:
        for kind in KINDS:
            name = "{} {}".format(target, kind)
            everything[name] = read_files(generate(target, kind, directory / name))
    _write(everything)


def _write(everything: Dict[str, Files]) -> None:
    shutil.rmtree(str(FILES), ignore_errors=True)
    FILES.mkdir()
    names: Dict[bytes, str] = {}
    lines = []
    for host, files in everything.items():
        for path, (kind, content) in files.items():
            what = content.decode() if kind == "link" else _keep(names, host, path, content)
            lines.append("\t".join((host, path, kind, what)) + "\n")
    TABLE.write_text("".join(lines), encoding="utf-8")


def _keep(names: Dict[bytes, str], host: str, path: str, content: bytes) -> str:
    """Return the name that a file is kept by: its own, and the first host that gets it."""
    if content not in names:
        first = host.replace(" ", "-").replace(":", "-")
        name = "{}.{}".format(path.rpartition("/")[2], first)
        if (FILES / name).exists():
            name = "{}.{}".format(path.replace("/", "-"), first)
        names[content] = keep(name, content)
    return names[content]
