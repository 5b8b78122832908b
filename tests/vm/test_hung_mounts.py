"""What a shutdown can hang on: servers that no longer answer, stacks of block devices. It ends within its limit all the same."""

import re
from pathlib import Path
from typing import Tuple

import pytest

from tests.vm.conftest import PRELOAD, StartMachine
from tests.vm.evidence import assert_came_by_kexec, assert_clean, gather
from tests.vm.image import MIB, PACKAGES, STOCK, build
from tests.vm.qemu import EndReason, Machine, Setup
from tests.vm.snapshot import take

STORAGE = STOCK._replace(packages=PACKAGES + " lvm2 cryptsetup-bin nfs-kernel-server nfs-common rpcbind", carried="")
LIMIT = 150
# The dead-man counts from the early step, which comes some seconds after the word (emulated, 10), looks at the clock every 5 s,
# and makes two pauses of 5 s before it resets.
SLACK = 10 + 5 + 10
# What a shutdown may take that needs no dead-man.
LAST_STEP = 110
# What the kernel says last, with the time since its start: kernel/reboot.c, kernel/kexec_core.c, drivers/tty/sysrq.c
LAST_WORD = re.compile(r"^\[ *([0-9.]+)\] (?:reboot: Restarting|kexec_core: Starting new kernel|sysrq: Resetting)", re.MULTILINE)

# mount(2) with a descriptor of /dev/fuse that nobody ever reads from; the process survives the end of all others, as the
# daemon of a root file system would.
MUTE_FUSE = """\
import ctypes, os, signal, time
fd = os.open("/dev/fuse", os.O_RDWR)
options = "fd={},rootmode=40000,user_id=0,group_id=0".format(fd).encode()
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"mute", b"/mnt/fuse", b"fuse", 0, options):
    raise OSError(ctypes.get_errno(), "mount")
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("/run/sendsigs.omit.d/mute", "w").write(str(os.getpid()))
time.sleep(100000)
"""
OPEN = "cryptsetup open --key-file /root/key /dev/vdc safe"
HOLD = "setsid sh -c 'exec 9>>{}; while :; do sleep 1; done' >/dev/null 2>&1 </dev/null &"


@pytest.fixture
def storage(debs: Tuple[Path, ...], tmp_path: Path) -> Setup:
    """Return the setup of a guest with our package, the programs for such stacks, and an empty second disk."""
    disk = tmp_path / "second.raw"
    with open(disk, "wb") as stream:
        stream.truncate(512 * MIB)
    return take(build(STORAGE), debs, PRELOAD).cold_setup()._replace(extra_disks=(disk,))


def dead_nfs(machine: Machine) -> None:
    """A server mounted hard that is then gone, with a file open on it."""
    machine.check("mkdir -p /srv/nfs /mnt/nfs; echo '/srv/nfs *(rw,no_root_squash,insecure,fsid=0)' >/etc/exports")
    machine.check("/etc/init.d/rpcbind start; /etc/init.d/nfs-kernel-server start", 120)
    machine.check("mount -t nfs4 -o hard 127.0.0.1:/ /mnt/nfs", 120)
    machine.check(HOLD.format("/mnt/nfs/open"))
    machine.check("sleep 2; test -e /srv/nfs/open; rpc.nfsd 0")


def mute_fuse(machine: Machine) -> None:
    """A file system whose server has never answered."""
    machine.put("/root/mute.py", MUTE_FUSE.encode())
    machine.check("modprobe fuse; mkdir -p /mnt/fuse; setsid python3 /root/mute.py >/dev/null 2>&1 </dev/null &")
    machine.check("(for i in $(seq 30); do grep -q ' /mnt/fuse ' /proc/mounts && exit 0; sleep 1; done; exit 1)")


def busy_loop(machine: Machine) -> None:
    """A loop device, with a file system that is in use, on a file of another disk."""
    machine.check("mkfs.ext4 -q /dev/vdc; mkdir -p /mnt/disk /mnt/loop; mount /dev/vdc /mnt/disk")
    machine.check("truncate -s 100M /mnt/disk/image; mkfs.ext4 -q /mnt/disk/image; mount -o loop /mnt/disk/image /mnt/loop")
    machine.check("losetup -f /mnt/disk/image; " + HOLD.format("/mnt/loop/open"))


def lvm_on_luks(machine: Machine) -> None:
    """A file system on LVM on an encrypted disk, written to until the end."""
    machine.check("printf secret >/root/key")
    machine.check(
        "cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/vdc /root/key", 300
    )
    machine.check(OPEN, 120)
    machine.check("pvcreate -q /dev/mapper/safe && vgcreate -q group /dev/mapper/safe && lvcreate -q -n data -L 200M group", 120)
    machine.check("mkfs.ext4 -q /dev/group/data; mkdir -p /mnt/data; mount /dev/group/data /mnt/data", 120)
    machine.check("head -c 20000000 /dev/urandom >/mnt/data/file; md5sum </mnt/data/file >/root/digest")
    machine.check(HOLD.format("/mnt/data/open"))


# Debian's own umountnfs.sh, which comes between the end of the processes and the last step, never comes back from it.
BY_THE_DEAD_MAN = ("dead-nfs",)
CASES = {"dead-nfs": dead_nfs, "mute-fuse": mute_fuse, "busy-loop": busy_loop, "lvm-on-luks": lvm_on_luks}
# What is found on the second disk afterwards: unmounted cleanly, and as it was written.
AFTER = {
    "busy-loop": "mount /dev/vdc /mnt/disk && mount -o loop /mnt/disk/image /mnt/loop",
    "lvm-on-luks": OPEN + " && vgchange -q -ay group && mount /dev/group/data /mnt/data && "
    "test $(md5sum </mnt/data/file | cut -d ' ' -f 1) = $(cut -d ' ' -f 1 /root/digest)",
}


def ended_after(machine: Machine, began: float) -> float:
    """Return for how many seconds of the guest's own clock the shutdown that began at the uptime `began` has lasted."""
    stamps = LAST_WORD.findall(machine.log_text())
    assert stamps, machine.log_text()[-2000:]
    return float(stamps[-1]) - began


@pytest.mark.full
@pytest.mark.parametrize("name", CASES)
def test_the_reboot_ends_within_its_limit(storage: Setup, start: StartMachine, name: str) -> None:
    machine = start(storage)
    machine.check(f"echo SHUTDOWN_LIMIT={LIMIT} >>/etc/default/kexec-initd")
    CASES[name](machine)
    machine.check("dmesg -n 7")
    before, began = gather(machine), float(machine.check("cut -d ' ' -f 1 /proc/uptime"))
    machine.send("reboot")
    end = machine.wait_end()
    seconds = ended_after(machine, began)
    print(f"{name}: {end.value} after {seconds:.0f} s")
    assert seconds < (LIMIT + SLACK if name in BY_THE_DEAD_MAN else LAST_STEP)
    if name in BY_THE_DEAD_MAN:
        assert end is EndReason.RESET
        said = machine.log_text()
        assert f"the shutdown did not lead to a reboot, it takes longer than {LIMIT} s" in said
        assert "Asking all remaining processes to terminate" in said, "the dead-man is none of them"
        assert "Will now restart." not in said, "the last step was reached"
        machine.restart()
        machine.wait_login()
    else:
        assert end is EndReason.LOGIN
        machine.talk().greet(60.0)
        assert_came_by_kexec(before, gather(machine))
    if name in AFTER:
        machine.check(AFTER[name], 120)
    assert_clean(gather(machine))
