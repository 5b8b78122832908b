"""The packages for hosts without Python on guests that have none: in the shape of Ubuntu 12.04 and 10.04, and of RHEL 4 to 6."""

import shutil
from pathlib import Path
from typing import NamedTuple, Sequence

import pytest

import kexec_initd
from kexec_initd.cli import main
from tests.vm import rhel
from tests.vm.conftest import StartMachine
from tests.vm.packages import find_deb, find_rpm
from tests.vm.qemu import EndReason, Machine
from tests.vm.reboots import assert_goes_cold, reboot_by_kexec, reboot_cold, reboot_quietly_cold
from tests.vm.snapshot import Snapshot, take, write_payload

RUN, DEV = "/run/kexec-initd", "/dev/.kexec-initd"
# rc.local's block does this at the end of a boot, in the background.
WAIT_LOADED = """(for i in $(seq 120); do grep -q '^end ' {0}/stamp && exit 0; sleep 1; done; cat {0}/preload.log; exit 1)"""
NO_PYTHON = "dpkg --purge $(dpkg-query -W -f '${Package} ' 'python3*' 'libpython3*')"
# Debian's scripts in the order that Ubuntu gives them: by their numbers, without insserv and startpar; kexec-tools' own,
# which out of the box loads a kernel at each reboot, switched off.
STATIC = r"""
rm -f /etc/init.d/.depend.* /sbin/insserv /lib/startpar/startpar /sbin/startpar
for place in S20sendsigs S30urandom S31umountnfs.sh S35networking S40umountfs S60umountroot S85kexec S90reboot; do
    for link in /etc/rc6.d/K[0-9][0-9]"${place#S[0-9][0-9]}"; do
        [ ! -L "$link" ] || mv "$link" "/etc/rc6.d/$place"
    done
done
echo LOAD_KEXEC=false >/etc/default/kexec"""
# /run came to Ubuntu with 11.10: before that /var/run is a directory, a tmpfs in 10.04, and what early boot keeps lies in /dev
# and /lib/init/rw. Each boot of Debian 12 would make a link of a directory on which nothing is mounted.
OLDER = (
    "rm /var/run && mkdir -p /var/run /lib/init/rw && mount --bind /run /var/run"
    " && echo 'none /var/run tmpfs mode=0755 0 0' >>/etc/fstab"
)
# Every file with mode, owner and digest, and with its time; not the records that insserv and dpkg write anew on each
# call, rpm's database, nor what each boot and shutdown writes.
LIST = r"""
list () {
    find /etc /usr /boot /var/lib \( -name '.depend.*' -o -name 'diversions*' -o -name random-seed -o -name adjtime \
        -o -path /var/lib/rpm -o -path '/var/lib/dpkg/*ock*' -o -path '/var/lib/dpkg/status*' \) -prune \
        -o -path '/etc/rc?.d/*' -printf '%p %y %U %G %l\n' -o -type d -printf '%p %m %U %G\n' \
        -o -printf '%p %y %m %U %G %s %T@ %l\n'
    find /etc /usr/sbin /boot /var/lib \( -name '*-old' -o -path /var/lib/rpm -o -name random-seed -o -name adjtime \) -prune \
        -o -type f -exec sha256sum {} +
    ! command -v dpkg-divert >/dev/null || dpkg-divert --list
}
list | LC_ALL=C sort"""


class Kind(NamedTuple):
    """How a package is made and handled."""

    family: str
    install: str
    upgrade: str
    remove: str
    left: str


KINDS = {
    "deb": Kind("debian", "dpkg -i", "dpkg -i", "dpkg -r kexec-initd-legacy; dpkg -P kexec-initd-legacy", "dpkg -V initscripts"),
    "rpm": Kind("rhel", "rpm -i", "rpm -U", "rpm -e kexec-initd-legacy", "rpm -V initscripts"),
}


@pytest.fixture(scope="session")
def bare(stock: Snapshot) -> Snapshot:
    """Return the guest without Python at its prompt."""
    return take(stock, prepare=(NO_PYTHON, STATIC))


def pack(kind: str, directory: Path, monkeypatch: pytest.MonkeyPatch, others: Sequence[Path] = ()) -> Path:
    """Return a tar of the package of that kind, of a later version of it, and of other files."""
    packages = []
    for name, version in (("legacy", kexec_initd.__version__), ("later", "99.0")):
        packages.append(directory / f"{name}.{kind}")
        monkeypatch.setattr("kexec_initd.__version__", version)
        assert main(["render", "--for", KINDS[kind].family, "--standalone", f"--{kind}", str(packages[-1])]) == 0
    return write_payload(directory / "payload.tar", [*packages, *others])


@pytest.fixture
def debs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a tar of the .debs."""
    return pack("deb", tmp_path, monkeypatch)


def install(machine: Machine, kind: str = "deb") -> None:
    """Install the package in the guest, which has no Python."""
    assert machine.run("find / -xdev -type f -name 'python*' -perm /111 | grep .").status != 0
    machine.unpack("/root")
    assert "next reboot goes through kexec already" in machine.check(f"{KINDS[kind].install} /root/legacy.{kind}", limit=300)


def wait_for_preload(machine: Machine, state: str = RUN) -> None:
    """Wait until this boot has loaded the next kernel, which nobody but rc.local asked for."""
    machine.check(WAIT_LOADED.format(state), limit=200)
    assert machine.check("cat /sys/kernel/kexec_loaded") == "1"


def assert_lives(machine: Machine, kind: str, state: str) -> None:
    """Install, reboot, upgrade, reboot, cold once, remove: each as it has to be, and every file as before."""
    # Where insserv works, it works out anew, whoever calls it next, what differs from when the packages came one by one.
    machine.check(LIST + " >/root/before", limit=300)
    install(machine, kind)
    # Nothing is loaded yet: the early step does it. From the next boot on rc.local does.
    reboot_by_kexec(machine)
    wait_for_preload(machine, state)
    machine.check(f"{KINDS[kind].upgrade} /root/later.{kind}", limit=300)
    reboot_by_kexec(machine)
    wait_for_preload(machine, state)
    machine.check("touch /no-kexec-reboot")
    reboot_cold(machine, "asked for by /no-kexec-reboot")
    wait_for_preload(machine, state)
    machine.check(KINDS[kind].remove, limit=300)
    assert machine.check("cat /sys/kernel/kexec_loaded") == "0"
    assert machine.run(f"{KINDS[kind].left} | grep -v ' /usr/share/'").output == ""
    machine.check(LIST + " >/root/after", limit=300)
    assert machine.run("diff /root/before /root/after").output == ""
    reboot_quietly_cold(machine)


def test_installed_rebooted_and_uninstalled(bare: Snapshot, debs: Path, start: StartMachine) -> None:
    assert_lives(start(bare.setup(debs)), "deb", RUN)


@pytest.mark.full
def test_like_ubuntu_10_04(bare: Snapshot, debs: Path, start: StartMachine) -> None:
    machine = start(bare.setup(debs))
    machine.check(OLDER)
    assert_lives(machine, "deb", DEV)


@pytest.mark.full
@pytest.mark.parametrize("release", rhel.SHAPES)
def test_like_rhel(
    start: StartMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: int
) -> None:
    machine = start(take(rhel.build(rhel.SHAPES[release])).setup(pack("rpm", tmp_path, monkeypatch)))
    machine.check("find / -xdev -type f -name 'python*' -perm /111 -exec rm {} +")
    assert_lives(machine, "rpm", DEV)


@pytest.mark.full
@pytest.mark.parametrize("kind, target, state", [("deb", "debian:12", RUN), ("rpm", "rhel:6", DEV)], ids=["deb", "rpm"])
def test_takes_over(
    stock: Snapshot, start: StartMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, target: str, state: str
) -> None:
    """From install.sh to the package without Python, to the one with it, and back: `reboot` works each time."""
    assert main(["render", "--for", target, "--standalone", "--out", str(tmp_path / "kit")]) == 0
    kit = Path(shutil.make_archive(str(tmp_path / "kit"), "tar", str(tmp_path), "kit"))
    snapshot, python = (stock, find_deb()) if kind == "deb" else (take(rhel.build(rhel.SHAPES[6])), find_rpm())
    machine = start(snapshot.setup(pack(kind, tmp_path, monkeypatch, (python, kit))))
    machine.unpack("/root")
    # What kexec-tools would load by itself, once ours is gone, is switched off.
    machine.check("[ ! -e /etc/default/kexec ] || echo LOAD_KEXEC=false >/etc/default/kexec")
    machine.check(LIST + " >/root/before && tar -xf /root/kit.tar -C /root", limit=300)
    packages = (f"legacy.{kind}", python.name, f"legacy.{kind}")
    for command in ("sh /root/kit/install.sh", *(f"{KINDS[kind].upgrade} /root/{name}" for name in packages)):
        machine.check(command, limit=300)
        reboot_by_kexec(machine)
        wait_for_preload(machine, state)
    machine.check(KINDS[kind].remove + ("; dpkg -P kexec-initd" if kind == "deb" else ""), limit=300)
    machine.check(LIST + " >/root/after", limit=300)
    # Of dpkg and insserv themselves, which make these anew with each call.
    changed = "diff /root/before /root/after | grep '^[<>]' | grep -v -e /.depend. -e /var/lib/dpkg/triggers/File"
    assert machine.run(changed).output == ""
    reboot_quietly_cold(machine)


@pytest.mark.full
@pytest.mark.parametrize("command, end", [("poweroff", EndReason.POWEROFF), ("halt", EndReason.HALTED)])
def test_off_is_off_with_a_kernel_loaded(
    bare: Snapshot, debs: Path, start: StartMachine, command: str, end: EndReason
) -> None:
    machine = start(bare.setup(debs))
    install(machine)
    machine.check("echo HALT=halt >>/etc/default/halt")
    machine.check("/etc/init.d/kexec-initd load", limit=300)
    assert machine.check("cat /sys/kernel/kexec_loaded") == "1"
    machine.send(command)
    assert machine.wait_end() is end


class Fault(NamedTuple):
    """What is done to the guest before `reboot`, the reason that the console must give, and whether it can boot again."""

    harm: str
    reason: str
    boots: bool = False


FAULTS = {
    "kernel-cut": Fault("truncate -s 5000000 /boot/vmlinuz-$(uname -r)", "it is cut"),
    "no-initrd": Fault("rm /boot/initrd.img-$(uname -r)", "is missing"),
    "no-kexec-program": Fault("rm /sbin/kexec", "the program kexec is missing", boots=True),
    "initrd-flipped": Fault(
        "printf x | dd of=/boot/initrd.img-$(uname -r) bs=1 seek=3000000 conv=notrunc", "is damaged"
    ),
}


@pytest.mark.full
@pytest.mark.parametrize("name", FAULTS)
def test_with_a_fault_it_comes_back(bare: Snapshot, debs: Path, start: StartMachine, name: str) -> None:
    machine = start(bare.setup(debs))
    install(machine)
    machine.check("/etc/init.d/kexec-initd load", limit=300)
    machine.check(FAULTS[name].harm)
    (reboot_cold if FAULTS[name].boots else assert_goes_cold)(machine, FAULTS[name].reason)


@pytest.mark.full
def test_where_loading_is_disabled_it_goes_cold(bare: Snapshot, debs: Path, start: StartMachine) -> None:
    machine = start(bare.setup(debs))
    install(machine)
    machine.check("sysctl -w kernel.kexec_load_disabled=1")
    reboot_cold(machine, "loading is disabled")
