"""A kernel or an initrd as an open file: bounded reading that has one way to fail.

Everything is read with pread(2), so that the caller's offset stays, from the descriptor that is loaded afterwards.
"""

import copy
import os
import stat
import time
from pathlib import Path
from typing import Iterator, Mapping

from kexec_initd.errors import Refused

BLOCK = 1 << 20

Programs = Mapping[str, Path]  # that decompress, by the name of their format
NO_PROGRAMS: Programs = {}


class InvalidImage(Refused):
    """This file is not a kernel or an initrd that can be booted, or that cannot be proved."""


class ImageFile:
    """A regular file of `size` bytes that has to be read before a time limit; `programs` decompress what Python does not."""

    def __init__(self, fd: int, limit: int, timeout: float, programs: Programs = NO_PROGRAMS) -> None:
        """Wrap `fd`, which stays the caller's; raise InvalidImage unless it is a regular file of 1 to `limit` bytes."""
        self._fd = fd
        self._start = 0
        self._timeout = timeout
        self.programs = programs
        self.deadline = time.monotonic() + timeout
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidImage("not a regular file")
        self.size = found.st_size
        if not 0 < self.size <= limit:
            raise InvalidImage("the file has {} bytes, but from 1 to {} are sensible".format(self.size, limit))

    def part(self, start: int, size: int) -> "ImageFile":
        """Return `size` bytes of the file from `start` as if they were a file of their own, with the same time limit."""
        found = copy.copy(self)
        found._start += start
        found.size = size
        return found

    def check_time(self) -> None:
        """Raise InvalidImage when the time is over."""
        if time.monotonic() > self.deadline:
            raise InvalidImage("reading it took more than {:g} s".format(self._timeout))

    def read(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from `offset`, fewer only at the end of the file.

        Raises InvalidImage for an I/O error, or when the time is over.
        """
        self.check_time()
        try:
            return os.pread(self._fd, max(min(count, self.size - offset), 0), self._start + offset)
        except OSError as error:
            raise InvalidImage("reading byte {} failed: {}".format(offset, error.strerror))

    def read_exactly(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from `offset`; raise InvalidImage where the file ends before."""
        data = self.read(offset, count)
        if len(data) < count:
            raise InvalidImage("it is cut: byte {} is missing, the file has {}".format(offset + len(data), self.size))
        return data

    def blocks(self, start: int, end: int, size: int = BLOCK) -> Iterator[bytes]:
        """Yield the bytes from `start` to `end`, `size` of them at a time; raise InvalidImage where the file is cut."""
        while start < end:
            block = self.read(start, min(size, end - start))
            if not block:
                raise InvalidImage("it is cut: byte {} is missing, the file has {}".format(start, self.size))
            yield block
            start += len(block)
