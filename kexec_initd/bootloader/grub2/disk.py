"""Files as GRUB names them: "(device)/path", or "/path" on the device that the variable `root` names."""

import enum
import os
import re
from typing import Dict, FrozenSet, List, NamedTuple, Optional, Tuple

from kexec_initd.bootloader.grub2.values import Undecidable, is_unknown, shown, why_unknown
from kexec_initd.bootloader.grub2.volumes import Volume, Volumes
from kexec_initd.system.sysroot import Tree

_BLOCKS = re.compile(r"(?:(?:\A|,)(?:0x[0-9a-fA-F]+|[0-9]*)\+(?:0x[0-9a-fA-F]+|[0-9]+))+\Z")


class FileKind(enum.Enum):
    """The kinds of file that a path may lead to."""

    FILE = "a regular file"
    DIRECTORY = "a directory"
    OTHER = "neither a regular file nor a directory"
    MISSING = "missing"
    UNKNOWN = "out of sight"


class Spot(NamedTuple):
    """One of GRUB's paths as the host has it: its own path where that is known, else `obstacle` says why it is not."""

    kind: FileKind
    path: str
    obstacle: str = ""


class Disk:
    """The files of the host, by GRUB's paths."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.volumes = Volumes(tree)
        self.commands: Dict[str, Optional[FrozenSet[str]]] = {}  # by the path of a command.lst
        self._spots: Dict[Tuple[str, Optional[str], bool], Spot] = {}
        self._names: Dict[str, List[str]] = {}

    def prefix(self, directory: str) -> Tuple[str, str]:
        """Return GRUB's device of a directory of the host, and "(device)/path" as GRUB would name it."""
        real = self.tree.resolve(directory) or directory
        volume = self.volumes.of(real)
        device = self.volumes.device(volume)
        return device, "({}){}".format(device, volume.subvolume.rstrip("/") + _below(real, volume))

    def look(self, path: str, root: Optional[str], relative: bool = False) -> Spot:
        """Find what GRUB would see at `path`, with the device `root` where the path names none; the same each time."""
        asked = path, root, relative
        if asked not in self._spots:
            self._spots[asked] = self._look(path, root, relative)
        return self._spots[asked]

    def _look(self, path: str, root: Optional[str], relative: bool) -> Spot:
        device, inside = split_path(path)
        if device is None:
            device = root or ""
        if is_unknown(inside) or is_block_list(inside):
            return Spot(FileKind.UNKNOWN, "", "the path {} is not known".format(shown(path)))
        if not inside.startswith("/"):
            return Spot(FileKind.MISSING, inside)
        volume = self.volumes.by_device(device)
        if volume is None:
            return Spot(FileKind.UNKNOWN, "", _unseen(device))
        found = self.volumes.host_path(volume, inside, relative)
        if found is None:
            what = "dataset of ZFS" if volume.kind == "zfs" else "btrfs subvolume"
            return Spot(FileKind.UNKNOWN, "", "{} lies in a {} that is not mounted".format(shown(inside), what))
        return self._look_on_host(found[1], found[0])

    def _look_on_host(self, host: str, volume: Volume) -> Spot:
        is_file = self.tree.is_file(host)  # asked first, so that the tree knows that a missing file matters
        real = self.tree.resolve(host)
        if real is None:
            return Spot(FileKind.MISSING, host)
        holder = self.volumes.of(real)
        if (holder.device, holder.subvolume) != (volume.device, volume.subvolume):
            return Spot(FileKind.UNKNOWN, host, "{} leads to another file system".format(host))
        if is_file:
            return Spot(FileKind.FILE, host)
        return Spot(FileKind.DIRECTORY if self.tree.is_directory(real) else FileKind.OTHER, host)

    def names(self, spot: Spot) -> List[str]:
        """Return the sorted names in a directory."""
        if spot.path not in self._names:
            self._names[spot.path] = self.tree.names(spot.path)
        return self._names[spot.path]


def split_path(path: str) -> Tuple[Optional[str], str]:
    """Split "(device)/path"; the device is None where the path names none, or with the empty name "()"."""
    if not path.startswith("("):
        return None, path
    device, closed, inside = path[1:].partition(")")
    return (device or None, inside) if closed else (None, path)


def is_block_list(path: str) -> bool:
    """Tell whether GRUB takes what does not begin with a slash for blocks of the device ("512+1", "+1")."""
    return bool(_BLOCKS.match(path))


def expand_glob(disk: Disk, pattern: str, root: Optional[str], relative: bool) -> Optional[str]:
    """Return the only file that `pattern` with `*` or `?` in its last part fits, None where none does.

    Raises Undecidable for several: they come in the order of the directory on disk, which is not seen from here.
    """
    import fnmatch

    directory, _, last = pattern.rpartition("/")
    if not pattern.startswith(("/", "(")):
        return None
    if "*" in directory or "?" in directory or is_unknown(last):
        raise Undecidable("the pattern {}".format(shown(pattern)))
    spot = disk.look(directory or "/", root, relative)
    if spot.kind is FileKind.UNKNOWN:
        raise Undecidable("the pattern {}: {}".format(shown(pattern), spot.obstacle))
    wanted = last.replace("[", "[[]")
    found = [name for name in disk.names(spot) if fnmatch.fnmatchcase(name, wanted)]
    if len(found) > 1:
        raise Undecidable("the order of the files that {} fits".format(shown(pattern)))
    return directory + "/" + found[0] if found else None


def _below(real: str, volume: Volume) -> str:
    return real if volume.point == "/" else real[len(volume.point) :]


def _unseen(device: str) -> str:
    if not device:
        return "no device is chosen"
    if is_unknown(device):
        return "the file system {} is not mounted".format(os.path.basename(why_unknown(device)))
    return "which device {} is cannot be known".format(device)
