"""Disks and partitions by Linux' names, GRUB's names for them in device.map, and what of them is encrypted.

GRUB numbers disks in the order of the firmware, which only device.map, if anything, tells on a running host.
"""

import re
from typing import Dict, FrozenSet, NamedTuple, Optional, Set

from kexec_initd.system.sysroot import Tree

MAPS = ("/boot/grub/device.map", "/boot/grub2/device.map")
JOINED = ("/dev/mapper/", "/dev/dm-", "/dev/md")
DEPTH = 8
_LETTERS = re.compile(r"/dev/((?:[hsv]d|xvd)[a-z]+)(\d*)\Z")
_NUMBERS = r"/dev/(nvme\d+n\d+|mmcblk\d+|loop\d+)(?:p(\d+))?\Z"
_MAP = re.compile(r"^\s*\((hd\d{1,4})\)\s+(/\S+)\s*$", re.MULTILINE)
_LUKS = r"(?:dm-uuid-)?CRYPT-LUKS\d-([0-9a-f]{32})-"
_CRYPTTAB = r"(?m)^\s*([^\s#]\S*)\s+UUID=\"?([0-9A-Fa-f-]+)"


class Partition(NamedTuple):
    """A partition by its disk ("/dev/sda") and number; the whole disk has the number 0."""

    disk: str
    number: int


def parse_device(device: str) -> Optional[Partition]:
    """Return a device of Linux as a partition; None for any other kind of device."""
    match = _LETTERS.match(device) or re.match(_NUMBERS, device)
    return Partition("/dev/" + match.group(1), int((match.group(2) or "0")[:9])) if match else None


def on_same_disk(one: str, other: str) -> Optional[bool]:
    """Tell whether two devices are of one disk; None where a name does not tell."""
    if one == other:
        return True
    if one.startswith(JOINED) or other.startswith(JOINED):
        return False
    first, second = parse_device(one), parse_device(other)
    return first.disk == second.disk if first and second else None


def read_device_map(tree: Tree) -> Dict[str, str]:
    """Return the disk that each of GRUB's disks ("hd0") is, by device.map; none for a disk that is no longer there."""
    text = next((found for found in map(tree.read_text, MAPS) if found is not None), "")
    named = {name: (tree.resolve(path) or path) for name, path in _MAP.findall(text)}
    return {name: disk for name, disk in named.items() if parse_device(disk) == Partition(disk, 0)}


def find_luks(tree: Tree, device: str) -> FrozenSet[str]:
    """Return the UUIDs, without dashes, of the LUKS volumes that a device lies on, itself or below LVM and the like."""
    found: Set[str] = set()
    for name in tree.names("/dev/disk/by-id"):
        match = re.match(_LUKS, name)
        if match and tree.resolve("/dev/disk/by-id/" + name) == device:
            found.add(match.group(1))
    for name, uuid in re.findall(_CRYPTTAB, tree.read_text("/etc/crypttab") or ""):
        if device == (tree.resolve("/dev/mapper/" + name) or "/dev/mapper/" + name):
            found.add(uuid.replace("-", "").lower())
    return frozenset(found | _find_mapped(tree, device))


def _find_mapped(tree: Tree, device: str) -> Set[str]:
    """Follow the device mapper's devices in sysfs down to what they are made of."""
    names = [name for name in tree.names("/sys/block") if name.startswith("dm-")]
    here = [
        name
        for name in names
        if device in ("/dev/" + name, "/dev/mapper/" + (tree.read_text(_dm(name, "dm/name")) or "").strip())
    ]
    found: Set[str] = set()
    for _ in range(DEPTH):
        matches = [re.match(_LUKS, tree.read_text(_dm(name, "dm/uuid")) or "") for name in here]
        found.update(match.group(1) for match in matches if match)
        here = [slave for name in here for slave in tree.names(_dm(name, "slaves")) if slave in names]
    return found


def _dm(name: str, inside: str) -> str:
    return "/sys/block/{}/{}".format(name, inside)
