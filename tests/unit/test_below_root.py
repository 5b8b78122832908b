"""Below another root: no symbolic link leads out of it, whatever file is read; each is followed as chroot(2) would."""

import os
import struct
from pathlib import Path
from typing import Callable, Dict

import pytest

from kexec_initd.bootloader.installed_kernels import entry_for
from kexec_initd.errors import Error
from kexec_initd.images.consistency import check_modules
from kexec_initd.kexec import program, stamp
from kexec_initd.system import process, safe_path
from kexec_initd.system.host import Family, Host, InitSystem, gather
from kexec_initd.system.inode_flags import GET, SET, number
from tests.unit.fake_host import FakeHost, with_kernel


def link_up(place: Path, target: str) -> str:
    """Return a relative link that climbs beyond any root, then goes on as the absolute `target`."""
    return "../" * 40 + target.lstrip("/")


FORMS: Dict[str, Callable[[Path, str], str]] = {"absolute": lambda place, target: target, "climbing": link_up}
WRONG = "ID=rhel\nVERSION_ID=6\n"


@pytest.fixture(name="outside")
def _outside(tmp_path: Path) -> Path:
    """A directory of this machine, which no root knows, under a path that is another file below the root."""
    (tmp_path / "outside").mkdir()
    return tmp_path / "outside"


def hide(fake: FakeHost, outside: Path, form: str, path: str, wrong: str, right: str = "") -> Path:
    """Let `path` be a link to a file outside; with `right` the root has another one of that name."""
    place, target = fake.root / path, outside / Path(path).name
    target.write_text(wrong)
    if place.exists() or place.is_symlink():
        place.unlink()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(FORMS[form](place, str(target)))
    if right:
        fake.write(str(target).lstrip("/"), right)
    return place


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", ["etc/os-release", "usr/lib/os-release", "etc/redhat-release", "etc/system-release"])
def test_the_distribution_is_that_of_the_root(fake: FakeHost, outside: Path, form: str, path: str) -> None:
    (fake.root / "etc/os-release").unlink()
    text = WRONG if path.endswith("os-release") else "CentOS release 6.10 (Final)\n"
    hide(fake, outside, form, path, text)
    assert gather(fake.root).family is Family.UNKNOWN
    hide(fake, outside, form, path, text, text.replace("rhel", "debian").replace("CentOS", "Scientific Linux"))
    assert gather(fake.root).family is (Family.DEBIAN if path.endswith("os-release") else Family.RHEL)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "path, wrong, fact", [
        ("proc/cmdline", "root=/dev/wrong\n", lambda host: host.cmdline),
        ("proc/sys/kernel/osrelease", "9.9.9\n", lambda host: host.kernel_release),
        ("run/.containerenv", "podman", lambda host: host.container),
        ("etc/inittab", "", lambda host: None if host.init is InitSystem.UNKNOWN else host.init),
        ("run/utmp", struct.pack("=h2xi", 1, ord("0")).ljust(384, b"\0").decode(), lambda host: host.runlevel),
    ],
)  # fmt: skip
def test_a_fact_is_not_taken_from_outside(
    fake: FakeHost, outside: Path, form: str, path: str, wrong: str, fact: Callable[[Host], object]
) -> None:
    (fake.root / "sbin/init").write_text("")
    hide(fake, outside, form, path, wrong)
    assert fact(gather(fake.root)) is None


@pytest.mark.parametrize("form", FORMS)
def test_a_directory_that_is_a_link_leads_nowhere_else(fake: FakeHost, outside: Path, form: str) -> None:
    (fake.root / "var").mkdir()
    (outside / "utmp").write_bytes(struct.pack("=h2xi", 1, ord("0")).ljust(384, b"\0"))
    (fake.root / "run/utmp").unlink()
    (fake.root / "var/run").symlink_to(FORMS[form](fake.root, str(outside)))
    assert gather(fake.root).runlevel is None
    (outside / "init").symlink_to("/lib/systemd/systemd")
    (fake.root / "usr").mkdir()
    (fake.root / "sbin").rename(fake.root / "usr/sbin")
    (fake.root / "sbin").symlink_to(FORMS[form](fake.root, str(outside)))
    assert gather(fake.root).init is InitSystem.UNKNOWN
    (fake.root / "sbin").unlink()
    (fake.root / "usr/sbin/init").write_text("")
    (fake.root / "sbin").symlink_to(FORMS[form](fake.root, "/usr/sbin"))
    assert gather(fake.root).init is InitSystem.SYSVINIT


@pytest.mark.parametrize("form", FORMS)
def test_kernels_programs_and_modules_are_those_of_the_root(fake: FakeHost, outside: Path, form: str) -> None:
    with_kernel(fake)
    hide(fake, outside, form, "boot/config-6.1.0-test", "CONFIG_NOTHING=y\n")
    assert program.configured(fake.root, "6.1.0-test") is None
    hide(fake, outside, form, "sbin/kexec", "#!/bin/sh\n")
    (outside / "kexec").chmod(0o755)
    assert process.find(fake.root, "kexec") is None
    (fake.root / "vmlinuz").symlink_to(FORMS[form](fake.root, "/boot/vmlinuz-6.1.0-test"))
    assert entry_for(gather(fake.root), Path("/vmlinuz")).kernel == Path("/boot/vmlinuz-6.1.0-test")
    assert not stamp.lines_for(fake.root, [Path("/vmlinuz")])[0].startswith("- ")
    (outside / "6.2.0").mkdir()
    (outside / "6.2.0/modules.dep").write_text("")
    (fake.root / "lib/modules/6.2.0").symlink_to(FORMS[form](fake.root, str(outside / "6.2.0")))
    with pytest.raises(Error, match="modules of kernel 6.2.0 are missing"):
        check_modules(fake.root, "6.2.0", "6.1.0-test")


@pytest.mark.parametrize(
    "links, path, leads",
    [
        ({"a": "/b"}, "/a", "b"),
        ({"a": "../../../../b"}, "/a", "b"),
        ({"d": "/e", "e/x": "../../y"}, "/d/x", "y"),
        ({"d": "/e", "e/x": "/d/../y"}, "/d/x", "y"),
        ({"d": "e", "e/x": "z"}, "d/./x", "e/z"),
        ({}, "/../../y", "y"),
    ],
)
def test_links_are_followed_as_chroot_follows_them(
    tmp_path: Path, links: Dict[str, str], path: str, leads: str
) -> None:
    for name in ("e", "r"):
        (tmp_path / name).mkdir()
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    assert safe_path.below(tmp_path, path) == tmp_path / leads
    assert safe_path.below(Path("/"), path) == Path("/") / path.lstrip("/")


def test_a_loop_of_links_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("/a")
    assert not os.path.exists(str(safe_path.below(tmp_path, "/a")))


@pytest.mark.parametrize(
    "machine, size, numbers",
    [
        ("x86_64", 8, (0x80086601, 0x40086602)),
        ("i686", 4, (0x80046601, 0x40046602)),
        ("armv7l", 4, (0x80046601, 0x40046602)),
        ("ppc64le", 8, (0x40086601, 0x80086602)),
        ("ppc", 4, (0x40046601, 0x80046602)),
        ("mips", 4, (0x40046601, 0x80046602)),
        ("s390x", 8, (0x80086601, 0x40086602)),
    ],
)
def test_the_flags_of_files_are_asked_for_by_the_number_of_the_architecture(
    monkeypatch: "pytest.MonkeyPatch", machine: str, size: int, numbers: object
) -> None:
    monkeypatch.setattr(struct, "calcsize", lambda form: size)
    assert (number(GET, machine), number(SET, machine)) == numbers
