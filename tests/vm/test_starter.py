"""A kernel that QEMU itself has started (-kernel): no boot loader's configuration says what the next start is."""

import pytest

from tests.vm.conftest import StartMachine
from tests.vm.image import CMDLINE, Image
from tests.vm.reboots import reboot_by_kexec, reboot_cold
from tests.vm.snapshot import Snapshot


@pytest.mark.full
def test_a_machine_that_qemu_started_itself_goes_cold_by_its_name(
    preloaded: Snapshot, image: Image, start: StartMachine
) -> None:
    append = "root=/dev/vda1 ro " + CMDLINE
    machine = start(preloaded.cold_setup()._replace(kernel=image.kernel, initrd=image.initrd, append=append))
    assert "BOOT_IMAGE=" not in machine.check("cat /proc/cmdline")
    assert "QEMU" in machine.check("kexec-initd status | grep '^reboot: *through firmware: '")
    # GRUB, on the same disk, is who starts the machine from then on.
    reboot_cold(machine, "QEMU")
    reboot_by_kexec(machine)
