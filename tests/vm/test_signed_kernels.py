"""A kernel that is locked down loads only what it can verify, by file; anything else goes through firmware, and says why."""

import shlex
from pathlib import Path
from typing import Tuple

import pytest

from tests.vm import secure_boot
from tests.vm.conftest import StartMachine
from tests.vm.reboots import assert_goes_cold, reboot_by_kexec
from tests.vm.snapshot import take

BY_HAND = "kexec -l -c /boot/vmlinuz-$(uname -r) --initrd=/boot/initrd.img-$(uname -r) --reuse-cmdline"
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
