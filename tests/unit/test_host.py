"""Facts about a host, read below its root."""

import struct
from pathlib import Path

import pytest

from kexec_initd.system.host import Family, InitSystem, find_family, find_init, gather
from kexec_initd.system.virt import find_container, find_runlevel, is_chroot
from tests.trees import put
from tests.unit.fake_host import FakeHost


def test_gather(fake: FakeHost) -> None:
    host = gather(fake.root)
    assert (host.family, host.distribution, host.release) == (Family.DEBIAN, "debian", "12")
    assert (host.init, host.runlevel, host.container, host.chroot) == (InitSystem.SYSVINIT, "6", None, False)
    assert (host.kernel_release, host.cmdline) == ("6.1.0-test", "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro")


def test_no_program_is_run_where_os_release_says_all(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake.program("uname").parent))
    assert gather(fake.root).release == "12"
    assert fake.calls() == []


def test_an_os_release_with_shell_in_it_is_only_text(fake: FakeHost) -> None:
    fake.write("etc/os-release", 'ID=debian\nVERSION_ID="$(touch {}/canary)"\n'.format(fake.root))
    assert gather(fake.root).family is Family.DEBIAN
    assert not (fake.root / "canary").exists()


def test_no_os_release_at_all(tmp_path: Path) -> None:
    host = gather(tmp_path)
    assert (host.family, host.distribution, host.init) == (Family.UNKNOWN, "unknown", InitSystem.UNKNOWN)
    assert host.chroot


@pytest.mark.parametrize(
    "identifier, like, family",
    [
        ("debian", "", Family.DEBIAN),
        ("devuan", "debian", Family.DEBIAN),
        ("ubuntu", "debian", Family.DEBIAN),
        ("raspbian", "debian", Family.DEBIAN),
        ("linuxmint", "ubuntu debian", Family.DEBIAN),
        ("rocky", "rhel centos fedora", Family.RHEL),
        ("arch", "", Family.UNKNOWN),
        ("", "", Family.UNKNOWN),
    ],
)
def test_family(identifier: str, like: str, family: Family) -> None:
    assert find_family(identifier, like) is family


@pytest.mark.parametrize(
    "name, text",
    [
        ("redhat-release", "Red Hat Enterprise Linux AS release 4 (Nahant Update 9)"),
        ("redhat-release", "CentOS release 5.11 (Final)"),
        ("centos-release", "CentOS release 6.10 (Final)"),
        ("redhat-release", "Scientific Linux release 6.10 (Carbon)"),
        ("oracle-release", "Oracle Linux Server release 6.10"),
        ("enterprise-release", "Enterprise Linux Enterprise Linux Server release 5.11 (Carthage)"),
        ("system-release", "Amazon Linux AMI release 2012.03"),
        ("os-release", 'ID="amzn"\nID_LIKE="rhel fedora"\nVERSION_ID="2018.03"'),
        ("os-release", 'ID="ol"\nVERSION_ID="6.10"'),
    ],
)
def test_a_distribution_without_os_release_is_known_by_its_own_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / name).write_text(text + "\n")
    assert gather(tmp_path).family is Family.RHEL


def test_where_state_lasts_until_the_next_boot(tmp_path: Path) -> None:
    assert gather(tmp_path).state_dir == "/run/kexec-initd"
    (tmp_path / "var").mkdir()
    (tmp_path / "var/run").symlink_to("/run")
    assert gather(tmp_path).state_dir == "/run/kexec-initd"
    (tmp_path / "var/run").unlink()
    (tmp_path / "var/run").mkdir()
    assert gather(tmp_path).state_dir == "/dev/.kexec-initd"


def test_the_runlevel_in_an_old_place(fake: FakeHost) -> None:
    (fake.root / "var/run").mkdir(parents=True)
    (fake.root / "run/utmp").rename(fake.root / "var/run/utmp")
    assert find_runlevel(fake.root) == "6"


def test_init_by_what_runs_and_by_what_is_installed(tmp_path: Path) -> None:
    (tmp_path / "sbin").mkdir()
    assert find_init(tmp_path) is InitSystem.UNKNOWN
    (tmp_path / "sbin/init").write_text("")
    assert find_init(tmp_path) is InitSystem.UNKNOWN
    (tmp_path / "etc/init").mkdir(parents=True)
    (tmp_path / "etc/inittab").write_text("")
    assert find_init(tmp_path) is InitSystem.SYSVINIT
    (tmp_path / "sbin/openrc").write_text("")
    assert find_init(tmp_path) is InitSystem.OPENRC
    for jobs in ("etc/event.d/rc-default", "etc/init/rc-sysinit.conf"):
        put(tmp_path / jobs, b"")
        assert find_init(tmp_path) is InitSystem.UPSTART
        (tmp_path / jobs).unlink()
    put(tmp_path / "etc/init/rcS.conf", b"")
    assert find_init(tmp_path) is InitSystem.UPSTART
    (tmp_path / "sbin/init").unlink()
    (tmp_path / "sbin/init").symlink_to("/lib/systemd/systemd")
    assert find_init(tmp_path) is InitSystem.SYSTEMD
    (tmp_path / "sbin/init").unlink()
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert find_init(tmp_path) is InitSystem.SYSTEMD


@pytest.mark.parametrize(
    "path, kind", [(".dockerenv", "docker"), ("run/systemd/container", "lxc"), ("run/.containerenv", "podman")]
)
def test_container_marks(fake: FakeHost, path: str, kind: str) -> None:
    fake.write(path, kind if path == "run/systemd/container" else "")
    assert find_container(fake.root) == kind


def record(kind: int, pid: int) -> bytes:
    return struct.pack("=h2xi", kind, pid).ljust(384, b"\0")


@pytest.mark.parametrize(
    "data, level",
    [
        (b"", None),
        (record(2, 0) + record(1, ord("2") | ord("N") << 8), "2"),
        (record(1, ord("6") | ord("2") << 8), "6"),
        (record(7, 99) + record(1, ord("6"))[:100], None),
    ],
)
def test_runlevel(fake: FakeHost, data: bytes, level: str) -> None:
    (fake.root / "run/utmp").write_bytes(data)
    assert find_runlevel(fake.root) == level


def test_chroot(fake: FakeHost) -> None:
    assert not is_chroot(fake.root)
    (fake.root / "proc/1/root").unlink()
    assert not (fake.root / "proc/1/root").exists()
    (fake.root / "proc/1/root").symlink_to("/")
    assert is_chroot(fake.root)
