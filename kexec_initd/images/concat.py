"""Several initrds as one: kexec takes a single file, and the kernel reads them from one anyway.

The buffer format (Documentation/driver-api/early-userspace/buffer-format.rst) lets archives follow one another, with
zero bytes between them, where uncompressed ones begin at a multiple of four bytes.
"""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import BinaryIO, Iterator, List, NamedTuple, Sequence, Tuple, cast

from kexec_initd.errors import Refused
from kexec_initd.images.initrd import LARGEST, TIMEOUT, Part
from kexec_initd.images.reader import ImageFile, InvalidImage
from kexec_initd.system.files import read_text
from kexec_initd.system.safe_path import below

# The file itself, kexec's buffer and the kernel's copy of that are in memory at the same time.
COPIES = 3
WORD = 4
TMPFS = ("dev/shm", "run", "dev")


class Joined(NamedTuple):
    """An anonymous file that holds all initrds, and where in it each of them lies."""

    fd: int
    parts: Tuple[Part, ...]


@contextlib.contextmanager
def as_one(root: Path, files: Sequence[Tuple[str, int]]) -> Iterator[Joined]:
    """Put the `files` (name and descriptor) together; the result is gone with the `with` or with this process.

    One file stays itself. The result is in memory: where the kernel or Python has no memfd_create(2), it is a file without
    a name in a tmpfs below `root`. Raises Refused where there is no room for it, or a file cannot be read.
    """
    images = [_wrap(name, fd) for name, fd in files]
    if len(files) == 1:
        yield Joined(files[0][1], (Part(files[0][0], 0, images[0].size),))
        return
    _check_room(root, sum(image.size for image in images))
    with contextlib.closing(_open_anonymous(root)) as file:
        parts: List[Part] = []
        for (name, _), image in zip(files, images):
            parts.append(Part(name, file.tell(), image.size))
            _append(file, image)
        yield Joined(file.fileno(), tuple(parts))


def _wrap(name: str, fd: int) -> ImageFile:
    try:
        return ImageFile(fd, LARGEST, TIMEOUT)
    except InvalidImage as error:
        raise InvalidImage("{}: {}".format(name, error.message))


def _check_room(root: Path, size: int) -> None:
    """Raise Refused where `size` bytes are too many, for us or for the memory that is left."""
    if size > LARGEST:
        raise Refused("the initrds have {} bytes together, but up to {} are sensible".format(size, LARGEST))
    for line in (read_text(below(root, "proc/meminfo")) or "").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable" and value.strip().endswith(" kB") and int(value.split()[0]) << 10 < COPIES * size:
            raise Refused("there is not enough memory to put together initrds of {} bytes".format(size))


def _open_anonymous(root: Path) -> BinaryIO:
    """Open a file without a name that only we can use."""
    memfd_create = getattr(os, "memfd_create", None)  # from Python 3.8 on
    if memfd_create is not None:
        with contextlib.suppress(OSError):
            fd = memfd_create("kexec-initd")
            os.fchmod(fd, 0o600)
            return cast(BinaryIO, os.fdopen(fd, "r+b", buffering=0))
    directory = next((root / name for name in TMPFS if (root / name).is_dir()), root / TMPFS[0])
    try:
        return cast(BinaryIO, tempfile.TemporaryFile(dir=str(directory), buffering=0))
    except OSError as error:
        raise Refused("cannot put the initrds together in {}: {}".format(directory, error.strerror))


def _append(file: BinaryIO, image: ImageFile) -> None:
    """Add a file, and zero bytes up to a multiple of four.

    A whole word of them at least: it ends an lz4 archive, which has no end mark of its own.
    """
    try:
        for block in image.blocks(0, image.size):
            _write(file, block)
        _write(file, bytes(-image.size % WORD + WORD))
    except OSError as error:
        raise Refused("cannot put the initrds together: {}".format(error.strerror))


def _write(file: BinaryIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
