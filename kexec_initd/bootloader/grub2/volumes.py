"""The file systems of the host, as /proc/mounts and fstab(5) tell of them, and where a path on one of them is seen.

GRUB names a file by its device and the path on that file system; the host sees it below a mount point. Which device is
which GRUB says by UUID, label or a name of its own, such as "hd0,msdos1". Such names are believed only where the
running kernel was itself booted by one (its BOOT_IMAGE), where device.map has the disk, or where there is but one disk.

A path on btrfs goes through the names of subvolumes; one on ZFS names the dataset and a snapshot, which is empty for
the dataset as it is: "/ROOT/debian@/boot". What GRUB takes for the UUID of a pool is its guid in hexadecimal.
"""

import re
from typing import Dict, FrozenSet, List, NamedTuple, Optional, Set, Tuple

from kexec_initd.bootloader.devices import JOINED, Partition, find_luks, parse_device, read_device_map
from kexec_initd.bootloader.grub2.values import MARK, is_unknown
from kexec_initd.system.sysroot import FSTAB, MOUNTS, TableRow, Tree

VIRTUAL = ("/dev/root", "rootfs", "none", "overlay", "tmpfs")
UNWRITABLE = ("btrfs", "zfs", "squashfs", "iso9660")
UNUSED = ("", "swap", "autofs")
MAX_VOLUMES = 1000
_GRUB_DEVICE = re.compile(r"(hd\d{1,4})(?:,(?:msdos|gpt)?(\d{1,9}))?\Z")
_CRYPTO = "cryptouuid/"
_GUID = r"[0-9a-f]{13,16}\Z"
_DECIMAL = r"[0-9]{16,20}\Z"
_BOOT_IMAGE = re.compile(r'(?:\A|\s)"?BOOT_IMAGE=\(([^)\s]+)\)(/[^\s"]+)')
_ROOT_UUID = re.compile(r"(?:\A|\s)root=UUID=(\S+)")
_BY = {"uuid": "/dev/disk/by-uuid", "label": "/dev/disk/by-label", "partuuid": "/dev/disk/by-partuuid"}


class Volume(NamedTuple):
    """A mounted file system, or a mounted subvolume of one; `ids` as "uuid=..." in lower case but for labels."""

    point: str
    device: str
    kind: str
    subvolume: str
    named: bool  # fstab names the subvolume: it may be another than the default one
    ids: FrozenSet[str]


class Volumes:
    """All volumes of the host below a Tree. What GRUB calls a device is text: its name, or a mark with a mount point."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.all = _read_volumes(tree)
        self._by_point = {volume.point: volume for volume in self.all}
        self._by_id = {one: volume for volume in reversed(self.all) for one in volume.ids}
        self._names: Dict[str, Volume] = {}
        self._numbered: Dict[str, Optional[Volume]] = {}
        self._luks: Dict[str, FrozenSet[str]] = {}
        self._learn(tree.read_text("/proc/cmdline") or "")
        self._map = self._read_map()

    def _learn(self, cmdline: str) -> None:
        """Learn a device's name from the path that GRUB put on the running kernel's command line."""
        match = _BOOT_IMAGE.search(cmdline)
        if not match:
            return
        on = [volume for volume in self.all if self._is_file(volume, match.group(2))]
        if len({volume.device for volume in on}) == 1:
            self._names[match.group(1)] = on[0]

    def _is_file(self, volume: Volume, path: str) -> bool:
        on = self.host_path(volume, path, False)
        return self._tree.is_file(seen(volume, path)) or (on is not None and self._tree.is_file(on[1]))

    def _read_map(self) -> Dict[str, str]:
        """Return device.map, unless the name that GRUB itself gave says that it is wrong."""
        disks = read_device_map(self._tree)
        for name, volume in self._names.items():
            known, match = parse_device(volume.device), _GRUB_DEVICE.match(name)
            if known and match and disks.get(match.group(1), known.disk) != known.disk:
                return {}
        return disks

    def of(self, path: str) -> Volume:
        """Return the volume that holds the host's `path`."""
        while path not in self._by_point and path.startswith("/"):
            path = path.rpartition("/")[0] or "/"
        return self._by_point.get(path, self._by_point["/"])

    def device(self, volume: Volume) -> str:
        """Return GRUB's name for the device of a volume; one that is not known is marked as unknown."""
        for name, named in self._names.items():
            if named.device == volume.device:
                return name
        return MARK + volume.point + MARK

    def by_device(self, device: str) -> Optional[Volume]:
        """Return the volume that GRUB calls `device`, without parentheses; None where that is not known."""
        if is_unknown(device):
            return self._by_point.get(device[1:-1]) if device == MARK + device[1:-1] + MARK else None
        if device in self._names:
            return self._names[device]
        if device.startswith("lvm/"):
            return self._by_source("/dev/mapper/" + device[4:])
        if device.startswith(_CRYPTO):
            uuid = device[len(_CRYPTO) :]
            return next((volume for volume in self.all if self.is_on_luks(volume, uuid)), None)
        if device not in self._numbered:
            self._numbered[device] = self._by_number(device)
        return self._numbered[device]

    def _by_source(self, source: str) -> Optional[Volume]:
        wanted = _canonical(self._tree, source)
        return next((volume for volume in self.all if volume.device == wanted), None)

    def _by_number(self, device: str) -> Optional[Volume]:
        """Return the partition, or the whole disk, by its number: on a disk of device.map, or on the only one."""
        match = _GRUB_DEVICE.match(device)
        known = {parse_device(volume.device): volume for volume in reversed(self.all)}
        disks = {found.disk for found in known if found}
        if not match:
            return None
        disk = self._map.get(match.group(1))
        if disk is None or not (disk in disks or self._tree.resolve(disk)):
            disk = disks.pop() if len(disks) == 1 and match.group(1) == "hd0" else None
        return known.get(Partition(disk, int(match.group(2) or "0"))) if disk else None

    def is_on_luks(self, volume: Volume, uuid: Optional[str]) -> bool:
        """Tell whether a volume is encrypted, on the LUKS volume of that UUID, if one is given."""
        if volume.device not in self._luks:
            self._luks[volume.device] = find_luks(self._tree, volume.device)
        found = self._luks[volume.device]
        return bool(found) if uuid is None else uuid.replace("-", "").lower() in found

    def by_id(self, kind: str, value: str) -> Optional[Volume]:
        """Return the volume with a `kind` ("uuid", "label") of `value`."""
        found = self._by_id.get(_identity(kind, value))
        return found or (self._by_guid(value.lower()) if kind == "uuid" else None)

    def _by_guid(self, value: str) -> Optional[Volume]:
        """Return the only pool of ZFS, if it can have that guid: nothing else here is known to be of that name."""
        pools = {volume.device: volume for volume in reversed(self.all) if volume.kind == "zfs"}
        names = self._tree.names(_BY["uuid"])
        guids = {"{:016x}".format(int(name)) for name in names if re.match(_DECIMAL, name)}
        if len(pools) != 1 or not re.match(_GUID, value) or value in [name.lower() for name in names]:
            return None
        return next(iter(pools.values())) if not guids or guids == {value.zfill(16)} else None

    def host_path(self, volume: Volume, path: str, relative: bool) -> Optional[Tuple[Volume, str]]:
        """Return where the host sees what lies at `path` on the file system, and on which mount; None for nowhere.

        `relative`: GRUB was told to read btrfs from the default subvolume on (as SUSE does), not from the top.
        """
        path = "/" + "/".join(part for part in path.split("/") if part not in ("", "."))
        if volume.kind not in ("btrfs", "zfs"):
            return volume, seen(volume, path)
        same = [other for other in self.all if other.device == volume.device]
        if relative and volume.kind == "btrfs":
            same = [other for other in same if other.point == "/" and not other.named]
            return (same[0], seen(same[0], path)) if same else None
        fits = [other for other in same if is_below(path, other.subvolume)]
        if not fits:
            return None
        best = max(fits, key=lambda other: len(other.subvolume))
        return best, seen(best, path[len(best.subvolume.rstrip("/")) :])


def is_writable(volume: Volume) -> bool:
    """Tell whether GRUB can write to a file there: it only overwrites blocks of a plain partition."""
    return volume.kind not in UNWRITABLE and not volume.device.startswith(JOINED)


def seen(volume: Volume, path: str) -> str:
    """Return the host's path of what lies at `path` below the mount point."""
    return volume.point.rstrip("/") + path


def is_below(path: str, directory: str) -> bool:
    """Tell whether `path` is `directory` or lies in it."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _read_volumes(tree: Tree) -> List[Volume]:
    mounted = [line for line in tree.rows(MOUNTS) if _is_disk(line)]
    table = [line for line in tree.rows(FSTAB) if line.kind not in UNUSED and line.point.startswith("/")]
    links = {kind: _read_links(tree, directory) for kind, directory in _BY.items()}
    by_point = {line.point: line for line in table}
    volumes: Dict[str, Volume] = {}
    done: Set[Tuple[str, str]] = set()
    for line in (mounted or table)[:MAX_VOLUMES]:
        volume = _volume(tree, line, by_point.get(line.point), links)
        if (volume.device, volume.subvolume) not in done:
            volumes.setdefault(volume.point, volume)
        done.add((volume.device, volume.subvolume))
    volumes.setdefault("/", Volume("/", "", "", "/", False, frozenset()))
    return list(volumes.values())


def _volume(tree: Tree, line: TableRow, listed: Optional[TableRow], links: Dict[str, Dict[str, str]]) -> Volume:
    if line.kind == "zfs":
        return _dataset(line, links)
    source = listed.source if listed and (line.source in VIRTUAL or not line.source) else line.source
    device = _canonical(tree, source)
    ids = {_identity(kind, name) for kind, names in links.items() for name, target in names.items() if target == device}
    for spec in (line.source, listed.source if listed else ""):
        kind, equals, value = spec.partition("=")
        if equals:
            ids.add(_identity(kind, value))
    root = _ROOT_UUID.search(tree.read_text("/proc/cmdline") or "")
    if line.point == "/" and root and not any(one.startswith("uuid=") for one in ids):
        ids.add(_identity("uuid", root.group(1)))
    subvolume = _subvolume(line) or (_subvolume(listed) if listed else None)
    named = bool(_subvolume(listed)) if listed else bool(subvolume)
    return Volume(line.point, device, line.kind, subvolume or "/", named, frozenset(ids))


def _dataset(line: TableRow, links: Dict[str, Dict[str, str]]) -> Volume:
    """Return a dataset of ZFS; the pool is its device, and udev may know the pool's guid, as a decimal number."""
    pool, _, dataset = line.source.partition("/")
    member = links["label"].get(pool)
    guids = [name for name, target in links["uuid"].items() if target == member and re.match(_DECIMAL, name)]
    ids = frozenset(["label=" + pool] + ["uuid={:016x}".format(int(guid)) for guid in guids])
    path = "/" + dataset if "@" in dataset else "/{}@".format(dataset)
    return Volume(line.point, pool, "zfs", path, False, ids)


def _identity(kind: str, value: str) -> str:
    value = value.strip("\"'")
    return "{}={}".format(kind.lower(), value if kind.lower() == "label" else value.lower())


def _subvolume(line: TableRow) -> Optional[str]:
    options = line.options.split(",")
    for option in options:
        if option.startswith("subvol="):
            return "/" + option[len("subvol=") :].strip("/")
        if option.startswith("subvolid=") and not any(other.startswith("subvol=") for other in options):
            return "/\0" + option  # known by number only: no path fits
    return None


def _is_disk(line: TableRow) -> bool:
    there = line.source.startswith("/dev/") or line.kind in ("zfs", "btrfs") or line.point == "/"
    return there and line.kind not in UNUSED


def _read_links(tree: Tree, directory: str) -> Dict[str, str]:
    """Return which device each link of udev's directory leads to."""
    found = {}
    for name in tree.names(directory):
        target = tree.resolve(directory + "/" + name)
        if target:
            found[re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match.group(1), 16)), name)] = target
    return found


def _canonical(tree: Tree, source: str) -> str:
    kind, equals, value = source.partition("=")
    if equals and kind.lower() in _BY:
        source = _BY[kind.lower()] + "/" + value.strip("\"'")
        return tree.resolve(source) or _identity(kind, value)
    return (tree.resolve(source) if source.startswith("/") else None) or source
