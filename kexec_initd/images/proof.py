"""The ways to prove that an x86 kernel image is whole; `bzimage` says which applies to which kernel."""

import re
import struct
import zlib
from typing import Optional, Tuple

from kexec_initd.images.banner import survey
from kexec_initd.images.decompress import MAGIC_SIZE, Archive, find_format
from kexec_initd.images.pe import Signing
from kexec_initd.images.reader import ImageFile, InvalidImage


def numbers(release: str) -> Tuple[int, ...]:
    """Return the leading numbers of a release, as (6, 1, 0) for 6.1.0-50-amd64; at most 9 digits of each count."""
    match = re.match(r"[0-9]{1,9}(?:\.[0-9]{1,9})*", release)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


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


def check_payload(image: ImageFile, offset: int, length: int, size: int) -> None:
    """Raise InvalidImage unless the compressed kernel in the image unpacks to an ELF file of the size noted behind it.

    The few per cent around it, the code that unpacks it, stay unproved.
    """
    end = offset + length
    form = find_format(image.read(offset, MAGIC_SIZE))
    if form is None or length < 8 or end > size:
        raise InvalidImage("it cannot be proved: there is no payload at byte {} of {} bytes".format(offset, length))
    noted = struct.unpack("<I", image.read_exactly(end - 4, 4))[0]
    # gzip notes the size in its own last four bytes, for all other formats the kernel's build appends them.
    archive = Archive(image, form, offset, end if form.name == "gzip" else end - 4)
    content = survey(archive.blocks())
    if content.head[:4] != b"\x7fELF" or content.size != noted:
        raise InvalidImage("its payload unpacks to {} bytes instead of an ELF file of {}".format(content.size, noted))
