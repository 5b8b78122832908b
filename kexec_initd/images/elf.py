"""The kernel as an ELF file (vmlinux), as ppc64le boots it and others may: elf(5).

It carries no checksum. A cut copy is found by its tables: the sections' lies behind everything else.
"""

import struct
from typing import List, NamedTuple, Tuple

from kexec_initd.images.architecture import ALL, require
from kexec_initd.images.banner import survey
from kexec_initd.images.kernel_info import KernelInfo
from kexec_initd.images.reader import ImageFile, InvalidImage

KINDS = (2, 3)  # ET_EXEC, ET_DYN
LOAD = 1
NOBITS = 8
MOST_ENTRIES = 4096


class _Layout(NamedTuple):
    """Where the fields are, for one class and byte order."""

    header: str
    program: str
    section: str


class _Tables(NamedTuple):
    """The two tables of an ELF file: offset, size of an entry, number of entries."""

    programs: Tuple[int, int, int]
    sections: Tuple[int, int, int]


# Of the header: e_type, e_machine, e_phoff, e_shoff, then the sizes and numbers; of a program header: p_type, p_offset,
# p_filesz; of a section header: sh_type, sh_offset, sh_size.
_CLASSES = {
    1: _Layout("16xHH8xII6xHHHH", "II8xI", "4xI8xII"),
    2: _Layout("16xHH12xQQ6xHHHH", "I4xQ16xQ", "4xI16xQQ"),
}
_ORDERS = {1: "<", 2: ">"}


def check_elf(image: ImageFile, start: bytes, machine: str) -> KernelInfo:
    """Return what the ELF kernel `image`, which begins with `start`, is; raise InvalidImage unless it is whole."""
    layout = _require_layout(start)
    if len(start) < struct.calcsize(layout.header):
        raise InvalidImage("it is cut: the file has {} bytes".format(image.size))
    kind, number, *rest = struct.unpack_from(layout.header, start)
    found = next((known for known in ALL if (start[5], number) in known.elf), None)
    if found is None:
        raise InvalidImage("it is an ELF file for machine {}, whose kernels are not known here".format(number))
    require(found, machine)
    tables = _Tables((rest[0], rest[2], rest[3]), (rest[1], rest[4], rest[5]))
    if kind not in KINDS or not tables.programs[2]:
        raise InvalidImage("it is an ELF file, but not one that can be started")
    loads = [part for part in _read(image, layout.program, tables.programs) if part[0] == LOAD and part[2]]
    others = [part for part in _read(image, layout.section, tables.sections) if part[0] != NOBITS]
    if not loads:
        raise InvalidImage("it is an ELF file, but nothing in it is to be loaded")
    end = max(offset + size for _, offset, size in loads + others)
    if end > image.size:
        raise InvalidImage("it is cut: its headers say {} bytes, but the file has {}".format(end, image.size))
    return KernelInfo(survey(image.blocks(0, image.size)).release, found.cmdline_size, image.size, "size")


def _require_layout(start: bytes) -> _Layout:
    """Return the layout that the first bytes name, with its byte order."""
    layout, order = _CLASSES.get(start[4] if len(start) > 5 else 0), _ORDERS.get(start[5] if len(start) > 5 else 0)
    if layout is None or order is None:
        raise InvalidImage("it is an ELF file with a damaged header")
    return _Layout(*(order + fields for fields in layout))


def _read(image: ImageFile, fields: str, table: Tuple[int, int, int]) -> List[Tuple[int, int, int]]:
    """Return the fields of all entries of a table; raise InvalidImage where it is not there."""
    offset, size, count = table
    if not offset or not count:
        return []
    if size < struct.calcsize(fields) or count > MOST_ENTRIES:
        raise InvalidImage("it is an ELF file with a damaged header")
    if offset + size * count > image.size:
        message = "it is cut: its headers say {} bytes, but the file has {}"
        raise InvalidImage(message.format(offset + size * count, image.size))
    data = image.read_exactly(offset, size * count)
    entries = (struct.unpack_from(fields, data, size * number) for number in range(count))
    return [(kind, place, length) for kind, place, length in entries]
