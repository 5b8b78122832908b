"""The flags of chattr(1): read and set through the requests of ioctl(2) that linux/fs.h names.

FS_IOC_GETFLAGS and FS_IOC_SETFLAGS have one number for each size of a long, and on some architectures another one.
"""

import fcntl
import os
import struct

IMMUTABLE = 0x10
APPEND_ONLY = 0x20
GET, SET = 1, 2
# How asm/ioctl.h says that the kernel is read from or written to: a few architectures have their own bits.
GENERIC = {GET: 2 << 30, SET: 1 << 30}
THREE_BITS = {GET: 2 << 29, SET: 4 << 29}
EXCHANGED = {GET: 1 << 30, SET: 2 << 30}
OTHERS = {"alpha": THREE_BITS, "mips": THREE_BITS, "ppc": THREE_BITS, "sparc": THREE_BITS, "parisc": EXCHANGED}


def number(request: int, machine: str) -> int:
    """Return the number of GET or SET on the architecture `machine`, as uname(2) calls it.

    The size in it is that of a long, in which the kernels of 32 and of 64 bits differ; what is passed is an int.
    """
    bits = next((OTHERS[name] for name in OTHERS if machine.startswith(name)), GENERIC)
    return bits[request] | struct.calcsize("l") << 16 | ord("f") << 8 | request


def read_flags(fd: int) -> int:
    """Return the flags of an open file. Raises OSError, as where the file system knows none."""
    data = bytearray(struct.calcsize("l"))
    fcntl.ioctl(fd, number(GET, os.uname().machine), data)
    return int(struct.unpack_from("i", data)[0])


def write_flags(fd: int, flags: int) -> None:
    """Set the flags of an open file. Raises OSError."""
    data = struct.pack("i", flags).ljust(struct.calcsize("l"), b"\0")
    fcntl.ioctl(fd, number(SET, os.uname().machine), data)
