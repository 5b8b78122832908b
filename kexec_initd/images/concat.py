"""Several initrds as one: kexec takes a single file, and the kernel reads them from one anyway.

The buffer format (Documentation/driver-api/early-userspace/buffer-format.rst) lets archives follow one another, with
zero bytes between them, where uncompressed ones begin at a multiple of four bytes.
"""

import contextlib
from pathlib import Path
from typing import BinaryIO, Iterator, List, NamedTuple, Sequence, Tuple

from kexec_initd.errors import Refused
from kexec_initd.images.in_memory import open_anonymous, read_available, write_all
from kexec_initd.images.initrd import LARGEST, TIMEOUT, Part
from kexec_initd.images.reader import ImageFile, InvalidImage

# The file itself, kexec's buffer and the kernel's copy of that are in memory at the same time.
COPIES = 3
WORD = 4


class Joined(NamedTuple):
    """An anonymous file that holds all initrds, and where in it each of them lies."""

    fd: int
    parts: Tuple[Part, ...]


@contextlib.contextmanager
def as_one(root: Path, files: Sequence[Tuple[str, int]]) -> Iterator[Joined]:
    """Put the `files` (name and descriptor) together; the result is gone with the `with` or with this process.

    One file stays itself. The result is in memory. Raises Refused where there is no room for it, or a file cannot be read.
    """
    images = [_wrap(name, fd) for name, fd in files]
    if len(files) == 1:
        yield Joined(files[0][1], (Part(files[0][0], 0, images[0].size),))
        return
    _check_room(root, sum(image.size for image in images))
    with contextlib.closing(open_anonymous(root, "put the initrds together")) as file:
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
    available = read_available(root)
    if available is not None and available < COPIES * size:
        raise Refused("there is not enough memory to put together initrds of {} bytes".format(size))


def _append(file: BinaryIO, image: ImageFile) -> None:
    """Add a file, and zero bytes up to a multiple of four.

    A whole word of them at least: it ends an lz4 archive, which has no end mark of its own.
    """
    try:
        for block in image.blocks(0, image.size):
            write_all(file, block)
        write_all(file, bytes(-image.size % WORD + WORD))
    except OSError as error:
        raise Refused("cannot put the initrds together: {}".format(error.strerror))
