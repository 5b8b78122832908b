"""The host's files as a boot loader finds them: below one root, links resolved below it, only regular files read.

A boot loader's configuration names files as they lie on their own partition; `locate` tells where the running host
sees them, for instance below /boot.
"""

import errno
import os
import re
import stat
from pathlib import Path
from typing import Callable, Dict, List, Match, NamedTuple, Optional, Tuple, TypeVar, cast

from kexec_initd.errors import Refused
from kexec_initd.system.encoding import decode, encode, list_names
from kexec_initd.system.raw import open_regular, read_up_to
from kexec_initd.system.safe_path import NOT_THERE, chase, refuse_access

MAX_BYTES = 4 * 1024 * 1024
MAX_NAMES = 10000
# What has the header of a Linux kernel, or is started in its place, but would find no BIOS behind a kexec.
NOT_LINUX = (
    (re.compile("memtest|mt86"), "it is a memory test"),
    (re.compile("memdisk"), "it is memdisk, which starts the image of a disk"),
    (re.compile(r"ipxe|undionly|.*\.lkrn\Z"), "it is a network boot program"),
    (re.compile("xen"), "it is the Xen hypervisor"),
)
T = TypeVar("T")
MOUNTS, FSTAB = "/proc/mounts", "/etc/fstab"
OS_RELEASES = ("/etc/os-release", "/usr/lib/os-release")
# What stays as it is for as long as the kernel runs.
CONSTANT = ("/proc/cmdline", "/proc/sys/kernel/", *OS_RELEASES)
_BLANKS = re.compile("[ \t]+")
_OCTAL = re.compile(r"\\([0-7]{3})")


class Located(NamedTuple):
    """A file as the running host sees it; `obstacle` says why it cannot be taken, None when it can."""

    path: Path
    obstacle: Optional[str]


class TableRow(NamedTuple):
    """A row of /proc/mounts or of fstab(5); what is left out there is empty."""

    source: str
    point: str
    kind: str
    options: str


class Tree:
    """Files below a root directory. Paths are those of the host, absolute; what is not there is None, not an error.

    `asked` holds, in order, each path that was read, listed or looked for: a change there may change the answer. Facts, which
    are what the kernel makes up in /proc and the tables that many ask for, are `told` once.
    """

    def __init__(
        self,
        root: Path,
        told: Optional[Dict[str, Optional[bytes]]] = None,
        known: Optional[Dict[object, object]] = None,
    ) -> None:
        self.root = root
        self.asked: Dict[str, None] = {}
        self._root = str(root).rstrip("/")
        self._directories: Dict[str, Optional[str]] = {}
        self._resolved: Dict[str, Optional[str]] = {}
        self._told: Dict[str, Optional[bytes]] = {} if told is None else told
        self._rows: Dict[str, Tuple[TableRow, ...]] = {}
        self._found: Dict[object, object] = {}
        self._known: Dict[object, object] = {} if known is None else known

    def again(self) -> "Tree":
        """Return a tree that looks anew at everything, but knows the facts that this one was told, and shares those to come."""
        return Tree(self.root, self._told, self._known)

    def later(self) -> "Tree":
        """Return a tree that looks anew at everything, but for what stays as it is as long as the kernel runs."""
        return Tree(
            self.root, {path: data for path, data in self._told.items() if path.startswith(CONSTANT)}, self._known
        )

    def once(self, find: Callable[["Tree"], T]) -> T:
        """Return what `find` finds in this tree; it is called once, however many readers ask."""
        if find not in self._found:
            self._found[find] = find(self)
        return cast(T, self._found[find])

    def for_good(self, find: Callable[["Tree"], T]) -> T:
        """Return what `find` finds by what stays as long as the kernel runs; it is called once for all trees of this one's."""
        if find not in self._known:
            self._known[find] = find(self)
        return cast(T, self._known[find])

    def resolve(self, path: str) -> Optional[str]:
        """Return the host's path without links and dots; None when a part of it is missing."""
        if path not in self._resolved:
            directory, _, name = path.rpartition("/")
            if directory not in self._directories:
                self._directories[directory] = chase(self._root, directory, must_exist=True)
            start = self._directories[directory]
            self._resolved[path] = None if start is None else chase(self._root, name, start, must_exist=True)
        found = self._resolved[path]
        return None if found is None else found or "/"

    def _stat(self, path: str) -> Optional[os.stat_result]:
        self.asked[path] = None
        real = self.resolve(path)
        try:
            return None if real is None else os.lstat(encode(self._root + real))
        except (OSError, ValueError) as error:
            _require_missing(error, path)
            return None

    def is_file(self, path: str) -> bool:
        """Tell whether `path` leads to a regular file."""
        found = self._stat(path)
        return found is not None and stat.S_ISREG(found.st_mode)

    def modified(self, path: str) -> Optional[int]:
        """Return when a regular file was last written, in seconds since 1970; None for anything else."""
        found = self._stat(path)
        return int(found.st_mtime) if found is not None and stat.S_ISREG(found.st_mode) else None

    def size(self, path: str) -> Optional[int]:
        """Return the size of a regular file in bytes; None for anything else."""
        found = self._stat(path)
        return found.st_size if found is not None and stat.S_ISREG(found.st_mode) else None

    def real(self, path: str) -> str:
        """Return the name, on this machine, of what `path` leads to; for what can only open a file by its name."""
        return self._root + (self.resolve(path) or path)

    def is_directory(self, path: str) -> bool:
        """Tell whether `path` leads to a directory."""
        found = self._stat(path)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def read_bytes(self, path: str, limit: int = MAX_BYTES) -> Optional[bytes]:
        """Return the content of a regular file; None for anything else. Raises Refused for one over `limit` bytes."""
        self.asked[path] = None
        if not path.startswith("/proc/") and path not in (FSTAB, *OS_RELEASES):
            return self._read(path, limit)
        if path not in self._told:
            self._told[path] = self._read(path, limit)
        return self._told[path]

    def _read(self, path: str, limit: int) -> Optional[bytes]:
        real = self.resolve(path)
        if real is None:
            return None
        try:
            fd = open_regular(self._root + real, follow=False)
        except (OSError, ValueError) as error:
            _require_missing(error, path)
            return None
        try:
            data = None if fd is None else read_up_to(fd, limit + 1)
        except OSError as error:
            raise refuse_access(path, error)
        if data is not None and len(data) > limit:
            raise Refused("{} is larger than {} bytes".format(path, limit))
        return data

    def read_text(self, path: str, limit: int = MAX_BYTES) -> Optional[str]:
        """Return `read_bytes` as text; bytes that are not UTF-8 become surrogates, to be restored unchanged."""
        data = self.read_bytes(path, limit)
        return None if data is None else decode(data)

    def names(self, directory: str) -> List[str]:
        """Return the sorted names in a directory, none for no directory. Raises Refused for more than MAX_NAMES."""
        self.asked[directory] = None
        real = self.resolve(directory)
        try:
            found = [] if real is None else list_names(self._root + real)
        except (OSError, ValueError) as error:
            _require_missing(error, directory)
            return []
        if len(found) > MAX_NAMES:
            raise Refused("{} holds more than {} files".format(directory, MAX_NAMES))
        return sorted(found)

    def is_mount_point(self, path: str) -> Optional[bool]:
        """Tell whether a file system of its own is mounted at `path`; None when that cannot be known.

        A host that runs tells by /proc/mounts; else fstab(5) may tell that it is, but never that it is not: what is
        found by its partition type is mounted without a line there.
        """
        mounted = self.rows(MOUNTS)
        there = any(row.point == path for row in mounted or self.rows(FSTAB))
        return True if there else (False if mounted else None)

    def rows(self, path: str) -> Tuple[TableRow, ...]:
        """Return the rows of MOUNTS or FSTAB, whose words may hold blanks: three octal digits stand for one there."""
        if path not in self._rows:
            lines = [line.strip(" \t") for line in (self.read_text(path) or "").split("\n")]
            fields = [_BLANKS.split(line) for line in lines if not line.startswith("#")]
            self._rows[path] = tuple(_row(words) for words in fields if len(words) > 1)
        return self._rows[path]

    def locate(self, path: str, mount: str) -> Located:
        """Return where the host sees the file that is `path` on the partition of `mount` ("/boot").

        Where `mount` may or may not be a partition of its own, the file that exists decides; with two, neither.
        """
        inside, outside = Path(mount + "/" + path.lstrip("/")), Path("/" + path.lstrip("/"))
        separate = self.is_mount_point(mount)
        candidates = [found for found, fits in ((inside, separate is not False), (outside, not separate)) if fits]
        existing: Dict[Optional[str], Path] = {}
        for found in candidates:
            real = self.resolve(str(found))
            if self.is_file(str(found)) and (real not in existing or real == str(found)):
                existing[real] = found
        if len(existing) > 1:
            return Located(inside, "{} and {} both exist".format(inside, outside))
        if existing:
            return Located(next(iter(existing.values())), None)
        missing = outside if path.startswith(mount + "/") and separate is not True else candidates[0]
        return Located(missing, "{} is missing".format(missing))


def _row(words: List[str]) -> TableRow:
    source, point, kind, options = [_OCTAL.sub(_octal, word) for word in (words + ["", ""])[:4]]
    return TableRow(source, point.rstrip("/") or "/", kind, options)


def _octal(found: Match[str]) -> str:
    return chr(int(found.group(1), 8) & 0xFF)


def not_linux(path: str) -> Optional[str]:
    """Say what a file is that boot loaders start like a kernel, by its name; None for what may be a kernel."""
    name = path.rpartition("/")[2].lower()
    return next((what for pattern, what in NOT_LINUX if pattern.match(name)), None)


def _require_missing(error: Exception, path: str) -> None:
    """Raise Refused for an error that does not mean a missing file."""
    number = getattr(error, "errno", None)
    if number is not None and number not in NOT_THERE and number != errno.EINVAL:
        raise refuse_access(path, OSError(number, os.strerror(number)))
