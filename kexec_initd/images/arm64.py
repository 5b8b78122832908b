"""The arm64 kernel: as an Image, as an Image packed with gzip, or as an EFI program that unpacks one (zboot).

An Image (Documentation/arch/arm64/booting.rst) carries no checksum: a signed one is proved by the digest in its
signature, another by the size in its PE header. The size in its own header is that in memory, which is larger than the
file. Packed ones are proved by unpacking them: gzip and zstd have a checksum of their own. The header of zboot is that
of drivers/firmware/efi/libstub/zboot-header.S.
"""

import struct
from typing import Tuple

from kexec_initd.images import pe
from kexec_initd.images.architecture import ALL, ARM64, Architecture, require
from kexec_initd.images.banner import HEAD, Content, survey
from kexec_initd.images.decompress import MAGIC_SIZE, find_format, open_archive
from kexec_initd.images.kernel_info import KernelInfo
from kexec_initd.images.reader import ImageFile, InvalidImage

HEADER_SIZE = 64
BIG_ENDIAN = 1
# What the kernel's build calls the formats that have another name here, or options in their name.
COMPRESSIONS = {"xzkern": "xz", "lzo": "lzop", "zstd22": "zstd"}


def is_image(start: bytes) -> bool:
    """Tell whether a file that begins with `start` says that it is an arm64 Image."""
    return start[56:60] == b"ARM\x64"


def is_zboot(start: bytes) -> bool:
    """Tell whether a file that begins with `start` says that it is an EFI program with a packed kernel."""
    return start[:2] == b"MZ" and start[4:8] == b"zimg"


def check_image(image: ImageFile, start: bytes, machine: str) -> KernelInfo:
    """Return what the Image is; raise InvalidImage unless it is whole."""
    require(ARM64, machine)
    end = _check_header(start)
    proof = pe.prove(image, start, _pe_header(start))
    content = survey(image.blocks(0, end))
    return KernelInfo(content.release, ARM64.cmdline_size, end, proof)


def check_gzip(image: ImageFile, start: bytes, machine: str) -> KernelInfo:
    """Return what the Image in a gzip file is; raise InvalidImage unless that unpacks to its end and is one."""
    require(ARM64, machine)
    end, content = _unpack(image, 0, image.size)
    for block in image.blocks(end, image.size):
        if block.strip(b"\0"):
            raise InvalidImage("it is damaged: something follows the gzip archive that ends at byte {}".format(end))
    _check_content(content)
    return KernelInfo(content.release, ARM64.cmdline_size, image.size, "payload")


def check_zboot(image: ImageFile, start: bytes, machine: str) -> KernelInfo:
    """Return what the Image in an EFI program is; raise InvalidImage unless both are whole."""
    place = _pe_header(start)
    require(_require_architecture(pe.machine(start, place)), machine)
    pe.prove(image, start, place)
    offset, length = struct.unpack_from("<II", start, 8)
    end = offset + length
    if end > image.size:
        raise InvalidImage("it is cut: its payload ends at byte {}, the file has {}".format(end, image.size))
    _check_compression(image, offset, start[24:56].split(b"\0")[0].decode("latin-1"))
    found, content = _unpack(image, offset, end)
    if found != end:
        raise InvalidImage("it is damaged: its payload ends at byte {} of {}".format(found, end))
    _check_content(content)
    return KernelInfo(content.release, ARM64.cmdline_size, pe.sections_end(start, place), "payload")


def _require_architecture(number: int) -> Architecture:
    """Return the architecture that a PE header names."""
    for known in ALL:
        if number in known.pe:
            return known
    raise InvalidImage("it is an EFI program for machine {:#x}, whose kernels are not known here".format(number))


def _check_header(start: bytes) -> int:
    """Return where the Image that begins with `start` ends in its file; raise InvalidImage where it makes no sense."""
    if len(start) < HEADER_SIZE or not is_image(start):
        raise InvalidImage("it holds no arm64 kernel")
    memory, flags = struct.unpack_from("<QQ", start, 16)
    if flags & BIG_ENDIAN:
        raise InvalidImage("it is a big-endian kernel")
    end = pe.sections_end(start, _pe_header(start))
    if not HEAD <= end <= memory:
        raise InvalidImage("its headers contradict each other: {} bytes in the file, {} in memory".format(end, memory))
    return end


def _check_content(content: Content) -> None:
    """Raise InvalidImage unless what was unpacked is a whole Image."""
    end = _check_header(content.head)
    memory = struct.unpack_from("<Q", content.head, 16)[0]
    # zboot's Image is filled up with zero bytes to its size in memory.
    if not end <= content.size <= memory:
        raise InvalidImage("its payload unpacks to {} bytes instead of a kernel of {}".format(content.size, end))


def _check_compression(image: ImageFile, offset: int, name: str) -> None:
    """Raise InvalidImage unless the payload is in the format that the header names."""
    form = find_format(image.read(offset, MAGIC_SIZE))
    if form is None or form.name != COMPRESSIONS.get(name, name):
        raise InvalidImage("it cannot be proved: its payload at byte {} is not {!r}".format(offset, name))


def _unpack(image: ImageFile, start: int, end: int) -> Tuple[int, Content]:
    """Return where the archive at `start` ends, and what is in it."""
    archive = open_archive(image, start, end)
    if archive is None:
        raise InvalidImage("it cannot be proved: byte {} starts no compressed archive".format(start))
    content = survey(archive.blocks())
    return archive.end, content


def _pe_header(start: bytes) -> int:
    """Return the place of the PE header: without one nothing says how long the file has to be."""
    place = pe.find_header(start)
    if place is None:
        raise InvalidImage("it cannot be proved: without an EFI header nothing says how long it has to be")
    return place
