"""The EFI system partition as the running host sees it: where it is mounted, and a file on it in FAT's way, whatever the case."""

from typing import List, NamedTuple, Optional

from kexec_initd.system.sysroot import MOUNTS, Tree

POINTS = ("/boot/efi", "/efi", "/boot")
BY_PARTITION = "/dev/disk/by-partuuid"
MAX_POINTS = 20


class PartitionFile(NamedTuple):
    """The result of a search for a file: where it is on the host, and whether it could be looked for at all."""

    path: Optional[str]
    looked: bool


def find_points(tree: Tree) -> List[str]:
    """Return where a partition with EFI programs is to be seen."""
    mounted = [row.point for row in tree.rows(MOUNTS) if row.kind == "vfat"]
    points = dict.fromkeys([*POINTS, *mounted[:MAX_POINTS]])
    real = {
        tree.resolve(point + "/EFI"): point for point in reversed(list(points)) if tree.is_directory(point + "/EFI")
    }
    return [point for point in points if point in real.values()]


def points_of(tree: Tree, partition: Optional[str]) -> Optional[List[str]]:
    """Return where the partition with that id may be mounted, all where the host does not know; None where it is gone."""
    points = find_points(tree)
    if partition is None:
        return points
    device = tree.resolve("{}/{}".format(BY_PARTITION, partition))
    if device is not None:
        return _mounted(tree, device, points)
    return None if tree.names(BY_PARTITION) else points


def find_program(tree: Tree, file: str, partition: Optional[str]) -> PartitionFile:
    """Look for the file of an EFI program, on the partition with that id where the host knows it."""
    points = points_of(tree, partition)
    if points is None:
        return PartitionFile(None, True)
    found = [path for path in (find_path(tree, point, file) for point in points) if path is not None]
    return PartitionFile(found[0] if found else None, bool(points))


def _mounted(tree: Tree, device: str, points: List[str]) -> List[str]:
    """Return the points at which `device` is mounted; all where the host does not run."""
    rows = tree.rows(MOUNTS)
    if not rows:
        return points
    return [row.point for row in rows if row.point in points and tree.resolve(row.source) == device]


def find_path(tree: Tree, point: str, file: str) -> Optional[str]:
    """Return the path of `file` below `point` as it is spelled there; None where it is not there."""
    path = point
    for name in file.split("/")[1:]:
        names = tree.names(path)
        fits = [name] if name in names else [other for other in names if other.lower() == name.lower()]
        if not fits:
            return None
        path += "/" + fits[0]
    return path if tree.is_file(path) else None
