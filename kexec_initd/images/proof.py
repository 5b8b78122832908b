"""The ways to prove that an x86 kernel image is whole; `kernel` says which applies to which kernel."""

import hashlib
import re
import struct
import zlib
from pathlib import Path
from typing import NamedTuple, Optional, Tuple

from kexec_initd.images.decompress import MAGIC_SIZE, Archive, find_format
from kexec_initd.images.image_file import ImageFile, InvalidImage

LARGEST_TABLE = 1 << 20
LARGEST_CONTENT = 1 << 30

_CHECKSUM = 64
_DIRECTORIES = {0x10B: 96, 0x20B: 112}
_SECURITY = 4


class Signing(NamedTuple):
    """The fields of a PE header that signing fills in: their places, and the certificate table they name."""

    checksum_at: int
    directory_at: int
    table_offset: int
    table_size: int


def numbers(release: str) -> Tuple[int, ...]:
    """Return the leading numbers of a release, as (6, 1, 0) for 6.1.0-50-amd64; at most 9 digits of each count."""
    match = re.match(r"[0-9]{1,9}(?:\.[0-9]{1,9})*", release)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def find_signing(setup: bytes) -> Optional[Signing]:
    """Return where signing writes in an image that begins with `setup`, or None for one without a PE header."""
    if setup[:2] != b"MZ":
        return None
    (pe_at,) = struct.unpack_from("<I", setup, 0x3C)
    optional = pe_at + 24
    if setup[pe_at : pe_at + 4] != b"PE\0\0" or optional + 2 > len(setup):
        return None
    directories = _DIRECTORIES.get(struct.unpack_from("<H", setup, optional)[0])
    if directories is None:
        return None
    entry = optional + directories + _SECURITY * 8
    if entry + 8 > len(setup) or struct.unpack_from("<I", setup, optional + directories - 4)[0] <= _SECURITY:
        return None
    table_offset, table_size = struct.unpack_from("<II", setup, entry)
    return Signing(optional + _CHECKSUM, entry, table_offset, table_size)


def crc(image: ImageFile, setup: bytes, signing: Optional[Signing], size: int) -> int:
    """Return the CRC-32 of the first `size` bytes, as they were before the image was signed."""
    unsigned = bytearray(setup)
    if signing is not None:
        unsigned[signing.checksum_at : signing.checksum_at + 4] = bytes(4)
        unsigned[signing.directory_at : signing.directory_at + 8] = bytes(8)
    value = zlib.crc32(unsigned)
    for block in image.blocks(len(setup), size):
        value = zlib.crc32(block, value)
    return value


def is_signed_content(image: ImageFile, setup: bytes, signing: Signing) -> bool:
    """Tell whether the certificate table behind the image names the SHA-256 that the image has."""
    end = signing.table_offset + signing.table_size
    if not (len(setup) <= signing.table_offset < end <= image.size and signing.table_size <= LARGEST_TABLE):
        return False
    digest = hashlib.sha256(setup[: signing.checksum_at])
    digest.update(setup[signing.checksum_at + 4 : signing.directory_at])
    digest.update(setup[signing.directory_at + 8 :])
    for block in image.blocks(len(setup), signing.table_offset):
        digest.update(block)
    return digest.digest() in image.read_exactly(signing.table_offset, signing.table_size)


def check_payload(image: ImageFile, offset: int, length: int, size: int, root: Path) -> None:
    """Raise InvalidImage unless the compressed kernel in the image unpacks to an ELF file of the size noted behind it.

    The few per cent around it, the code that unpacks it, stay unproved.
    """
    end = offset + length
    form = find_format(image.read(offset, MAGIC_SIZE))
    if form is None or length < 8 or end > size:
        raise InvalidImage("it cannot be proved: there is no payload at byte {} of {} bytes".format(offset, length))
    noted = struct.unpack("<I", image.read_exactly(end - 4, 4))[0]
    # gzip notes the size in its own last four bytes, for all other formats the kernel's build appends them.
    archive = Archive(image, form, offset, end if form.name == "gzip" else end - 4, root)
    unpacked, start = 0, b""
    for block in archive.blocks():
        start = start or block[:4]
        unpacked += len(block)
        if unpacked > LARGEST_CONTENT:
            raise InvalidImage("its payload unpacks to more than {} bytes".format(LARGEST_CONTENT))
    if start != b"\x7fELF" or unpacked != noted:
        raise InvalidImage("its payload unpacks to {} bytes instead of an ELF file of {}".format(unpacked, noted))
