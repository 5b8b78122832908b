"""Is a directory that survives reboots there, or only the mount point below it? By fstab(5) and the mounts of proc(5)."""

from pathlib import PurePosixPath
from typing import Optional, Tuple

from kexec_initd.errors import Refused
from kexec_initd.system.sysroot import FSTAB, MOUNTS, TableRow, Tree


def find_unmounted(tree: Tree, path: str) -> Optional[str]:
    """Return the mount point above `path` that /etc/fstab has and that is not mounted; None where `path` is what it should be.

    What is not mounted by itself (noauto) is not waited for.
    """
    ways = {path, *map(str, PurePosixPath(path).parents)} - {"/"}
    rows = [row for row in _read(tree, FSTAB) if row.options and row.point in ways]
    wanted = [row.point for row in rows if "noauto" not in row.options.split(",") and row.kind not in ("swap", "none")]
    mounted = {row.point for row in _read(tree, MOUNTS)} if wanted else set()
    return next((place for place in wanted if place not in mounted), None)


def _read(tree: Tree, path: str) -> Tuple[TableRow, ...]:
    try:
        return tree.rows(path)
    except Refused:
        return ()
