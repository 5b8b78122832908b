"""Small kernels and initrds that are right in every field, made here, so that tests need no real ones."""

import hashlib
import io
import struct
import zlib
from typing import Iterable, Optional, Tuple

SETUP_SECTORS = 4
SETUP_SIZE = (SETUP_SECTORS + 1) * 512
PE_AT = 0x40
CHECKSUM_AT = PE_AT + 24 + 64
PE32 = 0x10B
PE32_PLUS = 0x20B


def bzimage(
    release: str = "6.1.0-50-amd64",
    protocol: int = 0x020F,
    payload: bytes = b"\x7fELF and no more",
    crc: bool = True,
    magic: Optional[int] = PE32_PLUS,
    setup_sectors: int = SETUP_SECTORS,
) -> bytes:
    """Return an x86 bzImage; `magic` is that of the PE optional header, None leaves the PE header out."""
    setup = bytearray(SETUP_SIZE)
    system = payload + bytes(-len(payload) % 16) + bytes(16)
    setup[0x1F1] = setup_sectors
    struct.pack_into("<I", setup, 0x1F4, len(system) // 16)
    setup[0x1FE:0x200] = b"\x55\xaa"
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", setup, 0x206, protocol)
    struct.pack_into("<H", setup, 0x20E, 0x300)
    setup[0x211] = 1
    struct.pack_into("<III", setup, 0x238, 2047, 0, 0)
    struct.pack_into("<II", setup, 0x248, 0, len(payload))
    text = release.encode() + b" (builder@host) #1 SMP\0"
    setup[0x500 : 0x500 + len(text)] = text
    if magic is not None:
        setup[:2] = b"MZ"
        struct.pack_into("<I", setup, 0x3C, PE_AT)
        setup[PE_AT : PE_AT + 4] = b"PE\0\0"
        struct.pack_into("<H", setup, PE_AT + 24, magic)
        struct.pack_into("<I", setup, directories_at(magic) - 4, 6)
    body = bytes(setup) + system
    return body[:-4] + struct.pack("<I", zlib.crc32(body[:-4]) ^ 0xFFFFFFFF) if crc else body


def directories_at(magic: int) -> int:
    """Return where the PE data directories begin."""
    return PE_AT + 24 + (112 if magic == PE32_PLUS else 96)


def sign(image: bytes, magic: int = PE32_PLUS) -> bytes:
    """Return `image` as a signing program leaves it: a checksum, and a certificate table that holds the digest."""
    entry = directories_at(magic) + 32
    image += bytes(-len(image) % 8)
    digest = hashlib.sha256(image[:CHECKSUM_AT] + image[CHECKSUM_AT + 4 : entry] + image[entry + 8 :]).digest()
    table = b"\x30\x82certificate" + digest + b"\x04\x05rest of it"
    signed = bytearray(image + table)
    struct.pack_into("<I", signed, CHECKSUM_AT, 0x12345678)
    struct.pack_into("<II", signed, entry, len(image), len(table))
    return bytes(signed)


def payload(compressed: bytes, unpacked_size: int) -> bytes:
    """Return a compressed kernel with its size behind it, as the kernel's build appends it."""
    return compressed + struct.pack("<I", unpacked_size)


def cpio(
    files: Iterable[Tuple[str, int, bytes]] = (("init", 0o100755, b"#!/bin/sh\n"),),
    trailer: bool = True,
    magic: bytes = b"070701",
) -> bytes:
    """Return a cpio archive of (name, mode, content)."""
    out = io.BytesIO()
    for name, mode, content in [*files, *([("TRAILER!!!", 0, b"")] if trailer else [])]:
        encoded = name.encode() + b"\0"
        fields = (1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        out.write(magic + b"".join(b"%08X" % field for field in fields) + encoded)
        out.write(bytes(-out.tell() % 4))
        out.write(content)
        out.write(bytes(-out.tell() % 4))
    return out.getvalue()


def microcode() -> bytes:
    """Return an archive as `iucode_tool` makes it for the start of an initrd."""
    return cpio([("kernel", 0o40755, b""), ("kernel/x86/microcode/GenuineIntel.bin", 0o100644, b"\1" * 4099)])


def zstd_raw(content: bytes, block: int = 100000, checksum: bytes = b"") -> bytes:
    """Return `content` as a zstd frame of uncompressed blocks (RFC 8878); a checksum, if any, has four bytes."""
    parts = [content[at : at + block] for at in range(0, len(content), block)] or [b""]
    frame = b"\x28\xb5\x2f\xfd" + (b"\xa4" if checksum else b"\xa0") + struct.pack("<I", len(content))
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        frame += struct.pack("<I", len(part) << 3 | last)[:3] + part
    return frame + checksum


def lz4_raw(content: bytes) -> bytes:
    """Return `content` as a legacy lz4 archive of one block that is all literals."""
    rest = len(content) - 15
    assert rest >= 0
    block = b"\xf0" + b"\xff" * (rest // 255) + bytes([rest % 255]) + content
    return b"\x02\x21\x4c\x18" + struct.pack("<I", len(block)) + block


def lzop_raw(content: bytes, flags: int = 1) -> bytes:
    """Return `content` as an lzop archive of stored blocks, each with one Adler-32."""
    header = struct.pack(">HHHBBIIIIB", 0x1040, 0x2080, 0x0940, 1, 5, flags, 0o100644, 0, 0, 0)
    archive = b"\x89LZO\0\r\n\x1a\n" + header + struct.pack(">I", zlib.adler32(header))
    for at in range(0, len(content), 256 << 10):
        part = content[at : at + (256 << 10)]
        archive += struct.pack(">III", len(part), len(part), zlib.adler32(part)) + part
    return archive + bytes(4)
