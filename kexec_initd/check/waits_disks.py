"""What a reboot waits for at disks: pages that are still to be written, drives that shut down in turn, a file system check."""

import re
import struct
import time
from typing import Iterator, NamedTuple, Optional

from kexec_initd.check.findings import Gathered, Origin
from kexec_initd.check.waits import LEAST, Wait, find_next_kernel
from kexec_initd.system.raw import open_to_read, read_up_to
from kexec_initd.system.safe_path import below
from kexec_initd.system.sysroot import FSTAB, Tree

WRITTEN = 100.0  # megabytes a second, of a disk that turns
DRIVES, SECONDS_A_DRIVE = 4, 5.0
NVME = re.compile(r"nvme[0-9]+\Z")
CHECKED = ("ext2", "ext3", "ext4")
SKIPPED = ("fastboot", "fsck.mode=skip")
DAY = 86400
GIGABYTE = 1 << 30
SECONDS_A_GIGABYTE = 1.0  # in use
TAGS = {"UUID": "by-uuid", "LABEL": "by-label", "PARTUUID": "by-partuuid", "PARTLABEL": "by-partlabel"}


def list_dirty(gathered: Gathered) -> Iterator[Wait]:
    """Yield the pages that are still to be written, which a shutdown does at its end."""
    text = gathered.host.tree.read_text("/proc/meminfo") or ""
    megabytes = sum(int(size) for size in re.findall(r"^(?:Dirty|Writeback): +([0-9]+) kB$", text, re.MULTILINE)) / 1024
    if megabytes / WRITTEN >= LEAST:
        fact = "{:.0f} MB are still to be written, at {:.0f} MB a second".format(megabytes, WRITTEN)
        advice = "sync before the reboot, while services run; vm.dirty_bytes bounds it"
        yield Wait("dirty-pages", megabytes / WRITTEN, fact, Origin("/proc/meminfo"), advice)


def list_drives(gathered: Gathered) -> Iterator[Wait]:
    """Yield the NVMe drives where there are many: the kernel shuts one down after the other."""
    count = len([name for name in gathered.host.tree.names("/sys/class/nvme") if NVME.match(name)])
    if count > DRIVES:
        fact = "{} NVMe drives shut down one after the other, at some {:.0f} s each".format(count, SECONDS_A_DRIVE)
        advice = "a kernel that shuts devices down in parallel; do not lower their shutdown_timeout"
        yield Wait("nvme", count * SECONDS_A_DRIVE, fact, Origin("/sys/class/nvme"), advice)


class Superblock(NamedTuple):
    """What decides a check of ext2, ext3 or ext4 (the kernel's Documentation/filesystems/ext4/super.rst), and bytes in use."""

    mounts: int
    most_mounts: int
    checked: int
    interval: int
    damaged: bool
    used: int

    def explain_check(self, now: float) -> Optional[str]:
        """Say why the next boot checks it, as e2fsck(8) decides; None where it does not."""
        if self.damaged:
            return "the kernel has found errors in it"
        if 0 < self.most_mounts <= self.mounts:
            return "it was mounted {} times, of {}".format(self.mounts, self.most_mounts)
        if self.interval and now - self.checked >= self.interval:
            return "the last check is {:.0f} days ago, of {:.0f}".format(
                (now - self.checked) / DAY, self.interval / DAY
            )
        return None


def parse_superblock(data: bytes) -> Optional[Superblock]:
    """Return what the 1024 bytes at 1024 of a device say; None where that is no ext2, ext3 or ext4."""
    if len(data) < 1024 or data[56:58] != b"\x53\xef":
        return None
    blocks, _, free = struct.unpack_from("<III", data, 4)
    (shift,) = struct.unpack_from("<I", data, 24)
    mounts, most, _, state = struct.unpack_from("<HhHH", data, 52)
    checked, interval = struct.unpack_from("<II", data, 64)
    if struct.unpack_from("<I", data, 96)[0] & 0x80:  # INCOMPAT_64BIT
        blocks += struct.unpack_from("<I", data, 0x150)[0] << 32
        free += struct.unpack_from("<I", data, 0x158)[0] << 32
    return Superblock(mounts, most, checked, interval, bool(state & 2), max(blocks - free, 0) << 10 + (shift & 15))


def list_fsck(gathered: Gathered) -> Iterator[Wait]:
    """Yield the file systems that the next boot will check, by fstab(5)."""
    kernel, tree = find_next_kernel(gathered), gathered.host.tree
    if any(word in SKIPPED for word in (kernel.words if kernel else ())):
        return
    for number, line in enumerate((tree.read_text(FSTAB) or "").split("\n"), 1):
        words = line.split()
        if len(words) < 6 or line.lstrip().startswith("#") or words[2] not in CHECKED or words[5] == "0":
            continue
        found = _read_superblock(tree, words[0])
        reason = found.explain_check(time.time()) if found else None
        if found is not None and reason is not None:
            seconds = max(LEAST, found.used / GIGABYTE * SECONDS_A_GIGABYTE)
            fact = "the next boot checks {}: {}; at a second for each GB in use".format(words[1], reason)
            advice = "check it when it suits you, or tune2fs -c 0 -i 0"
            yield Wait("fsck", seconds, fact, Origin(FSTAB, number), advice)


def _read_superblock(tree: Tree, source: str) -> Optional[Superblock]:
    tag, _, value = source.partition("=")
    path = "/dev/disk/{}/{}".format(TAGS[tag], value.strip("\"'")) if tag in TAGS else source
    if not path.startswith("/dev/"):
        return None
    try:
        return parse_superblock(read_up_to(open_to_read(below(tree.root, path)), 2048)[1024:])
    except (OSError, ValueError):
        return None
