"""What a power cut leaves on a disk: all that was written, or only what the guest had flushed.

A killed QEMU alone loses little: what it wrote is in the page cache of the host. So the disk's writes are logged by QEMU's
driver blklogwrites (`Setup.logged`), and the disk after the cut is made anew from them, in their order: up to the last
flush, as from a disk whose volatile cache is lost, or to the end, as from one that had written all of it by itself. What
lies in between, some of the later writes in any order, or a write torn in two, is not shown by either.

The log has the format of Linux's dm-log-writes (drivers/md/dm-log-writes.c): a super block, then for each write a header
of one sector and the data.
"""

import struct
import subprocess
from pathlib import Path
from typing import BinaryIO, List, NamedTuple

from tests.vm.qemu import Machine, create_overlay, run_tool

SECTOR = 512
ROOT_OFFSET = 1024 * 1024  # image.py, write_disk
MAGIC = 0x6A736677736872
SUPER = struct.Struct("<QQQI")
HEADER = struct.Struct("<QQQQ")
FLUSH, DISCARD = 1, 4


class Write(NamedTuple):
    """One write, in bytes: where on the disk, how much, and where in the log its data is; or a flush, of length 0."""

    place: int
    length: int
    data: int
    flush: bool = False


def cut_power(machine: Machine, unflushed_is_lost: bool) -> int:
    """Kill QEMU, give the machine the disk that a power cut leaves, and return how many writes it has lost with that.

    It boots from there (`Machine.restart`), and what it writes then is not logged any more.
    """
    machine.kill()
    with open(machine.writes, "rb") as log:
        done = read_log(log)
        kept = up_to_the_last_flush(done) if unflushed_is_lost else done
        machine.disk.unlink()
        create_overlay(machine.setup.disk, machine.disk)
        write_again(log, kept, machine.disk)
    machine.setup = machine.setup._replace(logged=False)
    return sum(not write.flush for write in done) - sum(not write.flush for write in kept)


def read_log(log: BinaryIO) -> List[Write]:
    """Return what was written, in order. The super block counts only up to the last flush: what follows ends with zeros."""
    magic, version, _, sector = SUPER.unpack(log.read(SUPER.size))
    if (magic, version, sector) != (MAGIC, 1, SECTOR):
        raise ValueError(f"not a log of writes: {(magic, version, sector)}")
    found: List[Write] = []
    position = SECTOR
    while True:
        log.seek(position)
        header = log.read(HEADER.size)
        if len(header) < HEADER.size or not any(header):
            return found
        place, sectors, flags, _ = HEADER.unpack(header)
        length = 0 if flags & DISCARD else sectors * SECTOR
        found.append(Write(place * SECTOR, length, position + SECTOR, bool(flags & FLUSH)))
        position += SECTOR + length


def up_to_the_last_flush(writes: List[Write]) -> List[Write]:
    """Return the writes that a disk without power still has for certain."""
    flushes = [number for number, write in enumerate(writes) if write.flush]
    return writes[:flushes[-1] + 1] if flushes else []


def check_file_system(machine: Machine) -> str:
    """Recover the journal in a copy of the guest's root, check all of it, and return what e2fsck found wrong then.

    The guest itself checks only what is marked as unclean, and its kernel has recovered the journal before that.
    """
    copy = machine.directory / "root.raw"
    partition = f"driver=raw,offset={ROOT_OFFSET},file.driver=qcow2,file.file.driver=file,file.file.filename={machine.disk}"
    run_tool(["qemu-img", "convert", "--image-opts", "-O", "raw", partition, str(copy)])
    recovered = run_e2fsck("-p", str(copy))  # orphans, too, as a mount would
    checked = run_e2fsck("-fn", str(copy))
    copy.unlink()
    return (recovered.stdout if recovered.returncode > 1 else "") + (checked.stdout if checked.returncode else "")


def run_e2fsck(*args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["e2fsck", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)


def write_again(log: BinaryIO, writes: List[Write], disk: Path) -> None:
    """Write to the image `disk` what the log holds, by QEMU's own tool: one file of data for each write."""
    piece = disk.with_suffix(".piece")
    lines = []
    for number, write in enumerate(write for write in writes if write.length):
        log.seek(write.data)
        data = piece.with_suffix(f".{number}")
        data.write_bytes(log.read(write.length))
        lines.append(f"write -q -s {data} {write.place} {write.length}\n")
    done = subprocess.run(["qemu-io", "-f", "qcow2", "-t", "unsafe", str(disk)], input="".join(lines),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    for data in disk.parent.glob(piece.stem + ".[0-9]*"):
        data.unlink()
    if "rror" in done.stdout or "ailed" in done.stdout:
        raise RuntimeError(done.stdout[-2000:])
