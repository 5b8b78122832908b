"""Where a zstd, lz4 or lzop archive ends, by its frame headers alone, and what the kernel's own readers ask of it.

The programs read to the end of their input and fail on the zero bytes or the second archive that may follow in an
initrd. Sources: RFC 8878 (zstd), lz4's legacy frame format, lib/decompress_unlz4.c, _unlzo.c and _unxz.c.
"""

import struct

from kexec_initd.images.reader import ImageFile, InvalidImage

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
LZ4_MAGIC = b"\x02\x21\x4c\x18"
LZOP_MAGIC = b"\x89LZO\0\r\n\x1a\n"

LZ4_BLOCK = 8 << 20
LZOP_BLOCK = 256 << 10


def zstd_end(image: ImageFile, start: int, limit: int) -> int:
    """Return the offset behind the zstd frame at `start`; raise InvalidImage where it does not end by `limit`."""
    descriptor = image.read_exactly(start + 4, 1)[0]
    single, checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
    content_size = (single, 2, 4, 8)[descriptor >> 6]
    offset = start + 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3] + content_size
    last = 0
    while not last:
        block = int.from_bytes(image.read_exactly(offset, 3), "little")
        last, kind = block & 1, block >> 1 & 3
        if kind == 3:
            raise InvalidImage("the zstd archive at byte {} is damaged: bad block at byte {}".format(start, offset))
        offset += 3 + (1 if kind == 1 else block >> 3)
    return _within("zstd", start, offset + 4 * checksum, limit)


def lz4_end(image: ImageFile, start: int, limit: int) -> int:
    """Return the offset behind the legacy lz4 archive at `start`: `limit`, or the zero bytes that pad it."""
    offset = start + len(LZ4_MAGIC)
    while limit - offset >= 4:
        head = image.read_exactly(offset, 4)
        size = int.from_bytes(head, "little")
        if size == 0:
            return offset
        if head != LZ4_MAGIC and size > LZ4_BLOCK + LZ4_BLOCK // 255 + 16:
            raise InvalidImage("the lz4 archive at byte {} is damaged: bad block at byte {}".format(start, offset))
        offset += 4 + (0 if head == LZ4_MAGIC else size)
    _within("lz4", start, offset, limit)
    if image.read(offset, limit - offset).strip(b"\0"):
        raise InvalidImage("the lz4 archive at byte {} is damaged: bytes are left at its end".format(start))
    return offset


def lzop_end(image: ImageFile, start: int, limit: int) -> int:
    """Return the offset behind the lzop archive at `start`. Raises InvalidImage for one that the kernel cannot read."""
    offset = _lzop_blocks(image, start)
    while True:
        size = struct.unpack(">I", image.read_exactly(offset, 4))[0]
        if size == 0:
            return _within("lzop", start, offset + 4, limit)
        packed = struct.unpack(">I", image.read_exactly(offset + 4, 4))[0]
        if not 0 < packed <= size <= LZOP_BLOCK:
            raise InvalidImage("the lzop archive at byte {} is damaged: bad block at byte {}".format(start, offset))
        offset += 12 + packed


def _lzop_blocks(image: ImageFile, start: int) -> int:
    """Return where the blocks of the lzop archive at `start` begin."""
    offset = start + len(LZOP_MAGIC)
    version = struct.unpack(">H", image.read_exactly(offset, 2))[0]
    late = version >= 0x0940
    offset += 8 if late else 5
    flags = struct.unpack(">I", image.read_exactly(offset, 4))[0]
    # The kernel's reader skips one checksum of four bytes per block, whatever the flags say.
    if bin(flags & 0x101).count("1") != 1 or flags & 0x202:
        raise InvalidImage("the lzop archive at byte {} has checksums that the kernel cannot read".format(start))
    offset += (8 if flags & 0x800 else 4) + (12 if late else 8)
    return offset + 1 + image.read_exactly(offset, 1)[0] + 4


def check_xz(image: ImageFile, start: int) -> None:
    """Raise InvalidImage for an xz archive with a check other than none or CRC32, which the kernel does not read."""
    kind = image.read_exactly(start + 7, 1)[0]
    if kind > 1:
        raise InvalidImage(
            "the xz archive at byte {} has check type {}, which the kernel cannot read".format(start, kind),
            "compress it with xz --check=crc32",
        )


def _within(name: str, start: int, end: int, limit: int) -> int:
    if end > limit:
        raise InvalidImage("the {} archive at byte {} is cut: {} bytes are missing".format(name, start, end - limit))
    return end
