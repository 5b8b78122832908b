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


def banner(release: str) -> bytes:
    """Return the line that a kernel of `release` prints first."""
    return b"Linux version " + release.encode() + b" (builder@host.example) (gcc 12, GNU ld) #1 SMP\n\0"


def pe_header(head: bytearray, machine: int, sections: Iterable[Tuple[int, int]]) -> None:
    """Write a PE header with `sections` (offset, size) to the place where `sign` expects it."""
    parts = list(sections)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, PE_AT)
    head[PE_AT : PE_AT + 4] = b"PE\0\0"
    struct.pack_into("<HH12xH", head, PE_AT + 4, machine, len(parts), 160)
    struct.pack_into("<H", head, PE_AT + 24, PE32_PLUS)
    struct.pack_into("<I", head, directories_at(PE32_PLUS) - 4, 6)
    for number, (offset, size) in enumerate(parts):
        struct.pack_into("<II", head, PE_AT + 24 + 160 + 40 * number + 16, size, offset)


def arm64(release: str = "6.1.0-50-arm64", content: bytes = b"code" * 5000, efi: bool = True, flags: int = 10) -> bytes:
    """Return an arm64 Image, which needs 1 MiB more in memory."""
    body = content + banner(release)
    body += bytes(-len(body) % 512)
    head = bytearray(4096)
    struct.pack_into("<QQQ", head, 8, 0, len(head) + len(body) + (1 << 20), flags)
    head[56:60] = b"ARM\x64"
    if efi:
        pe_header(head, 0xAA64, [(4096, len(body) - 512), (4096 + len(body) - 512, 512)])
    return bytes(head) + body


def zboot(packed: bytes, compression: bytes = b"gzip", machine: int = 0xAA64) -> bytes:
    """Return an EFI program that unpacks `packed`; all formats but gzip need a size behind it."""
    body = packed + (b"" if compression == b"gzip" else b"size") + b"unpacking code" * 100
    body += bytes(-len(body) % 512)
    head = bytearray(4096)
    struct.pack_into("<4xII", head, 4, len(head), len(packed))
    head[4:8] = b"zimg"
    head[24 : 24 + len(compression)] = compression
    pe_header(head, machine, [(4096, len(body))])
    return bytes(head) + body


def elf(
    release: str = "6.1.0-50-powerpc64le",
    machine: int = 21,
    order: str = "<",
    bits: int = 64,
    kind: int = 2,
    content: bytes = b"code" * 5000,
) -> bytes:
    """Return an ELF kernel: one segment to load, and a table of sections at its end."""
    ident = b"\x7fELF" + bytes([bits // 32, "<>".index(order) + 1, 1]) + bytes(9)
    content += banner(release) + bytes(3000)
    wide = bits == 64
    header, program, section = (64, 56, 64) if wide else (52, 32, 40)
    end = header + program + len(content)
    word = "Q" if wide else "I"
    out = ident + struct.pack(
        order + "HHI3" + word + "IHHHHHH", kind, machine, 1, 0, header, end, 0, header, program, 1, section, 3, 0
    )
    at, size = header + program, len(content)
    fields = (1, 5, at, 0, 0, size, size + 9999, 16) if wide else (1, at, 0, 0, size, size + 9999, 5, 16)
    out += struct.pack(order + ("II6Q" if wide else "8I"), *fields) + content
    for kind_of_section, place, length in ((0, 0, 0), (1, at, size), (8, at + size, 1 << 30)):
        out += struct.pack(
            order + ("IIQQQQIIQQ" if wide else "10I"), 0, kind_of_section, 0, 0, place, length, 0, 0, 0, 0
        )
    return out


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
