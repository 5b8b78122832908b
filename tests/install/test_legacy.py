"""The packages for hosts without Python, under the real dpkg and rpm: which files a host gets, exact undo, take-overs."""

import contextlib
import gzip
import io
import random
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Tuple

import pytest

from kexec_initd.cli import main
from kexec_initd.install.offline import render_for
from kexec_initd.install.standalone import write_standalone
from kexec_initd.state import checksum
from tests.install.chroot import NAMESPACE, Chroot, copy_base, with_version
from tests.install.rhel import RpmHost, build_rpm, make_host
from tests.install.test_kills import Kills
from tests.trees import put, snapshot
from tests.vm.packages import build_deb

MARK = b"# Written by kexec-initd"
NAME = "kexec-initd-legacy"
LIST = "var/lib/kexec-initd/standalone/list"
INSTALLED = "kexec-initd: installed; the next reboot goes through kexec already"
COLD_ONCE = ". For once through firmware: touch /no-kexec-reboot"
NO_KEXEC = (
    "kexec-initd: installed; reboots go through firmware until the program kexec is there (package kexec-tools)\n"
)
NOT_ACTIVATED = "kexec-initd: not activated, see above; reboots stay as they are. Once that is solved: sh {}\n"
ACTIVATE = "/usr/share/kexec-initd-legacy/activate"
SHAPES = {
    "sysvinit-run": "true",
    "sysvinit-dev": "rm /var/run; mkdir /var/run",
    "upstart-run": "mkdir -p /etc/init; mv /etc/inittab /etc/init/rc-sysinit.conf",
    "upstart-dev": "rm /var/run /etc/init.d/.depend.*; mkdir -p /var/run /etc/event.d; mv /etc/inittab /etc/event.d/rc-default",
}


# One kind of hosts, and of refusals, is enough for the shorter runs, and hosts that are shared by what leaves them as they were.
FULL = ("sysvinit-run", "sysvinit-dev", "upstart-dev", "no-debian", "no-reboot", "systemd")


def make(kind: str, family: str, directory: Path) -> Path:
    """Return the package of a kind, packed below `directory`."""
    package = directory / "{}.{}".format(NAME, kind)
    assert main(["render", "--for", family, "--standalone", "--" + kind, str(package)]) == 0
    return package


@pytest.fixture(name="deb", scope="module")
def _deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make("deb", "debian", tmp_path_factory.mktemp("deb"))


@pytest.fixture(name="rpm", scope="module")
def _rpm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make("rpm", "rhel", tmp_path_factory.mktemp("rpm"))


@pytest.fixture(name="later_rpm", scope="module")
def _later_rpm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the .rpm of a later version."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kexec_initd.__version__", "99.0")
        return make("rpm", "centos:6", tmp_path_factory.mktemp("later"))


def without_sync(host: Chroot) -> None:
    """Let the installer's sync(1) do nothing: it would wait for all that this machine writes."""
    put(host.tree / "usr/bin/sync", b"#!/bin/sh\n")


@contextlib.contextmanager
def without_python(host: Chroot) -> Iterator[None]:
    """Have a host without Python for a while."""
    programs, hidden = host.tree / "usr/bin", host.tree / "usr/hidden"
    hidden.mkdir()
    for path in programs.glob("python3*"):
        path.rename(hidden / path.name)
    yield
    for path in hidden.iterdir():
        path.rename(programs / path.name)
    hidden.rmdir()


@pytest.fixture(name="chroot")
def _chroot(tmp_path: Path) -> Chroot:
    chroot = copy_base(tmp_path)
    without_sync(chroot)
    return chroot


@pytest.fixture(name="shared", scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Chroot:
    """Return a Debian for tests that leave it as it was."""
    chroot = copy_base(tmp_path_factory.mktemp("shared"))
    without_sync(chroot)
    return chroot


@pytest.fixture(name="hosts", scope="module")
def _hosts(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], RpmHost]:
    """Return what returns the host of a fixture's shape, made once, for tests that leave it as it was."""
    made = {}  # type: Dict[str, RpmHost]

    def host_of(fixture: str) -> RpmHost:
        if fixture not in made:
            made[fixture] = make_host(tmp_path_factory.mktemp(fixture), fixture)
            without_sync(made[fixture])
        return made[fixture]

    return host_of


def etc(chroot: Chroot) -> Dict[str, str]:
    """Return what /etc holds, without the times; insserv writes its lists in the order of a directory that lies in memory."""
    found = snapshot(chroot.tree / "etc", times=False)
    return {path: fact for path, fact in found.items() if not path.startswith("init.d/.depend.")}


class Watch:
    """Reads /etc/init.d/reboot again and again: all that was ever there."""

    def __init__(self, chroot: Chroot) -> None:
        self.path = chroot.tree / "etc/init.d/reboot"
        self.seen = {self.path.read_bytes()}
        self.over = threading.Event()

    def __enter__(self) -> "Watch":
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self) -> None:
        while not self.over.wait(0.0005):
            self.seen.add(self.path.read_bytes() if self.path.exists() else b"missing")

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()


def check_complete(host: Chroot, alone: bool) -> None:
    """Installing again, with Python or without, is nothing to do."""
    if alone:
        assert INSTALLED not in host.must("sh", ACTIVATE)
    else:
        assert "nothing to do" in host.must("kexec-initd", "install", "--dry-run")


def check_purged(chroot: Chroot, before: Dict[str, str], package: str = NAME) -> None:
    chroot.dpkg("--purge", package)
    assert etc(chroot) == before
    assert (chroot.verify(), chroot.must("dpkg", "--audit")) == ([], "")
    assert chroot.must("dpkg-divert", "--list", "*kexec-initd*") == ""
    assert not (chroot.tree / "var/lib/kexec-initd").exists()
    assert not (chroot.tree / "usr/share/kexec-initd-legacy").exists()


@pytest.mark.parametrize(
    "shape", [pytest.param(shape, marks=pytest.mark.full if shape in FULL else ()) for shape in SHAPES]
)
def test_the_host_decides_what_is_installed(chroot: Chroot, deb: Path, tmp_path: Path, shape: str) -> None:
    chroot.must("sh", "-c", SHAPES[shape])
    before = etc(chroot)
    with without_python(chroot):
        check_shape(chroot, before, deb, tmp_path, *shape.split("-"))


def check_shape(chroot: Chroot, before: Dict[str, str], deb: Path, tmp_path: Path, init: str, place: str) -> None:
    assert INSTALLED + COLD_ONCE in chroot.dpkg("-i", str(deb))
    assert "host debian {} ".format(init) in (chroot.tree / LIST).read_text()
    state = {"run": "/run/kexec-initd", "dev": "/dev/.kexec-initd"}[place]
    script = (chroot.tree / "etc/init.d/kexec-initd").read_text()
    assert "\nstate={}\n".format(state) in script
    assert ("BEGIN kexec-initd" in (chroot.tree / "etc/inittab").read_text()) if init == "sysvinit" else True
    installed = etc(chroot)
    for version in (with_version(deb, "99.0", tmp_path), deb):
        assert INSTALLED not in chroot.dpkg("-i", str(version))
        assert etc(chroot) == installed
    chroot.dpkg("--remove", NAME)
    assert set(etc(chroot)) - set(before) == {"default/kexec-initd"}
    check_purged(chroot, before)


REFUSED = {
    "systemd": ("mkdir -p /run/systemd/system", "rmdir /run/systemd/system", "neither SysV init nor an Upstart"),
    "too-old": (
        "cp /etc/debian_version /x; echo 4.0 >/etc/debian_version",
        "cat /x >/etc/debian_version",
        "older than anything",
    ),
    "no-debian": ("mv /etc/debian_version /etc/x", "mv /etc/x /etc/debian_version", "nor one of their kin"),
    "no-reboot": ("mv /etc/init.d/reboot /x", "mv /x /etc/init.d/reboot", "/etc/init.d/reboot is missing"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.full if name in FULL else ()) for name in REFUSED]
)
def test_other_hosts_are_refused_in_one_line(shared: Chroot, deb: Path, name: str) -> None:
    chroot = shared
    harm, mend, reason = REFUSED[name]
    before = etc(chroot)
    chroot.must("sh", "-c", harm)
    said = re.findall("^kexec-initd: .*\n", chroot.dpkg("-i", str(deb)), re.MULTILINE)
    assert len(said) == 2 and reason in said[0] and said[1] == NOT_ACTIVATED.format(ACTIVATE)
    chroot.must("sh", "-c", mend)
    assert set(etc(chroot)) - set(before) == {
        *(
            "default/kexec-initd",
            "default/kexec-initd.d",
            "kexec-initd",
            "kexec-initd/arrival.d",
            "kexec-initd/pre-jump.d",
        )
    }
    assert INSTALLED in chroot.must("sh", ACTIVATE)
    check_purged(chroot, before)


def test_each_takes_the_place_of_what_was_there(shared: Chroot, deb: Path) -> None:
    """From install.sh to the package without Python, to the one with it and back, and each is complete."""
    chroot = shared
    before = etc(chroot)
    settings = chroot.tree / "etc/default/kexec-initd"
    python = build_deb()
    write_standalone(render_for("debian:8", None, True), chroot.tree / "root/kit")
    with Watch(chroot) as watch:
        chroot.must("sh", "/root/kit/install.sh")
        chroot.dpkg("-i", str(deb))
        # The distribution's own, and one that both have.
        assert len(watch.seen) == 2
        settings.write_text("PRELOAD=no\n")
        for package, other in ((python, NAME), (deb, "kexec-initd")):
            chroot.dpkg("-i", str(package))
            assert MARK in watch.path.read_bytes()
            # Nothing that the other one's purge still does harms the one that has come.
            installed = etc(chroot)
            chroot.run("dpkg", "--purge", other)
            assert etc(chroot) == installed
            assert settings.read_text() == "PRELOAD=no\n"
            assert (chroot.tree / LIST).exists() is (package is deb)
            check_complete(chroot, package is deb)
    assert len(watch.seen) == 3 and sum(MARK in script for script in watch.seen) == 2 and b"missing" not in watch.seen
    shutil.rmtree(str(chroot.tree / "root/kit"))
    check_purged(chroot, before)


def test_a_postinst_that_fails_leaves_the_host_as_it_was(shared: Chroot, deb: Path) -> None:
    chroot = shared
    before = etc(chroot)
    divert = chroot.tree / "usr/bin/dpkg-divert"
    divert.rename(divert.with_name("divert"))
    put(divert, b'#!/bin/sh\ncase $* in *reboot*--add*|*--add*reboot*) exit 1 ;; esac\nexec divert "$@"\n')
    shutil.copy(str(deb), str(chroot.tree / "root"))
    assert chroot.run("dpkg", "-i", "/root/" + deb.name).code != 0
    assert {path: fact for path, fact in etc(chroot).items() if path in before} == before
    divert.with_name("divert").rename(divert)
    chroot.must("dpkg", "--configure", "-a")
    assert MARK in (chroot.tree / "etc/init.d/reboot").read_bytes()
    check_purged(chroot, before)


class WithProc(Chroot):
    """One in which processes know each other, as the installer's lock needs it: their numbers begin anew in each run."""

    def command(self, *argv: str) -> List[str]:
        """Return the command line that runs `argv` in the tree, with a /proc of that run alone."""
        return [*NAMESPACE, "--mount-proc={}/proc".format(self.tree), "chroot", str(self.tree), *argv]


def give_later_kit(chroot: Chroot) -> str:
    """Copy the directory that was chosen with another reboot script; return where it is."""
    shutil.copytree(str(chroot.tree / LIST).rsplit("/", 1)[0], str(chroot.tree / "root/later"), symlinks=True)
    script, listed = chroot.tree / "root/later/files/etc/init.d/reboot", chroot.tree / "root/later/list"
    script.write_bytes(script.read_bytes() + b"# later\n")
    size = "size files/etc/init.d/reboot {}".format(script.stat().st_size).encode()
    text = re.sub(rb"(?m)^size files/etc/init.d/reboot .*", size, checksum.unseal(listed.read_bytes()))
    listed.write_bytes(checksum.seal(text))
    return "/root/later"


@pytest.mark.parametrize(
    "shell, kills",
    [("dash", 10)] + [pytest.param(shell, 200, marks=pytest.mark.full) for shell in ("dash", "bash", "busybox")],
)
def test_killed_at_random_moments(request: pytest.FixtureRequest, deb: Path, shell: str, kills: int) -> None:
    chroot = request.getfixturevalue("shared" if kills < 200 else "chroot")
    before = etc(chroot)
    if shell == "busybox":
        shutil.copy(str(shutil.which("busybox")), str(chroot.tree / "usr/bin"))
    (chroot.tree / "usr/bin/sh").unlink()
    (chroot.tree / "usr/bin/sh").symlink_to(shell)
    chroot.dpkg("-i", str(deb))
    later = give_later_kit(chroot)
    deactivate = ["sh", ACTIVATE.replace("activate", "deactivate")]
    chroot.must(*deactivate)
    verbs = {"install": ["sh", ACTIVATE], "upgrade": ["sh", later + "/install.sh"], "uninstall": deactivate}
    # An orphan would go on beside the next run, whose /proc does not show it: the lock would not stop that one.
    Kills(WithProc(chroot.tree), verbs, etc, alone=False).try_all(random.Random(kills), kills)
    shutil.rmtree(str(chroot.tree / later[1:]))
    check_purged(chroot, before)


def state(host: RpmHost) -> Dict[str, str]:
    """Return all of the tree but rpm's own database, what the tests put there, and what is gone with the next boot."""
    found = snapshot(host.tree)
    return {
        path: fact for path, fact in found.items() if not path.startswith(("var/lib/rpm", "packages", "dev/.kexec"))
    }


@pytest.mark.parametrize(
    "fixture, kind",
    [
        ("centos-6", "upstart rhel 6"),
        pytest.param("rhel-4", "sysvinit rhel 4", marks=pytest.mark.full),
        pytest.param("rhel-5", "sysvinit rhel 5", marks=pytest.mark.full),
        pytest.param("amazon-1", "upstart rhel 6", marks=pytest.mark.full),
    ],
)
def test_rpm_installs_upgrades_and_removes_it(
    hosts: Callable[[str], RpmHost], fixture: str, kind: str, rpm: Path, later_rpm: Path
) -> None:
    host = hosts(fixture)
    with without_python(host):
        check_rpm(host, kind, rpm, later_rpm)


def check_rpm(host: RpmHost, kind: str, rpm: Path, later_rpm: Path) -> None:
    before = state(host)
    assert host.rpm("-i", str(rpm)) == NO_KEXEC
    assert "host rhel {}\n".format(kind) in (host.tree / LIST).read_text()
    assert (host.tree / "var/lock/subsys/kexec-initd").is_file()
    assert host.rpm("-V", NAME) == ""
    installed = etc(host)
    for package in (later_rpm, rpm):
        host.rpm("-U", "--oldpackage", str(package))
        assert etc(host) == installed
    host.rpm("-e", NAME)
    assert state(host) == before


def test_rpm_lets_each_take_the_place_of_what_was_there(hosts: Callable[[str], RpmHost], rpm: Path) -> None:
    """From install.sh to the package without Python, to the one with it and back, and each is complete."""
    host = hosts("rhel-5")
    before = state(host)
    write_standalone(render_for("rhel:5", None, True), host.tree / "root/kit")
    host.must("sh", "/root/kit/install.sh")
    host.rpm("-i", str(rpm))
    shutil.rmtree(str(host.tree / "root/kit"))
    python = build_rpm()
    for package, other in ((python, NAME), (rpm, "kexec-initd")):
        assert host.run(*host.rpm_command("-i", str(package))).code != 0
        host.rpm("-U", str(package))
        assert host.run(*host.rpm_command("-q", other)).code == 1
        assert MARK in host.read("sbin/halt.local")
        assert (host.tree / LIST).exists() is (package is rpm)
        assert (host.tree / "var/lock/subsys/kexec-initd").is_file()
        assert host.read("etc/sysconfig/kexec-initd")
        check_complete(host, package is rpm)
    host.rpm("-e", NAME)
    assert state(host) == before


@pytest.mark.full
def test_rpm_is_told_of_a_host_that_is_refused(hosts: Callable[[str], RpmHost], rpm: Path) -> None:
    host = hosts("centos-6")
    release = (host.tree / "etc/redhat-release").read_text()
    (host.tree / "etc/redhat-release").write_text("CentOS release 3.9 (Final)\n")
    before = state(host)
    said = host.rpm("-i", str(rpm))
    assert said.count("\n") == 2 and "older than anything" in said and said.endswith(NOT_ACTIVATED.format(ACTIVATE))
    host.rpm("-e", NAME)
    assert state(host) == before
    (host.tree / "etc/redhat-release").write_text(release)


@pytest.mark.parametrize(
    "kind, family", [("deb", "ubuntu:8.04"), pytest.param("rpm", "oracle:5", marks=pytest.mark.full)]
)
def test_the_same_bytes_at_any_time_with_any_umask(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, family: str
) -> None:
    (tmp_path / "other").mkdir()
    subprocess.run(
        ["sh", "-c", 'umask 077; sleep 1; exec "$@"', "sh", sys.executable, "-m", "kexec_initd", "render", "--for", family]
        + ["--standalone", "--" + kind, str(tmp_path / "other/package")],
        check=True, env={"PATH": "/usr/bin:/bin", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
    )  # fmt: skip
    assert (tmp_path / "other/package").read_bytes() == request.getfixturevalue(kind).read_bytes()


# What dpkg 1.14.16 (Ubuntu 8.04) and rpm 4.3 (RHEL 4) know: docs/why/legacy-packages.md says which of it is whose floor.
FIELDS = {
    *(
        "Package",
        "Version",
        "Architecture",
        "Maintainer",
        "Installed-Size",
        "Depends",
        "Conflicts",
        "Replaces",
        "Provides",
    ),
    *("Section", "Priority", "Description"),
}
FEATURES = {
    *("rpmlib(VersionedDependencies) 3.0.3-1", "rpmlib(CompressedFileNames) 3.0.4-1"),
    *("rpmlib(PayloadFilesHavePrefix) 4.0-1", "rpmlib(PartialHardlinkSets) 4.0.4-1"),
}


def ar_members(data: bytes) -> Iterator[Tuple[str, bytes]]:
    assert data[:8] == b"!<arch>\n"
    place = 8
    while place < len(data):
        size = int(data[place + 48 : place + 58])
        yield data[place : place + 16].decode().strip(), data[place + 60 : place + 60 + size]
        place += 60 + size + size % 2


def untar(packed: bytes) -> Dict[str, bytes]:
    """Return the files of a gzip'd tar, of which nothing may need more than a tar of 1998 has."""
    assert packed[:2] == b"\x1f\x8b"
    raw = gzip.decompress(packed)
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        for member in tar:
            assert (member.isreg() or member.isdir() or member.issym()) and not member.pax_headers
            assert raw[member.offset + 257 : member.offset + 265] in (b"ustar\x0000", b"ustar  \x00")
            assert len(member.name) < 100
        files = {member.name: tar.extractfile(member) for member in tar if member.isreg()}
        return {name: file.read() for name, file in files.items() if file is not None}


def test_an_old_dpkg_can_read_it(deb: Path) -> None:
    (version, control, data) = ar_members(deb.read_bytes())
    assert (version, control[0], data[0]) == (("debian-binary", b"2.0\n"), "control.tar.gz", "data.tar.gz")
    files = untar(control[1])
    assert set(files) == {"./" + name for name in ("control", "conffiles", "md5sums", "postinst", "prerm", "postrm")}
    fields = dict(re.findall("^([A-Z][A-Za-z-]*): (.*)$", files["./control"].decode("ascii"), re.MULTILINE))
    assert set(fields) == FIELDS
    assert re.fullmatch(r"[0-9.]+", fields["Version"])
    for field in ("Depends", "Conflicts", "Replaces", "Provides"):
        assert re.fullmatch(r"[a-z, -]+", fields[field]), "no version, alternative or architecture"
    assert "./usr/share/kexec-initd-legacy/activate" in untar(data[1])
    for name in ("postinst", "prerm", "postrm"):
        assert files["./" + name].startswith(b"#!/bin/sh\n")


Tags = Dict[int, Tuple[int, List[bytes]]]
SIZES = {1: 1, 2: 1, 3: 2, 4: 4}  # char, int8, int16, int32; int64 came with rpm 4.6


def read_header(data: bytes, place: int) -> Tuple[Tags, int]:
    """Return the tags of a header of a package, each with its type and values, and where it ends."""
    magic, count, size = struct.unpack_from(">8sII", data, place)
    assert magic == b"\x8e\xad\xe8\x01\x00\x00\x00\x00"
    store = data[place + 16 + 16 * count :]
    tags = {}  # type: Tags
    for number in range(count):
        tag, kind, offset, items = struct.unpack_from(">IIII", data, place + 16 + 16 * number)
        if kind in (6, 8, 9):
            values = store[offset:].split(b"\0", items)[:items]
        else:
            assert kind in SIZES or kind == 7, (tag, kind)
            step = SIZES.get(kind, items)
            values = [
                store[at : at + step] for at in range(offset, offset + (items if kind != 7 else 1) * step, step or 1)
            ]
        tags[tag] = (kind, values)
    return tags, place + 16 + 16 * count + size


def test_an_old_rpm_can_read_it(rpm: Path) -> None:
    data = rpm.read_bytes()
    assert (
        data[:8] == b"\xed\xab\xee\xdb\x03\x00\x00\x00" and data[78:80] == b"\x00\x05"
    )  # lead 3.0, binary, header signature
    signature, end = read_header(data, 96)
    assert {269, 1000, 1004} <= set(signature)  # SHA1 of the header, size and MD5 of both, by which 4.3 judges it
    tags, end = read_header(data, end + -end % 8)
    texts = {tag: [value.decode() for value in values] for tag, (kind, values) in tags.items() if kind in (6, 8, 9)}
    assert [texts[tag] for tag in (1124, 1125, 1126)] == [["cpio"], ["gzip"], ["9"]]
    assert data[end : end + 2] == b"\x1f\x8b"
    assert {len(digest) for digest in texts[1035]} == {0, 32}
    assert 5011 not in tags or tags[5011][1] == [b"\0\0\0\1"]  # digests by MD5
    features = {"{} {}".format(*found) for found in zip(texts[1049], texts[1050]) if found[0].startswith("rpmlib(")}
    assert features and features <= FEATURES
    assert {name for name in texts[1049] if not name.startswith("rpmlib(")} <= {"/bin/sh", "initscripts"}
    # Scriptlets by a plain shell without arguments; none of %pretrans, %posttrans (4.4), weak dependencies (4.12), file triggers.
    assert [tags[tag] for tag in (1086, 1087)] == [(6, [b"/bin/sh"]), (6, [b"/bin/sh"])]
    newer = {1151, 1152, 1153, 1154, 5008, 5009, 5010, *range(5035, 5062), *range(5066, 5090)}
    assert sorted(newer & set(tags)) == []


def test_the_readers_find_what_is_newer(tmp_path: Path, deb: Path, rpm: Path) -> None:
    """The two tests above fail for a package that is packed as today."""
    tree = tmp_path / "tree"
    subprocess.run(["dpkg-deb", "-R", str(deb), str(tree)], check=True)
    subprocess.run(
        ["dpkg-deb", "-Zxz", "-b", str(tree), str(tmp_path / "new.deb")], check=True, stdout=subprocess.DEVNULL
    )
    with pytest.raises(AssertionError):
        test_an_old_dpkg_can_read_it(tmp_path / "new.deb")
    spec = tmp_path / "new.spec"
    spec.write_text(
        "Name: n\nVersion: 1\nRelease: 1\nSummary: s\nLicense: l\n%description\n%install\n"
        "mkdir -p %{buildroot}; date >%{buildroot}/a\n%files\n/a\n%post\ntrue\n%preun\ntrue\n"
    )
    defines = ["_topdir {}".format(tmp_path), "_rpmdir {}".format(tmp_path), "_build_name_fmt new.rpm"]
    defines = [word for define in defines for word in ("--define", define)]
    subprocess.run(["rpmbuild", "-bb", "--quiet", *defines, str(spec)], check=True)
    with pytest.raises(AssertionError):
        test_an_old_rpm_can_read_it(tmp_path / "new.rpm")
