"""Two initrds put together by us, in a real kexec: the kernel unpacks both."""

import pytest

from tests.vm.conftest import StartMachine
from tests.vm.grub_settings import WITNESS, WITNESS_FILE, WITNESS_WORDS
from tests.vm.reboots import reboot_by_kexec
from tests.vm.snapshot import Snapshot

# Without its stamp the load counts as one by hand, which the shutdown keeps: no boot loader's entry has both initrds.
LOAD = b"""
from pathlib import Path
from kexec_initd.bootloader.installed_kernels import entry_for
from kexec_initd.kexec import load, stamp
from kexec_initd.settings.reader import Settings
from kexec_initd.system.host import gather

host = gather(Path("/"))
entry = entry_for(host, Path("/boot/vmlinuz-" + host.kernel_release))
entry = entry._replace(initrds=(Path("/boot/witness.img"), *entry.initrds))
print(*load.load_entry(host, Settings(), entry).initrds)
stamp.remove(host.root)
"""


@pytest.mark.full
def test_both_initrds_are_unpacked(installed: Snapshot, start: StartMachine) -> None:
    machine = start(installed.setup())
    machine.put(WITNESS_FILE, WITNESS)
    machine.put("/root/load.py", LOAD)
    assert machine.check("python3 -I /root/load.py").startswith("/boot/witness.img /boot/initrd.img-")
    reboot_by_kexec(machine)
    assert WITNESS_WORDS in machine.check("dmesg")
