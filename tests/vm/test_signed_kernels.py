"""A kernel that is locked down loads only what it can verify, by file; anything else goes through firmware, and says why."""

import shlex
from pathlib import Path
from typing import Tuple

import pytest

from tests.vm import secure_boot
from tests.vm.conftest import StartMachine
from tests.vm.qemu import Machine
from tests.vm.reboots import assert_goes_cold, reboot_by_kexec, reboot_cold
from tests.vm.snapshot import Snapshot, take

LOCK_DOWN = "sed -i 's/ ro / ro lockdown=integrity /' /boot/grub/grub.cfg"
BY_HAND = "kexec -l -c /boot/vmlinuz-$(uname -r) --initrd=/boot/initrd.img-$(uname -r) --reuse-cmdline"
SHOWN = "/sys/kernel/security/lockdown"
DENIED = "Operation not permitted"
UNPROVED = "kexec: the file load failed with exit code 255: kexec_file_load failed: "

# The signature is the fifth data directory of the PE header (PE Format, "Optional Header Data Directories"), at the file's end.
STRIP = """\
import struct, sys
path = sys.argv[1]
data = bytearray(open(path, "rb").read())
entry = struct.unpack_from("<I", data, 0x3C)[0] + 24 + 112 + 4 * 8
place, size = struct.unpack_from("<II", data, entry)
assert size > 0 and place + size == len(data), (place, size, len(data))
data[entry:entry + 8] = bytes(8)
open(path, "wb").write(data[:place])
"""


def lock_down(machine: Machine) -> None:
    """Reboot into a kernel that is locked down, and see that it is: the classic load is not for root any more."""
    machine.check(LOCK_DOWN)
    reboot_by_kexec(machine)
    refused = machine.run(BY_HAND)
    assert refused.status != 0
    assert DENIED in refused.output


@pytest.mark.full
@pytest.mark.parametrize("shown", [True, False])
def test_under_lockdown_what_the_kernel_cannot_verify_goes_through_firmware(
    installed: Snapshot, start: StartMachine, shown: bool
) -> None:
    machine = start(installed.setup())
    lock_down(machine)
    assert "[integrity]" in machine.check(f"cat {SHOWN}")
    # Without UEFI the kernel lacks the key that Debian's kernels are signed with: shim would bring it.
    if shown:
        reboot_cold(machine, f"{UNPROVED}{DENIED} (the kernel is locked down)")
    else:
        # Where securityfs is not mounted, only the failure of the classic load tells.
        machine.check(f"umount /sys/kernel/security; test ! -e {SHOWN}")
        reboot_cold(machine, f"kexec: the load failed with exit code 255: kexec_load failed: {DENIED}; {UNPROVED}{DENIED}")


@pytest.mark.full
def test_with_secure_boot_a_signed_kernel_goes_by_file_and_an_unsigned_one_through_firmware(
    debs: Tuple[Path, ...], start: StartMachine
) -> None:
    machine = start(take(secure_boot.build(), debs, extra_args=secure_boot.ARGS).setup())
    assert "Secure boot enabled" in machine.check("dmesg | grep -i 'secure boot'")
    # Debian's kernel has IMA appraise what is loaded, too, which comes first
    assert "kexec_load failed: Permission denied" in machine.run(BY_HAND).output
    reboot_by_kexec(machine)
    assert "Secure boot enabled" in machine.check("dmesg | grep -i 'secure boot'")
    machine.check(f"python3 -c {shlex.quote(STRIP)} /boot/vmlinuz-$(uname -r)")
    # shim would not start it either: that it goes cold, and why, is what we have to show
    assert_goes_cold(machine, UNPROVED)
