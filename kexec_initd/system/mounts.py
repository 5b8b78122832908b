"""Is a directory that survives reboots there, or only the mount point below it? By fstab(5) and the mounts of proc(5)."""

import re
from pathlib import Path, PurePosixPath
from typing import List, Optional

from kexec_initd.system.files import read_bytes

LIMIT = 1 << 20


def find_unmounted(root: Path, path: str) -> Optional[str]:
    """Return the mount point above `path` that /etc/fstab has and that is not mounted; None where `path` is what it should be.

    What is not mounted by itself (noauto) is not waited for.
    """
    ways = {str(path), *map(str, PurePosixPath(path).parents)} - {"/"}
    rows = [row for row in _read_rows(root / "etc/fstab") if len(row) > 3 and row[1] in ways]
    wanted = [row[1] for row in rows if "noauto" not in row[3].split(",") and row[2] not in ("swap", "none")]
    mounted = {row[1] for row in _read_rows(root / "proc/mounts") if len(row) > 1}
    return next((place for place in wanted if place not in mounted), None)


def _read_rows(path: Path) -> List[List[str]]:
    """Return the fields of each line; spaces and tabs part them, others are written in octal."""
    text = (read_bytes(path, LIMIT) or b"").decode("utf-8", "surrogateescape")
    rows = [
        re.split("[ \t]+", line.strip(" \t")) for line in text.split("\n") if not line.lstrip(" \t").startswith("#")
    ]
    return [[_unescaped(field) for field in row] for row in rows]


def _unescaped(field: str) -> str:
    found = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8) & 0xFF), field)
    return found.rstrip("/") or found
