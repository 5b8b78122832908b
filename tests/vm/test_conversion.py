"""A host that gets another init system while the package is installed: each reboot comes back, with the loader's kernel."""

import re
from pathlib import Path
from typing import Tuple

import pytest

from tests.vm.conftest import PRELOAD, WAIT_LOADED, StartMachine
from tests.vm.conversion import CONVERTIBLE, convert, is_systemd
from tests.vm.evidence import assert_came_cold, gather
from tests.vm.image import build
from tests.vm.kernels import INSTALL_NEWER, UPDATE_LIMIT, find_kernels
from tests.vm.qemu import Machine
from tests.vm.reboots import assert_goes_cold, reboot_by_kexec
from tests.vm.snapshot import Snapshot, take

LIMIT = 900.0
# What the journal's recovery says of a removed file that was in use to the end.
OF_INIT = re.compile("recovery required|orphan cleanup on readonly fs|: 1 orphan inode deleted|recovery complete")


@pytest.fixture
def convertible(debs: Tuple[Path, ...]) -> Snapshot:
    """Return a guest that both init systems can be installed in, with our package and its kernel loaded."""
    return take(build(CONVERTIBLE), debs, PRELOAD)


def reboot_with_init_replaced(machine: Machine) -> None:
    """Type `reboot` while the running init's program is removed from the disk; prove that it goes cold, why, and comes back.

    The kernel makes no file system read-only that has a removed file in use, so Debian's umountroot leaves / writable: this
    guest's next boot finds that file, and nothing else, just the same where our package was never installed.
    """
    before = gather(machine)
    assert_goes_cold(machine, "/ is still writable")
    machine.restart()
    machine.wait_login(LIMIT)
    after = gather(machine)
    assert "1 orphan inode deleted" in " ".join(after.unclean)
    assert_came_cold(before, after._replace(unclean=tuple(line for line in after.unclean if not OF_INIT.search(line))))


@pytest.mark.full
def test_a_host_turned_to_systemd_and_back_always_comes_back_with_the_loaders_kernel(
    convertible: Snapshot, start: StartMachine
) -> None:
    machine = start(convertible.setup())
    convert(machine, "systemd-sysv")
    assert not is_systemd(machine)
    # systemd's reboot would ask for a kexec, and sysvinit has no runlevel for that.
    assert machine.check("cat /sys/kernel/kexec_loaded") == "0"
    reboot_with_init_replaced(machine)
    assert is_systemd(machine)

    # Nothing is loaded at the end of the boot, so that systemd has nothing to execute behind our back.
    machine.check("systemctl is-system-running --wait; true", LIMIT)
    machine.check("sleep 20; /etc/init.d/kexec-initd preload; sleep 20", LIMIT)
    assert machine.check("cat /sys/kernel/kexec_loaded") == "0"
    assert '"reboot": "cold"' in machine.check("kexec-initd status --json")
    assert "systemd" in machine.check("kexec-initd status | grep '^reboot:'")

    # Once it is hooked, too, each reboot starts the kernel that has come since, and is the boot loader's choice.
    machine.check(f"kexec-initd trust && kexec-initd install && ({WAIT_LOADED})", LIMIT)  # the first attempt is lost
    machine.check(INSTALL_NEWER, UPDATE_LIMIT)
    kernels = find_kernels(machine)
    assert reboot_by_kexec(machine).release == kernels.new
    assert is_systemd(machine)

    machine.check(f"({WAIT_LOADED})", LIMIT)
    convert(machine, "sysvinit-core")
    assert reboot_by_kexec(machine).release == kernels.new
    assert not is_systemd(machine)
    machine.check(f"({WAIT_LOADED})", limit=180)
    assert reboot_by_kexec(machine).release == kernels.new
