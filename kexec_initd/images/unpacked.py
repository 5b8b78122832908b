"""The unpacked content of an initrd, kept while it is checked: handed to kexec, it leaves the new kernel nothing to decompress.

The kernel reads the content of a compressed archive as it reads one that never was compressed (unpack_to_rootfs in its
init/initramfs.c): the same archives in the same order, each at a multiple of four bytes with zero bytes before it, unpack to
the same. Only early microcode and ACPI tables are looked for among uncompressed archives alone, from the first to the first
compressed one (find_cpio_data in its lib/earlycpio.c): where files of their names would come into sight, nothing is kept.

Whatever goes wrong here, the initrd is still there as it is: keeping is given up, and that is all.
"""

import contextlib
from pathlib import Path
from typing import BinaryIO, Iterator, Optional, Set

from kexec_initd.errors import Refused
from kexec_initd.images.in_memory import open_anonymous, write_all

WORD = 4


class Unpacked:
    """Keeps what an initrd unpacks to, up to `limit` bytes, in a file in memory; without a file, nothing."""

    def __init__(self, file: Optional[BinaryIO] = None, limit: int = 0) -> None:
        self._file = file
        self._limit = limit
        self._size = 0
        self.formats: Set[str] = set()

    @property
    def fd(self) -> Optional[int]:
        """Return the descriptor of what was kept; None where that is not all, or the same as the initrd."""
        return self._file.fileno() if self._file is not None and self.formats else None

    def begin(self, offset: int) -> None:
        """Begin with what lies uncompressed at `offset` of the initrd."""
        self.write(bytes((offset - self._size) % WORD))

    def begin_archive(self, form: str) -> None:
        """Begin with the content of a compressed archive in the format `form`."""
        self.formats.add(form)
        self.begin(0)

    def write(self, data: bytes) -> None:
        """Add the next bytes."""
        self._size += len(data)
        if self._size > self._limit:
            self.give_up()
        if self._file is not None:
            try:
                write_all(self._file, data)
            except OSError:
                self.give_up()

    def end(self, early: bool) -> None:
        """End what was begun last; `early` tells whether files are in it that the kernel looks for before it unpacks anything."""
        if early and self.formats:
            self.give_up()

    def give_up(self) -> None:
        """Free the memory, and keep no more."""
        if self._file is not None:
            self._file.close()
            self._file = None


@contextlib.contextmanager
def keep(root: Path, limit: int) -> Iterator[Unpacked]:
    """Return what keeps up to `limit` bytes, in memory; they are gone with the `with` or with this process."""
    file = None
    with contextlib.suppress(Refused):
        file = open_anonymous(root, "unpack the initrd")
    kept = Unpacked(file, limit)
    try:
        yield kept
    finally:
        kept.give_up()
