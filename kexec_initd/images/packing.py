"""How an initrd is packed, by the beginning of its archive: the headers of what is before it, as microcode, are stepped over."""

import contextlib
import os
from pathlib import Path
from typing import NamedTuple, Optional

from kexec_initd.images.cpio import CpioContents, Walker
from kexec_initd.images.decompress import MAGIC_SIZE, find_format
from kexec_initd.images.reader import InvalidImage
from kexec_initd.system.raw import open_regular

BLOCK = 1 << 18
EARLY_LIMIT = 32 << 20  # more than all microcode there is


class Packing(NamedTuple):
    """The name of a format, and how many bytes are packed by it."""

    form: str
    size: int


def find_packing(path: Path) -> Optional[Packing]:
    """Return how the initrd at `path` is packed; None for one that is not, and for what cannot be read or understood."""
    with contextlib.suppress(OSError, InvalidImage, ValueError):
        fd = open_regular(path)
        if fd is not None:
            try:
                return _read_packing(fd)
            finally:
                os.close(fd)
    return None


def _read_packing(fd: int) -> Optional[Packing]:
    walker, offset, size = Walker(CpioContents()), 0, os.fstat(fd).st_size
    while offset < min(size, EARLY_LIMIT):
        block = os.pread(fd, BLOCK, offset)
        taken = walker.feed(block)
        offset += taken
        if taken < len(block):
            break
    form = find_format(os.pread(fd, MAGIC_SIZE, offset))
    return Packing(form.name, size - offset) if form else None
