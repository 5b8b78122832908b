"""The firmware's part of a boot: which entry it has started, and whether a cold boot would start that one again.

See the UEFI specification 2.10, 3.1.1 and 3.3: BootCurrent is the entry that was started; of BootOrder the first one counts
that is active and can be started. One whose file is not there, a device without a file and the network are passed over,
as they were passed over before.
"""

import struct
from typing import List, NamedTuple, Optional

from kexec_initd.bootloader.efivars import read_global, read_string
from kexec_initd.bootloader.load_option import LoadOption, parse_load_option
from kexec_initd.bootloader.system_partition import find_path, find_points, find_program
from kexec_initd.errors import Refused
from kexec_initd.system.sysroot import Tree

USUAL = "/EFI/BOOT"  # the directory of what is started from a device without an entry of its own
MAX_ENTRIES = 300
# What lies beside loaders: tools and fonts of firmware vendors, and what fwupd and systemd keep there.
NO_LOADERS = (
    "boot",
    "dell",
    "hp",
    "lenovo",
    "asus",
    "msi",
    "tools",
    "fonts",
    "linux",
    "updatecapsule",
    "fw",
    "memtest86",
)


class Started(NamedTuple):
    """The entry that the firmware has started, as far as it is known, and why a cold boot would start another one."""

    entry: Optional[LoadOption]
    problem: Optional[str]


def find_started(tree: Tree) -> Started:
    """Return what the firmware has started, or would start where it does not say that."""
    current = _numbers(read_global(tree, "BootCurrent"))[:1]
    entry = _read_entry(tree, current[0]) if current else None
    named = (read_string(tree, "LoaderImageIdentifier") or "").replace("\\", "/")
    if named and (entry is None or (entry.file is None and not entry.network)):
        partition = (read_string(tree, "LoaderDevicePartUUID") or "").lower() or None
        entry = LoadOption(entry.title if entry else "", True, "/" + named.lstrip("/"), partition, False)
    for number in _numbers(read_global(tree, "BootOrder"))[:MAX_ENTRIES]:
        if [number] == current:
            break
        other = _read_entry(tree, number)
        if other is None or not other.starts or other.file is None:
            continue
        seen = find_program(tree, other.file, other.partition)
        if seen.looked and seen.path is None:
            continue
        if entry is None:
            return Started(other, None)
        if is_same(tree, other, entry, seen.path):
            break
        unseen = "" if seen.looked else ", unless its file is gone: the partition of that is not mounted"
        return Started(entry, "the firmware would start {} first{}".format(other, unseen))
    return Started(entry, None)


def _numbers(data: Optional[bytes]) -> List[int]:
    return [number for (number,) in struct.iter_unpack("<H", data[: len(data or b"") // 2 * 2])] if data else []


def _read_entry(tree: Tree, number: int) -> Optional[LoadOption]:
    """Return an entry; None for one that is not there, or that no firmware could start either."""
    data = read_global(tree, "Boot{:04X}".format(number))
    try:
        return None if data is None else parse_load_option(data)
    except ValueError:
        return None


def directory_of(entry: LoadOption) -> str:
    """Return the directory of an entry's program, in lower case."""
    return (entry.file or USUAL + "/").rpartition("/")[0].lower()


def is_same(tree: Tree, other: LoadOption, started: LoadOption, path: Optional[str]) -> bool:
    """Tell whether another entry, whose file is at `path`, leads to the same loader with the same configuration."""
    one, two = directory_of(other), directory_of(started)
    if one == two:
        return started.partition in (None, other.partition) or other.partition is None
    if USUAL.lower() not in (one, two) or path is None:
        return False
    vendors = {name.lower() for point in find_points(tree) for name in tree.names(point + "/EFI")} - set(NO_LOADERS)
    return len(vendors) == 1 or _is_copy(tree, path, started)


def _is_copy(tree: Tree, path: str, started: LoadOption) -> bool:
    """Tell whether the file at `path` is, byte for byte, the one that was started."""
    paths = [find_path(tree, point, started.file) for point in find_points(tree)] if started.file else []
    try:
        return any(found is not None and tree.read_bytes(found) == tree.read_bytes(path) for found in paths)
    except Refused:  # too large to compare
        return False
