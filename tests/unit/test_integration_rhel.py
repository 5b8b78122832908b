"""RHEL hosts of every age below a root directory: what the host's halt contains decides, and undo is exact."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import pytest

from kexec_initd.errors import Refused
from kexec_initd.install.layout import RHEL_HALT_EXECUTES, RHEL_HALT_WITHOUT_KEXEC, Integration
from kexec_initd.install.rhel_halt import require_integration
from kexec_initd.system.host import Family, InitSystem, gather
from tests.trees import immutable, install, put, snapshot, uninstall

pytestmark = pytest.mark.ends

FIXTURES = Path(__file__).resolve().parents[1] / "render/hosts"
HOSTS = {
    "rhel-4": RHEL_HALT_WITHOUT_KEXEC,
    "rhel-5": RHEL_HALT_EXECUTES,
    "centos-6": RHEL_HALT_EXECUTES,
    "amazon-1": RHEL_HALT_EXECUTES,
}
HALT = "etc/rc.d/init.d/halt"
HALT_LOCAL = "sbin/halt.local"
RC_LOCAL = "etc/rc.d/rc.local"
LINKS = {"etc/rc.d/rc{}.d/S99kexec-initd".format(level) for level in "2345"} | {
    "etc/rc.d/rc{}.d/K01kexec-initd".format(level) for level in "06"
}


def make(name: str, root: Path) -> Path:
    shutil.copytree(str(FIXTURES / name), str(root), symlinks=True)
    for level in "0123456":
        (root / "etc/rc.d/rc{}.d".format(level)).mkdir(exist_ok=True)
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(str(path), (1000000000, 1000000000))
    return root


@pytest.fixture(name="root", params=sorted(HOSTS))
def _root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return make(request.param, tmp_path / "root")


@pytest.fixture(name="six")
def _six(tmp_path: Path) -> Path:
    return make("centos-6", tmp_path / "root")


@pytest.fixture(name="four")
def _four(tmp_path: Path) -> Path:
    return make("rhel-4", tmp_path / "root")


@pytest.mark.parametrize("name", HOSTS)
def test_the_host_and_its_halt_are_known(name: str, tmp_path: Path) -> None:
    host = gather(make(name, tmp_path / "root"))
    assert host.family is Family.RHEL
    assert host.init is (InitSystem.UPSTART if name in ("centos-6", "amazon-1") else InitSystem.SYSVINIT)
    assert host.state_dir == "/dev/.kexec-initd"
    assert require_integration(host) is HOSTS[name]


def test_uninstall_is_exact(root: Path) -> None:
    before = snapshot(root)
    install(root)
    installed = snapshot(root)
    assert set(installed) > LINKS
    assert install(root) == "nothing to do: kexec-initd is installed"
    assert snapshot(root) == installed
    uninstall(root)
    assert snapshot(root) == before


def test_uninstall_without_the_manifest_gives_every_file_back(root: Path) -> None:
    def files() -> Dict[str, str]:
        return {name: facts for name, facts in snapshot(root, times=False).items() if not facts.startswith("d")}

    before = files()
    install(root)
    (root / "var/lib/kexec-initd/manifest.json").unlink()
    uninstall(root)
    assert files() == before


def test_the_halt_of_a_host_that_executes_is_left_alone(six: Path) -> None:
    before = (six / HALT).read_bytes()
    install(six)
    assert (six / HALT).read_bytes() == before


def run_halt_local(root: Path) -> str:
    """Run our halt.local in a copy of the tree, with its paths below that, and return what was said."""
    copy = root.parent / "copy"
    shutil.copytree(str(root), str(copy), symlinks=True)
    (copy / HALT_LOCAL).write_text((copy / HALT_LOCAL).read_text().replace("/etc/", "{}/etc/".format(copy)))
    put(copy / "etc/rc.d/init.d/kexec-initd", b'#!/bin/sh\necho "ours $*"\n')
    argv = ["/bin/sh", str(copy / HALT_LOCAL), "a message", "/sbin/reboot", "-d", "/sbin/kexec"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0
    return done.stdout.decode()


HALT_LOCALS: Dict[str, Tuple[bytes, int, str]] = {
    "plain": (b'#!/bin/sh\necho "theirs $1|$4"\n', 0o755, "theirs a message|/sbin/kexec\n"),
    "without final newline": (b'#!/bin/sh\necho "theirs $2"', 0o755, "theirs /sbin/reboot\n"),
    "exit in the middle": (b"#!/bin/sh\necho theirs\nexit 0\necho never\n", 0o755, "theirs\n"),
    "fails": (b"#!/bin/sh\necho theirs\nexit 1\n", 0o700, "theirs\n"),
    "not executable": (b"#!/bin/sh\necho never\n", 0o644, ""),
    "empty": (b"", 0o755, ""),
    "no #!": (b"echo theirs\n", 0o755, "theirs\n"),
}


@pytest.mark.once
@pytest.mark.parametrize("case", HALT_LOCALS)
def test_a_halt_local_of_the_admin_is_kept_and_called(six: Path, case: str) -> None:
    data, mode, said = HALT_LOCALS[case]
    put(six / HALT_LOCAL, data, mode)
    before = snapshot(six)
    install(six)
    assert run_halt_local(six) == said + "ours hooks\n"
    uninstall(six)
    assert snapshot(six) == before


def test_a_halt_local_with_line_ends_of_dos_is_given_back(six: Path) -> None:
    put(six / HALT_LOCAL, b"#!/bin/sh\r\necho theirs\r\n")
    before = snapshot(six)
    install(six)
    assert run_halt_local(six).endswith("ours hooks\n")
    uninstall(six)
    assert snapshot(six) == before


def _linked_halt_local(root: Path) -> None:
    (root / HALT_LOCAL).unlink()
    (root / HALT_LOCAL).symlink_to("../etc/rc.d/rc.local")


def _halt_missing(root: Path) -> None:
    (root / HALT).unlink()


def _halt_linked(root: Path) -> None:
    (root / HALT).rename(root / "etc/rc.d/elsewhere")
    (root / HALT).symlink_to("../elsewhere")


def _halt_with_dos_line_ends(root: Path) -> None:
    put(root / HALT, (root / HALT).read_bytes().replace(b"\n", b"\r\n"))


def _halt_in_perl(root: Path) -> None:
    put(root / HALT, b"#!/usr/bin/perl\n")


def _halt_that_asks_nobody(root: Path) -> None:
    put(root / HALT, (root / HALT).read_bytes().replace(b"/sbin/halt.local", b"/sbin/other"))


def _systemd(root: Path) -> None:
    (root / "sbin/init").unlink()
    (root / "sbin/init").symlink_to("../lib/systemd/systemd")


UNFIT: Dict[str, Tuple[Callable[[Path], None], str]] = {
    "halt.local is a link": (_linked_halt_local, "sbin/halt.local is a symbolic link"),
    "no halt": (_halt_missing, "/etc/rc.d/init.d/halt is missing"),
    "halt is a link": (_halt_linked, "halt is a symbolic link"),
    "halt with CRLF": (_halt_with_dos_line_ends, "has the line ends of DOS"),
    "halt in another language": (_halt_in_perl, "is run by /usr/bin/perl"),
    "halt without halt.local": (_halt_that_asks_nobody, "executes a loaded kernel without asking /sbin/halt.local"),
    "systemd": (_systemd, "it needs systemd-shutdown"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_an_unfit_host_is_refused_with_nothing_changed(six: Path, case: str) -> None:
    harm, words = UNFIT[case]
    harm(six)
    before = snapshot(six)
    with pytest.raises(Refused, match=words):
        install(six)
    assert snapshot(six) == before


@pytest.mark.parametrize("path", [HALT_LOCAL, HALT])
def test_an_immutable_script_is_refused_with_nothing_changed(six: Path, path: str) -> None:
    before = snapshot(six)
    with immutable(six / path), pytest.raises(Refused, match="immutable"):
        install(six)
    assert snapshot(six) == before


def test_an_immutable_rc_local_is_left_alone_with_a_word(root: Path) -> None:
    before = snapshot(root)
    with immutable(root / RC_LOCAL):
        assert "warning: no preload at boot: {}/{} is immutable".format(root, RC_LOCAL) in install(root)
        uninstall(root)
    assert snapshot(root) == before


def test_an_rc_local_that_is_a_link_is_left_alone_with_a_word(root: Path) -> None:
    (root / RC_LOCAL).rename(root / "etc/elsewhere")
    (root / RC_LOCAL).symlink_to("../elsewhere")
    before = snapshot(root)
    assert "warning: no preload at boot: " in install(root)
    uninstall(root)
    assert snapshot(root) == before


@pytest.mark.parametrize(
    "end",
    [
        b"exec $command $HALTARGS\nsleep 1\n",
        b"[ -x $command ] &&\nexec $command $HALTARGS\n",
        b'if [ -n "$command" ]; then\n\texec $command\nfi\n',
        b"$command $HALTARGS\n",
        b"",
    ],
)
def test_a_halt_without_kexec_that_ends_otherwise_is_refused(four: Path, end: bytes) -> None:
    put(four / HALT, b"#!/bin/bash\ncommand=/sbin/halt\n" + end)
    before = snapshot(four)
    with pytest.raises(Refused, match=r"does not end in a plain `exec \$command`"):
        install(four)
    assert snapshot(four) == before


@pytest.mark.parametrize("end", [b"exec $command $HALTARGS\n", b"exec $command -i -d", b'  exec "$command" -d # now\n'])
def test_the_block_goes_before_the_last_step_of_halt(four: Path, end: bytes) -> None:
    put(four / HALT, b"#!/bin/bash\n# no kexec -e here\ncommand=/sbin/halt\n" + end)
    before = snapshot(four)
    install(four)
    text = (four / HALT).read_bytes()
    assert text.endswith(b"# END kexec-initd\n" + end)
    assert text.startswith(b"#!/bin/bash\n# no kexec -e here\ncommand=/sbin/halt\n# BEGIN kexec-initd")
    uninstall(four)
    assert snapshot(four) == before


def test_an_edit_of_halt_around_the_block_is_kept(four: Path) -> None:
    original = (four / HALT).read_text()
    install(four)
    put(four / HALT, (four / HALT).read_bytes().replace(b"mount -n", b"sync\nmount -n"))
    uninstall(four)
    assert (four / HALT).read_text() == original.replace("mount -n", "sync\nmount -n")


def test_an_update_that_brings_another_halt_is_hooked_again(four: Path) -> None:
    install(four)
    put(four / HALT, b"#!/bin/bash\n# newer\ncommand=/sbin/reboot\nexec $command -d\n")
    before = (four / HALT).read_bytes()
    install(four)
    assert b"# BEGIN kexec-initd" in (four / HALT).read_bytes()
    uninstall(four)
    assert (four / HALT).read_bytes() == before


def test_a_halt_that_learns_kexec_gets_its_halt_local(four: Path) -> None:
    install(four)
    put(four / HALT, (FIXTURES / "centos-6" / HALT).read_bytes())
    install(four)
    assert (four / HALT_LOCAL).exists()
    uninstall(four)
    assert (four / HALT).read_bytes() == (FIXTURES / "centos-6" / HALT).read_bytes()
    assert not (four / HALT_LOCAL).exists()


RC_LOCALS: Dict[str, Tuple[bytes, int, bool]] = {
    "no final newline": (b"#!/bin/sh\ntouch /var/lock/subsys/local", 0o755, True),
    "exit in the middle": (b"#!/bin/sh\nfoo\nexit 0\nbar\n", 0o755, True),
    "final exit": (b"#!/bin/bash\nfoo\nexit 0\n", 0o755, True),
    "empty": (b"", 0o755, True),
    "CRLF": (b"#!/bin/sh\r\nfoo\r\n", 0o755, False),
    "not executable": (b"#!/bin/sh\nfoo\n", 0o644, False),
}


@pytest.mark.once
@pytest.mark.parametrize("case", RC_LOCALS)
def test_an_odd_rc_local_is_served_or_left_alone_with_a_word(root: Path, case: str) -> None:
    data, mode, served = RC_LOCALS[case]
    put(root / RC_LOCAL, data, mode)
    before = snapshot(root)
    said = install(root)
    assert (b"# BEGIN kexec-initd" in (root / RC_LOCAL).read_bytes()) == served
    assert ("warning: no preload at boot: /etc/rc.d/rc.local" in said) == (not served)
    uninstall(root)
    assert snapshot(root) == before


def test_without_an_rc_local_one_is_made(root: Path) -> None:
    (root / RC_LOCAL).unlink()
    before = snapshot(root)
    install(root)
    assert (root / RC_LOCAL).stat().st_mode & 0o777 == 0o755
    uninstall(root)
    assert snapshot(root) == before


def hooks(root: Path) -> List[str]:
    return sorted(str(path.relative_to(root / "etc/kernel")) for path in (root / "etc/kernel").rglob("*/*"))


@pytest.mark.once
@pytest.mark.parametrize("directories", [(), ("postinst.d",), ("postinst.d", "prerm.d")])
def test_a_hook_is_put_where_new_kernel_pkg_would_run_it(root: Path, directories: Tuple[str, ...]) -> None:
    lines = "".join("run /etc/kernel/{}/*\n".format(directory) for directory in directories)
    put(root / "sbin/new-kernel-pkg", b"#!/bin/bash\n" + lines.encode())
    before = snapshot(root)
    install(root)
    assert hooks(root) == [directory + "/zzz-kexec-initd" for directory in directories]
    put(root / "sbin/new-kernel-pkg", b"#!/bin/bash\n")
    assert install(root) == "nothing to do: kexec-initd is installed"
    uninstall(root)
    put(root / "sbin/new-kernel-pkg", b"#!/bin/bash\n" + lines.encode())
    assert snapshot(root) == before


def test_without_a_new_kernel_pkg_there_is_no_hook(four: Path) -> None:
    install(four)
    assert not (four / "etc/kernel").exists()


def test_records_differ_only_where_halt_does() -> None:
    records: Tuple[Integration, Integration] = (RHEL_HALT_EXECUTES, RHEL_HALT_WITHOUT_KEXEC)
    assert records[0].links == records[1].links
    assert records[0].scripts[:-1] == records[1].scripts
    assert records[0].blocks == records[1].blocks[1:]
