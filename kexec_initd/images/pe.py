"""The PE header that makes a kernel an EFI program: how long the file must be, and what its signature vouches for.

Source: Microsoft's "PE Format" and "Windows Authenticode Portable Executable Signature Format". A signature is compared
with the file, not verified against a key: that is the loading kernel's business.
"""

import hashlib
import struct
from typing import NamedTuple, Optional

from kexec_initd import sentences
from kexec_initd.images.reader import ImageFile, InvalidImage

LARGEST_TABLE = 1 << 20

_CHECKSUM = 64
_DIRECTORIES = {0x10B: 96, 0x20B: 112}
_SECURITY = 4
_SECTION = 40


class Signing(NamedTuple):
    """The fields of a PE header that signing fills in: their places, and the certificate table they name."""

    checksum_at: int
    directory_at: int
    table_offset: int
    table_size: int


def find_header(start: bytes) -> Optional[int]:
    """Return where the PE header of an image that begins with `start` is, with at least 26 bytes; None without one."""
    if start[:2] != b"MZ" or len(start) < 64:
        return None
    (place,) = struct.unpack_from("<I", start, 0x3C)
    return place if start[place : place + 4] == b"PE\0\0" and place + 26 <= len(start) else None


def machine(start: bytes, place: int) -> int:
    """Return the machine type in the header at `place`."""
    return int(struct.unpack_from("<H", start, place + 4)[0])


def find_signing(start: bytes) -> Optional[Signing]:
    """Return where signing writes in an image that begins with `start`, or None for one without a PE header."""
    place = find_header(start)
    if place is None:
        return None
    optional = place + 24
    directories = _DIRECTORIES.get(struct.unpack_from("<H", start, optional)[0])
    if directories is None:
        return None
    entry = optional + directories + _SECURITY * 8
    if entry + 8 > len(start) or struct.unpack_from("<I", start, optional + directories - 4)[0] <= _SECURITY:
        return None
    table_offset, table_size = struct.unpack_from("<II", start, entry)
    return Signing(optional + _CHECKSUM, entry, table_offset, table_size)


def is_signed_content(image: ImageFile, start: bytes, signing: Signing) -> bool:
    """Tell whether the certificate table behind the image names the SHA-256 that the image has."""
    end = signing.table_offset + signing.table_size
    if not (len(start) <= signing.table_offset < end <= image.size and signing.table_size <= LARGEST_TABLE):
        return False
    digest = hashlib.sha256(start[: signing.checksum_at])
    digest.update(start[signing.checksum_at + 4 : signing.directory_at])
    digest.update(start[signing.directory_at + 8 :])
    for block in image.blocks(len(start), signing.table_offset):
        digest.update(block)
    return digest.digest() in image.read_exactly(signing.table_offset, signing.table_size)


def sections_end(start: bytes, place: int) -> int:
    """Return where the last section ends in the file, by the header at `place`; raise InvalidImage where it is cut."""
    count, optional_size = struct.unpack_from("<H12xH", start, place + 6)
    first = place + 24 + optional_size
    if not count or first + count * _SECTION > len(start):
        raise InvalidImage("its PE header has {} sections, which are not all there".format(count))
    raw = [struct.unpack_from("<II", start, first + number * _SECTION + 16) for number in range(count)]
    return max(int(offset + size) for size, offset in raw)


def prove(image: ImageFile, start: bytes, place: int) -> str:
    """Return what proves an EFI kernel without a checksum: its "signature", or its "size"; raise InvalidImage else."""
    end = sections_end(start, place)
    if end > image.size:
        raise InvalidImage(sentences.CUT.format(end, image.size))
    signing = find_signing(start)
    if signing is None or not signing.table_size:
        return "size"
    check_table(image, signing)
    if not is_signed_content(image, start, signing):
        raise InvalidImage("it is damaged: its signature is for other content")
    return "signature"


def check_table(image: ImageFile, signing: Signing) -> None:
    """Raise InvalidImage where the file ends before its certificate table does."""
    if signing.table_offset + signing.table_size > image.size:
        raise InvalidImage(sentences.SIGNATURE_CUT.format(image.size))
