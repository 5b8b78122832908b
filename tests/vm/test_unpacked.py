"""The initrd handed over unpacked, in real kexecs: the system that comes up is the one that the packed initrd leads to."""

import json
import re

import pytest

from tests.vm.conftest import WAIT_LOADED, StartMachine
from tests.vm.qemu import Machine
from tests.vm.reboots import reboot_by_kexec
from tests.vm.snapshot import Snapshot

SEEN = {
    "modules": "lsmod | sed 's/ .*//' | sort",
    # These the kernel numbers as drivers come, which emulated time shuffles.
    "devices": r"find /sys/class /sys/block -mindepth 1 -maxdepth 2 | sed 's/\(input\|wakeup\)[0-9]*/\1/' | sort",
    "nodes": r"find /dev -path /dev/pts -prune -o -printf '%p %y %m\n' | sort",
    "left by the initrd": r"find /run/initramfs -printf '%p %y %s\n' | sort",
    # How much memory there is when the kernel mounts depends on the size of the initrd.
    "mounts": "grep -v /run /proc/mounts | sed 's/size=[0-9]*k/size/; s/nr_inodes=[0-9]*/inodes/'",
    "messages": "dmesg | sed 's/^[^]]*] //; s/0x[0-9a-f]*/N/g; s/[0-9]*K/K/g'"
    " | grep -iE 'initramfs|initrd|ramdisk|cpio|rootfs|microcode|firmware|module' | sort",
}
FREED = re.compile(r"Freeing initrd memory: (\d+)K")


def load(machine: Machine, setting: str) -> None:
    """Have the next kernel loaded with UNPACK_INITRD as `setting`, and see that it is."""
    machine.check(f"echo UNPACK_INITRD={setting} >>/etc/default/kexec-initd; kexec-initd load", limit=180)
    assert json.loads(machine.check("kexec-initd status --json"))["loaded_unpacked"] is (setting == "yes")


def picture(machine: Machine) -> "dict[str, str]":
    """Return what the initrd and the kernel that has unpacked it have made of the system."""
    machine.check(f"({WAIT_LOADED})", limit=180)
    machine.check("udevadm settle", limit=60)
    messages = machine.check("dmesg")
    assert "unpacking failed" not in messages
    assert "Trying to unpack rootfs image as initramfs" in messages
    return {name: machine.check(command) for name, command in SEEN.items()}


def freed(machine: Machine) -> int:
    """Return how many KiB the initrd had."""
    found = FREED.search(machine.check("dmesg"))
    assert found is not None
    return int(found.group(1))


@pytest.mark.full
def test_the_same_system_comes_up(installed: Snapshot, start: StartMachine) -> None:
    machine = start(installed.setup())
    load(machine, "no")
    reboot_by_kexec(machine)
    as_it_is, size = picture(machine), freed(machine)
    load(machine, "yes")
    reboot_by_kexec(machine)
    unpacked = picture(machine)
    assert unpacked == as_it_is
    assert freed(machine) > 2 * size
    # And from then on each boot preloads it like that.
    assert json.loads(machine.check("kexec-initd status --json"))["loaded_unpacked"] is True
