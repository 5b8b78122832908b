"""Whose partition an entry of GRUB legacy is on: the loader calls it (hd0,4), which means nothing to a running host.

What decides, in this order: the partition that Debian's update-grub has written down (`# groot=`); device.map, or the
UUID of an entry, against the device of /boot; the entry's root= against the root in fstab(5) and of the running command
line. What names the root of another system is not ours, whatever lies at the same path here.
"""

from typing import List, NamedTuple, Optional, Tuple

from kexec_initd.bootloader.devices import parse_device, read_device_map
from kexec_initd.system.sysroot import FSTAB, MOUNTS, Tree

BY = {"UUID": "/dev/disk/by-uuid/", "LABEL": "/dev/disk/by-label/", "PARTUUID": "/dev/disk/by-partuuid/"}


class Claim(NamedTuple):
    """The place that an entry names: the partition as the loader names it (empty: the loader's own), and its root=."""

    partition: str
    root: Optional[str]


class PartitionFacts(NamedTuple):
    """The host's side of it: names of the device of /boot and of the root, and the disks of device.map."""

    boot: Tuple[str, ...]
    roots: Tuple[str, ...]
    disks: Tuple[Tuple[str, str], ...]


def find_obstacles(tree: Tree, own: Optional[str], claims: List[Claim]) -> List[Optional[str]]:
    """Return for each entry why it is not this system's, None for one that is; `own` is update-grub's partition."""
    facts = read_facts(tree)
    same = [is_same_root(tree, claim.root, facts) for claim in claims]
    proven = {claim.partition for claim, ours in zip(claims, same) if ours and claim.partition}
    known = own if own is not None else proven.pop() if len(proven) == 1 else None
    return [_judge(tree, claim, ours, facts, own, known) for claim, ours in zip(claims, same)]


def _judge(
    tree: Tree, claim: Claim, same: Optional[bool], facts: PartitionFacts, own: Optional[str], known: Optional[str]
) -> Optional[str]:
    placed = claim.partition == own if own is not None else is_boot(tree, claim.partition, facts)
    if claim.partition and placed is False:
        return "it is on another partition, ({})".format(claim.partition)
    if placed is None and same is False:
        return "it starts another system, on {}".format(claim.root)
    if placed or not claim.partition or claim.partition == known:
        return None
    if known is not None:
        return "it is on another partition, ({})".format(claim.partition)
    return "whether its partition, ({}), is this system's cannot be known".format(claim.partition)


def read_facts(tree: Tree) -> PartitionFacts:
    """Gather what the host knows of its own places."""
    boot: List[str] = []
    roots: List[str] = []
    for path in (MOUNTS, FSTAB):
        points = {row.point: row.source for row in tree.rows(path) if row.kind}
        boot += [points[point] for point in ("/boot", "/") if point in points][:1]
        roots += [points["/"]] if "/" in points else []
    running = find_root(tree.read_text("/proc/cmdline") or "")
    known = tuple(name for name in [*roots, running or ""] if name not in ("", "/dev/root", "rootfs", "none"))
    return PartitionFacts(tuple(boot), known, tuple(read_device_map(tree).items()))


def find_root(cmdline: str) -> Optional[str]:
    """Return the value of the last root= of a command line."""
    values = [word[len("root=") :] for word in cmdline.split() if word.startswith("root=")]
    return values[-1] if values else None


def is_same_root(tree: Tree, root: Optional[str], facts: PartitionFacts) -> Optional[bool]:
    """Tell whether a root= is this host's root; None where the names do not tell."""
    answers = [_is_same(tree, root, known) for known in facts.roots] if root else []
    return True if True in answers else False if False in answers else None


def _is_same(tree: Tree, one: str, other: str) -> Optional[bool]:
    """Compare two names of devices; names of different kinds tell something only where both lead to a device here."""
    if one == other:
        return True
    kinds = [name.partition("=")[0] if "=" in name else "" for name in (one, other)]
    devices = [_device(tree, name) for name in (one, other)]
    if None not in devices:
        return devices[0] == devices[1]
    return False if kinds[0] == kinds[1] else None


def _device(tree: Tree, name: str) -> Optional[str]:
    """Return the device that a name ("UUID=...", "/dev/vg/lv") leads to; None where nothing here tells."""
    kind, equals, value = name.partition("=")
    if equals:
        return tree.resolve(BY[kind] + value.strip("\"'")) if kind in BY else None
    parts = name.split("/")
    if len(parts) == 4 and parts[2] not in ("mapper", "disk"):
        name = "/dev/mapper/" + "-".join(part.replace("-", "--") for part in parts[2:])
    return tree.resolve(name) or name


def is_boot(tree: Tree, partition: str, facts: PartitionFacts) -> Optional[bool]:
    """Tell whether a partition, as the loader names it, is where /boot is; None where nothing tells."""
    disk, comma, number = partition.partition(",")
    if not comma and not disk.startswith("hd"):
        answers = [_is_same(tree, "UUID=" + partition, name) for name in facts.boot] if partition else []
        return True if True in answers else False if False in answers else None
    real = dict(facts.disks).get(disk)
    places = [parse_device(_device(tree, name) or "") for name in facts.boot]
    known = [place for place in places if place is not None]
    if real is None or not known or (comma and not number.isdigit()):
        return None
    return any(place.disk == real and place.number == (int(number[:9]) + 1 if comma else 0) for place in known)
