"""The x86 kernel as a bzImage: Documentation/arch/x86/boot.rst. Its proofs, in the order in which they are tried:

- the CRC-32 that kernels from 2.6.26 to 6.14 carry: it is 0xffffffff over the whole image, with those PE fields as zero
  that signing fills in;
- the SHA-256 in the signature of a signed kernel;
- from 6.15 on, unsigned: the payload, which unpacks to as many bytes as it says.

A kernel older than the CRC is accepted by its size alone.
"""

import re
import struct
from typing import NamedTuple, Tuple

from kexec_initd import sentences
from kexec_initd.images import pe, proof
from kexec_initd.images.architecture import X86, require
from kexec_initd.images.kernel_info import KernelInfo
from kexec_initd.images.reader import ImageFile, InvalidImage

SECTOR = 512
HEADER_END = 0x268

WITH_SIZE = 0x0204
WITH_CMDLINE_SIZE = 0x0206
WITH_CRC = 0x0208
FIRST_WITHOUT_CRC = (6, 15)
LAST_BEFORE_CRC = (2, 6, 30)


class _Header(NamedTuple):
    size: int
    protocol: int
    release: str
    cmdline_size: int
    payload: Tuple[int, int]


def is_bzimage(start: bytes) -> bool:
    """Tell whether a file that begins with `start` says that it is an x86 kernel with a setup header."""
    return len(start) >= HEADER_END and start[0x202:0x206] == b"HdrS" and start[0x1FE:0x200] == b"\x55\xaa"


def check_bzimage(image: ImageFile, start: bytes, machine: str) -> KernelInfo:
    """Return what the x86 kernel `image`, which begins with `start`, is; raise InvalidImage unless it is whole."""
    require(X86, machine)
    setup = image.read_exactly(0, ((start[0x1F1] or 4) + 1) * SECTOR)
    header = _parse_header(setup)
    if header.size > image.size:
        message = sentences.CUT
        raise InvalidImage(message.format(header.size, image.size))
    return KernelInfo(header.release, header.cmdline_size, header.size, _prove(image, setup, header))


def _parse_header(setup: bytes) -> _Header:
    """Return the header in the setup sectors `setup`; raise InvalidImage where it makes no sense."""
    (system_size,) = struct.unpack_from("<I", setup, 0x1F4)
    protocol, version_at = struct.unpack_from("<H6xH", setup, 0x206)
    if not WITH_SIZE <= protocol <= 0x02FF:
        raise InvalidImage(sentences.ODD_PROTOCOL.format(protocol))
    if not setup[0x211] & 1:
        raise InvalidImage(sentences.ZIMAGE)
    release = _release(setup, version_at)
    if protocol < WITH_CRC and proof.numbers(release) >= LAST_BEFORE_CRC:
        raise InvalidImage(sentences.WRONG_PROTOCOL.format(release, protocol))
    (cmdline_size,) = struct.unpack_from("<I", setup, 0x238) if protocol >= WITH_CMDLINE_SIZE else (255,)
    payload = struct.unpack_from("<II", setup, 0x248) if protocol >= WITH_CRC else (0, 0)
    return _Header(
        size=len(setup) + system_size * 16,
        protocol=protocol,
        release=release,
        cmdline_size=cmdline_size,
        payload=(len(setup) + payload[0], payload[1]),
    )


def _release(setup: bytes, version_at: int) -> str:
    """Return the release from the version string at `version_at` + 0x200."""
    text = setup[version_at + 0x200 :].split(b"\0", 1)[0] if version_at else b""
    match = re.match(rb"[0-9]{1,9}\.[0-9][!-~]{0,60}(?= |\Z)", text)
    if match is None:
        raise InvalidImage("its header has no version string at {:#x}".format(version_at + 0x200))
    return match.group().decode("ascii")


def _prove(image: ImageFile, setup: bytes, header: _Header) -> str:
    """Return what proves that the image is whole; raise InvalidImage when nothing does."""
    if header.protocol < WITH_CRC:
        return "size"
    signing = pe.find_signing(setup)
    if signing is not None:
        pe.check_table(image, signing)
    crc = proof.crc(image, setup, signing, header.size)
    if crc == 0xFFFFFFFF:
        return "crc"
    if signing is not None and pe.is_signed_content(image, setup, signing):
        return "signature"
    if proof.numbers(header.release) < FIRST_WITHOUT_CRC:
        raise InvalidImage(sentences.DAMAGED.format("{:#010x}".format(crc)))
    if signing is not None and signing.table_size:
        raise InvalidImage("it is damaged: its signature is for other content")
    proof.check_payload(image, header.payload[0], header.payload[1], header.size)
    return "payload"
