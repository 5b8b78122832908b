"""Is this an initrd that the kernel can unpack and start: whole, readable to its end, and with a program /init?

The kernel takes a row of cpio archives, each compressed in some way or not, with zero bytes between them
(Documentation/driver-api/early-userspace/buffer-format.rst). `kexec -l` loads cut files, text and random bytes just as
well, and the machine then panics: everything is unpacked here once, and kept only for who asks for it.
"""

from contextlib import closing
from typing import FrozenSet, NamedTuple, Optional, Sequence

from kexec_initd import sentences
from kexec_initd.images.cpio import CpioContents, Walker
from kexec_initd.images.decompress import MAGIC_SIZE, Archive, open_archive
from kexec_initd.images.reader import NO_PROGRAMS, ImageFile, InvalidImage, Programs
from kexec_initd.images.unpacked import Unpacked

LARGEST = 2 << 30
LARGEST_CONTENT = 4 << 30
TIMEOUT = 120.0


class Part(NamedTuple):
    """One of the files that an initrd was put together from: its name, and where it lies."""

    name: str
    start: int
    size: int


def check_initrd(
    fd: int,
    programs: Programs = NO_PROGRAMS,
    timeout: float = TIMEOUT,
    largest_content: int = LARGEST_CONTENT,
    parts: Sequence[Part] = (),
    keep: Optional[Unpacked] = None,
) -> FrozenSet[str]:
    """Raise InvalidImage unless `fd` is a complete initrd with a program /init; return whose modules it holds.

    These are the kernel releases that its directories lib/modules/RELEASE name, where a file is in them. Of an initrd
    that has `parts`, each must be complete, and one must hold the program; what is wrong is said with its name.
    It is read to its end within `timeout` seconds and may unpack to `largest_content` bytes; the descriptor's offset
    is not used. `programs` decompress what Python does not, see `decompress.find_programs`. `keep` gets all that is unpacked.
    """
    image = ImageFile(fd, LARGEST, timeout, programs)
    seen, left = CpioContents(), largest_content
    for part in parts or [Part("", 0, image.size)]:
        try:
            left -= _walk(image.part(part.start, part.size), seen, left, keep or Unpacked())
        except InvalidImage as error:
            raise InvalidImage(_after(part.name, error.message), error.hint)
    if not seen.has_init:
        names = ", ".join(part.name for part in parts)
        raise InvalidImage(_after(names, sentences.NO_INIT))
    return frozenset(seen.releases)


def _after(name: str, message: str) -> str:
    return "{}: {}".format(name, message) if name else message


def _walk(image: ImageFile, seen: CpioContents, limit: int, keep: Unpacked) -> int:
    """Walk over all archives of `image` and return how much was unpacked; raise InvalidImage beyond `limit` bytes."""
    content, offset, before = 0, 0, seen.entries
    while offset < image.size:
        offset = _walk_plain(image, Walker(seen, offset), offset, keep)
        if offset < image.size:
            archive = _open_archive(image, offset)
            content += _walk_archive(archive, Walker(seen), limit - content, keep)
            offset = archive.end
    if seen.entries == before:
        raise InvalidImage("it holds nothing")
    return content


def _walk_plain(image: ImageFile, walker: Walker, offset: int, keep: Unpacked) -> int:
    """Walk over uncompressed archives and padding from `offset`, and return where something else starts."""
    keep.begin(offset)
    for block in image.blocks(offset, image.size):
        walked = walker.feed(block)
        keep.write(block[:walked])
        offset += walked
        if walked < len(block):
            break
    walker.finish()
    keep.end(walker.has_early)
    return offset


def _open_archive(image: ImageFile, offset: int) -> Archive:
    """Return the compressed archive at `offset`; raise InvalidImage where there is none."""
    archive = open_archive(image, offset, image.size)
    if archive is None:
        start = image.read(offset, MAGIC_SIZE)
        raise InvalidImage("byte {} starts neither a cpio nor a compressed archive: {!r}".format(offset, start))
    return archive


def _walk_archive(archive: Archive, walker: Walker, limit: int, keep: Unpacked) -> int:
    """Walk over the content of a compressed archive and return its size; raise InvalidImage beyond `limit` bytes."""
    size = 0
    keep.begin_archive(archive.form)
    with closing(archive.blocks()) as blocks:
        for block in blocks:
            size += len(block)
            if size > limit:
                raise InvalidImage("it unpacks to more than {} bytes".format(limit))
            if walker.feed(block) < len(block):
                raise InvalidImage("the content of a compressed archive is no cpio archive")
            keep.write(block)
    walker.finish()
    keep.end(walker.has_early)
    return size
