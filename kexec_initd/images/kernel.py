"""Is this file a kernel that is whole, and which one?

`kexec -l` takes cut and corrupted kernels without a word, so each is proved before it is loaded. The layout of an x86
bzImage is that of Documentation/arch/x86/boot.rst. The proofs, in the order in which they are tried:

- the CRC-32 that kernels from 2.6.26 to 6.14 carry: it is 0xffffffff over the whole image, with those PE fields as zero
  that signing fills in;
- the SHA-256 in the signature of a signed kernel (Microsoft's "Windows Authenticode Portable Executable Signature
  Format"); it is compared with the file, not verified against a key: that is the loading kernel's business;
- from 6.15 on, unsigned: the payload, which unpacks to as many bytes as it says.

A kernel older than the CRC is accepted by its size alone.
"""

import re
import struct
from pathlib import Path
from typing import NamedTuple, Tuple

from kexec_initd.images import proof
from kexec_initd.images.image_file import ImageFile, InvalidImage

__all__ = ["InvalidImage", "KernelInfo", "check_kernel"]

LARGEST = 512 << 20
TIMEOUT = 60.0
SECTOR = 512
HEADER_END = 0x268

WITH_SIZE = 0x0204
WITH_CMDLINE_SIZE = 0x0206
WITH_CRC = 0x0208
FIRST_WITHOUT_CRC = (6, 15)
LAST_BEFORE_CRC = (2, 6, 30)


class KernelInfo(NamedTuple):
    """What a kernel says about itself, and how it was proved."""

    version: str
    """The release, as `uname -r` prints it."""
    cmdline_size: int
    """The longest command line it takes, in bytes."""
    size: int
    """Bytes of the image, without a signature behind it."""
    proof: str
    """How it was found to be whole: "crc", "signature", "payload" or "size"."""


class _Header(NamedTuple):
    setup_size: int
    size: int
    protocol: int
    release: str
    cmdline_size: int
    payload: Tuple[int, int]


def check_kernel(fd: int, root: Path = Path("/"), timeout: float = TIMEOUT) -> KernelInfo:
    """Return what the x86 kernel in `fd` is; raise InvalidImage for anything but a whole one.

    It is read within `timeout` seconds; the descriptor's offset is not used. A decompression program that Python does
    not bring is looked for below `root`; only an unsigned kernel from 6.15 on may need one.
    """
    image = ImageFile(fd, LARGEST, timeout)
    start = image.read(0, HEADER_END)
    _check_magic(start)
    setup = image.read_exactly(0, ((start[0x1F1] or 4) + 1) * SECTOR)
    header = _parse_header(setup)
    if header.size > image.size:
        message = "it is cut: its header says {} bytes, but the file has {}"
        raise InvalidImage(message.format(header.size, image.size))
    return KernelInfo(header.release, header.cmdline_size, header.size, _prove(image, setup, header, root))


def _check_magic(start: bytes) -> None:
    """Raise InvalidImage unless `start` is that of a bzImage."""
    if len(start) == HEADER_END and start[0x202:0x206] == b"HdrS" and start[0x1FE:0x200] == b"\x55\xaa":
        return
    for offset, magic, what in (
        (0x38, b"ARM\x64", "an arm64 kernel"),
        (0x38, b"RISC", "a RISC-V kernel"),
        (4, b"zimg", "a compressed EFI kernel"),
        (0, b"\x7fELF", "an ELF file"),
        (0, b"\x1f\x8b", "a gzip file"),
    ):
        if start[offset : offset + len(magic)] == magic:
            raise InvalidImage("{}; only x86 kernels (bzImage) are supported so far".format(what))
    raise InvalidImage("not an x86 kernel: it has no bzImage header")


def _parse_header(setup: bytes) -> _Header:
    """Return the header in the setup sectors `setup`; raise InvalidImage where it makes no sense."""
    (system_size,) = struct.unpack_from("<I", setup, 0x1F4)
    protocol, version_at = struct.unpack_from("<H6xH", setup, 0x206)
    if not WITH_SIZE <= protocol <= 0x02FF:
        raise InvalidImage("boot protocol {:#06x} is not one whose size can be checked".format(protocol))
    if not setup[0x211] & 1:
        raise InvalidImage("it is a zImage, which kexec cannot load")
    release = _release(setup, version_at)
    if protocol < WITH_CRC and proof.numbers(release) >= LAST_BEFORE_CRC:
        raise InvalidImage("Linux {} cannot have boot protocol {:#06x}".format(release, protocol))
    (cmdline_size,) = struct.unpack_from("<I", setup, 0x238) if protocol >= WITH_CMDLINE_SIZE else (255,)
    payload = struct.unpack_from("<II", setup, 0x248) if protocol >= WITH_CRC else (0, 0)
    return _Header(
        setup_size=len(setup),
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


def _prove(image: ImageFile, setup: bytes, header: _Header, root: Path) -> str:
    """Return what proves that the image is whole; raise InvalidImage when nothing does."""
    if header.protocol < WITH_CRC:
        return "size"
    signing = proof.find_signing(setup)
    if signing is not None and signing.table_offset + signing.table_size > image.size:
        raise InvalidImage("it is cut: its signature is not there, the file has {} bytes".format(image.size))
    crc = proof.crc(image, setup, signing, header.size)
    if crc == 0xFFFFFFFF:
        return "crc"
    if signing is not None and proof.is_signed_content(image, setup, signing):
        return "signature"
    if proof.numbers(header.release) < FIRST_WITHOUT_CRC:
        raise InvalidImage("it is damaged: its CRC-32 is {:#010x}, not 0xffffffff".format(crc))
    if signing is not None and signing.table_size:
        raise InvalidImage("it is damaged: its signature is for another content")
    proof.check_payload(image, header.payload[0], header.payload[1], header.size, root)
    return "payload"
