"""How the kernel reads an initrd: unpack_to_rootfs of its init/initramfs.c, and find_cpio_data of its lib/earlycpio.c."""

import re
import stat
from typing import Dict, List, NamedTuple, Optional, Tuple

HEADER = re.compile(rb"07070[12][0-9A-Fa-f]{104}\Z")
# Where a compressed archive begins: what it unpacks to, and how long it is.
Archives = Dict[int, Tuple[bytes, int]]


class Entry(NamedTuple):
    """One entry of an archive, and where it lies in what holds it: `end` is aligned."""

    name: bytes
    mode: int
    content: bytes
    end: int


def read_entry(data: bytes, at: int) -> Optional[Entry]:
    """Return the entry at `at`; None where none is there whole."""
    if not HEADER.match(data[at : at + 110]):
        return None
    mode, size, length = (int(data[at + field : at + field + 8], 16) for field in (14, 54, 94))
    start = at + 110 + length
    start += -start % 4
    end = start + size + -(start + size) % 4
    name = data[at + 110 : at + 110 + length - 1]
    return Entry(name, mode, data[start : start + size], end) if start + size <= len(data) else None


def unpack(data: bytes, archives: Archives) -> List[Tuple[bytes, int, bytes]]:
    """Return all entries in the order in which the kernel makes files of them."""
    found: List[Tuple[bytes, int, bytes]] = []
    at = 0
    while at < len(data):
        if data[at] == ord("0") and at % 4 == 0:
            at = _read_archive(data, at, found)
        elif data[at] == 0:
            at += 1
        else:
            content, size = archives[at]
            inside = 0
            while inside < len(content):
                assert content[inside] == ord("0"), "junk within compressed archive"
                inside = _read_archive(content, inside, found)
            at += size
    return found


def _read_archive(data: bytes, at: int, found: List[Tuple[bytes, int, bytes]]) -> int:
    """Read up to a trailer, and the zero bytes behind it."""
    name = b""
    while name != b"TRAILER!!!":
        entry = read_entry(data, at)
        assert entry is not None, "no cpio magic"
        name, at = entry.name, entry.end
        found.append(entry[:3])
    while at < len(data) and data[at] == 0:
        at += 1
    assert at >= len(data) or at % 4 == 0, "broken padding"
    return at


def find_early(data: bytes, path: bytes) -> Optional[bytes]:
    """Return the content of the first file whose name begins with `path`, as it is looked for before anything is unpacked."""
    at = 0
    while len(data) - at > 110:
        if data[at] == 0:
            at += 4
            continue
        entry = read_entry(data, at)
        if entry is None:
            return None
        if stat.S_ISREG(entry.mode) and entry.name.startswith(path):
            return entry.content
        at = entry.end
    return None
