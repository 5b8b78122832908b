"""The standalone files on a Debian without any Python: generated here, carried in, installed by `sh install.sh`."""

import tarfile
from pathlib import Path
from typing import NamedTuple

import pytest

from kexec_initd.install.offline import render_for
from kexec_initd.install.standalone import write_standalone
from tests.vm.conftest import StartMachine
from tests.vm.evidence import assert_came_cold, gather
from tests.vm.image import PACKAGES, Recipe, build
from tests.vm.qemu import EndReason, Machine
from tests.vm.reboots import assert_goes_cold, reboot_by_kexec, reboot_cold
from tests.vm.snapshot import Snapshot, take

RECIPE = Recipe(packages=" ".join(name for name in PACKAGES.split() if not name.startswith("python3")))
STATE = "/run/kexec-initd"
# rc.local's block does this at the end of a boot, in the background.
WAIT_LOADED = f"(for i in $(seq 120); do grep -q '^end ' {STATE}/stamp && exit 0; sleep 1; done; cat {STATE}/preload.log; exit 1)"
UNINSTALL = "sh /var/lib/kexec-initd/standalone/uninstall.sh"
# Every file with mode, owner and digest, and with its time; not the records that insserv and dpkg write anew on each
# call, nor what each boot and shutdown writes.
LIST = r"""
list () {
    find /etc /usr /boot /var/lib \( -name '.depend.*' -o -name 'diversions*' -o -name random-seed -o -name adjtime \) -prune \
        -o -path '/etc/rc?.d/*' -printf '%p %y %U %G %l\n' -o -type d -printf '%p %m %U %G\n' \
        -o -printf '%p %y %m %U %G %s %T@ %l\n'
    find /etc /usr/sbin /boot /var/lib \( -name '*-old' -o -name random-seed -o -name adjtime \) -prune \
        -o -type f -exec sha256sum {} +
    dpkg-divert --list
}
list | LC_ALL=C sort"""


@pytest.fixture(scope="session")
def bare() -> Snapshot:
    """Return the guest without Python at its prompt."""
    return take(build(RECIPE))


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """Return a tar of the standalone directory for the guest's release."""
    write_standalone(render_for("debian:12", None, True), tmp_path / "kit")
    with tarfile.open(tmp_path / "kit.tar", "w") as tar:
        tar.add(tmp_path / "kit", "kit")
    return tmp_path / "kit.tar"


def install(machine: Machine) -> None:
    """Run install.sh in the guest, which has no Python."""
    assert machine.run("find / -xdev -type f -name 'python*' -perm /111 | grep .").status != 0
    machine.unpack("/root")
    machine.check("sh /root/kit/install.sh", limit=300)


def wait_for_preload(machine: Machine) -> None:
    """Wait until this boot has loaded the next kernel, which nobody but rc.local asked for."""
    machine.check(WAIT_LOADED, limit=200)
    assert machine.check("cat /sys/kernel/kexec_loaded") == "1"


def test_installed_rebooted_and_uninstalled(bare: Snapshot, kit: Path, start: StartMachine) -> None:
    machine = start(bare.setup(kit))
    # Out of the box kexec-tools' own script loads a kernel at each reboot.
    machine.check("echo LOAD_KEXEC=false >/etc/default/kexec")
    # What insserv works out anew, whoever calls it next, differs from what it made while the packages came one by one.
    machine.check("insserv")
    machine.check(LIST + " >/root/before", limit=300)
    install(machine)
    assert "nothing to do" in machine.check("sh /root/kit/install.sh", limit=300)

    # Nothing is loaded yet: the early step does it. From the next boot on rc.local does.
    reboot_by_kexec(machine)
    wait_for_preload(machine)
    reboot_by_kexec(machine)
    wait_for_preload(machine)
    machine.check("touch /no-kexec-reboot")
    reboot_cold(machine, "asked for by /no-kexec-reboot")

    wait_for_preload(machine)
    machine.check(UNINSTALL, limit=300)
    assert machine.check("cat /sys/kernel/kexec_loaded") == "0"
    machine.check(LIST + " >/root/after", limit=300)
    assert machine.run("diff /root/before /root/after").output == ""
    before, old = gather(machine), len(machine.log_text())
    machine.send("reboot")
    assert machine.wait_end() is EndReason.RESET
    assert "kexec-initd" not in machine.log_text()[old:]
    machine.restart()
    machine.wait_login()
    assert_came_cold(before, gather(machine))


@pytest.mark.full
@pytest.mark.parametrize("command, end", [("poweroff", EndReason.POWEROFF), ("halt", EndReason.HALTED)])
def test_off_is_off_with_a_kernel_loaded(
    bare: Snapshot, kit: Path, start: StartMachine, command: str, end: EndReason
) -> None:
    machine = start(bare.setup(kit))
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
def test_with_a_fault_it_comes_back(bare: Snapshot, kit: Path, start: StartMachine, name: str) -> None:
    machine = start(bare.setup(kit))
    install(machine)
    machine.check("/etc/init.d/kexec-initd load", limit=300)
    machine.check(FAULTS[name].harm)
    (reboot_cold if FAULTS[name].boots else assert_goes_cold)(machine, FAULTS[name].reason)


@pytest.mark.full
def test_where_loading_is_disabled_it_goes_cold(bare: Snapshot, kit: Path, start: StartMachine) -> None:
    machine = start(bare.setup(kit))
    install(machine)
    machine.check("sysctl -w kernel.kexec_load_disabled=1")
    reboot_cold(machine, "loading is disabled")
