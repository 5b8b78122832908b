"""Files below a root, looked at and put in place so that no symbolic link leads out and no half file is ever seen.

Links in the directories of a path are followed as chroot(2) would follow them. The last component never is.
"""

import errno
import os
import stat
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

from kexec_initd.errors import Refused
from kexec_initd.system import files
from kexec_initd.system.files import fsync_dir
from kexec_initd.system.inode_flags import APPEND_ONLY, IMMUTABLE, read_flags
from kexec_initd.system.raw import open_to_read, read_up_to
from kexec_initd.system.safe_path import locate, refuse_access

SIZE_LIMIT = 1 << 20
FLAGS = {IMMUTABLE: "immutable (chattr +i)", APPEND_ONLY: "append-only (chattr +a)"}
NO_XATTRS = (errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.ENODATA)
SECURITY_LABEL = "security.selinux"

Xattrs = Tuple[Tuple[str, bytes], ...]


class Observed(NamedTuple):
    """A regular file as it was found, with all that makes it the same file again; times in nanoseconds."""

    data: bytes
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    xattrs: Xattrs


def observe(root: Path, path: str) -> Optional[Observed]:
    """Return the regular file `path`, or None where nothing is. Raises Refused for what cannot be replaced and restored."""
    place = locate(root, path)
    try:
        fd = open_to_read(place, follow=False)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        if error.errno == errno.ELOOP:
            raise Refused("{} is a symbolic link".format(place), "put the file itself there")
        raise refuse_access(place, error)
    try:
        return _read(fd, place)
    finally:
        os.close(fd)


def content_of(found: Optional[Observed]) -> Optional[bytes]:
    """Return the content of a file; None where there is none."""
    return None if found is None else found.data


def _read(fd: int, place: Path) -> Observed:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise Refused("{} is not a regular file".format(place), "move it away")
    if found.st_nlink > 1:
        raise Refused("{} has {} hard links".format(place, found.st_nlink), "replace it by a copy of its own")
    if found.st_size > SIZE_LIMIT:
        raise Refused("{} is larger than {} bytes".format(place, SIZE_LIMIT))
    _check_flags(fd, place)
    data = read_up_to(os.dup(fd), SIZE_LIMIT + 1)
    mode = stat.S_IMODE(found.st_mode)
    return Observed(data, mode, found.st_uid, found.st_gid, found.st_mtime_ns, read_xattrs(fd))


def _check_flags(fd: int, place: Path) -> None:
    try:
        flags = read_flags(fd)
    except OSError:
        return  # a file system without such flags
    for bit, name in FLAGS.items():
        if flags & bit:
            raise Refused("{} is {}".format(place, name), "take the flag away first")


def read_xattrs(fd: int) -> Xattrs:
    """Return all extended attributes of an open file: ACLs, security labels; none where there are none to read."""
    try:
        return tuple((name, os.getxattr(fd, name)) for name in sorted(os.listxattr(fd)))
    except OSError as error:
        if error.errno in NO_XATTRS:
            return ()
        raise


def label_of(found: Observed) -> Xattrs:
    """Return only the security label of a file: what a file in its place needs, without the ACL of its content."""
    return tuple((name, value) for name, value in found.xattrs if name == SECURITY_LABEL)


def own(data: bytes, mode: int, xattrs: Xattrs) -> Observed:
    """Return a file of ours as it is to be written: it belongs to who runs this, which is root on a host."""
    return Observed(data, mode, os.geteuid(), os.getegid(), 0, xattrs)


def stage(staging: Path, wanted: Observed) -> Path:
    """Write a file like `wanted` into the directory `staging`, durably, and return its path. mtime_ns 0 means now."""

    def dress(fd: int) -> None:
        if (wanted.uid, wanted.gid) != (os.geteuid(), os.getegid()):
            os.fchown(fd, wanted.uid, wanted.gid)
        os.fchmod(fd, wanted.mode)
        for key, value in wanted.xattrs:
            _set_xattr(fd, key, value)
        if wanted.mtime_ns:
            os.utime(fd, ns=(wanted.mtime_ns, wanted.mtime_ns))

    return files.stage(staging, wanted.data, dress)


def _set_xattr(fd: int, key: str, value: bytes) -> None:
    try:
        os.setxattr(fd, key, value)
    except OSError as error:
        if error.errno not in NO_XATTRS:
            raise


def put(staged: Path, place: Path) -> None:
    """Move a file over `place` in one step and make both names durable; from another file system it is copied first."""
    try:
        os.rename(str(staged), str(place))
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        os.rename(str(_copy(staged, place.parent)), str(place))
        os.unlink(str(staged))
    fsync_dir(place.parent)
    if staged.parent != place.parent:
        fsync_dir(staged.parent)


def _copy(source: Path, directory: Path) -> Path:
    """Copy a file into `directory`, under a name that no boot program takes for a script's, and return its path."""
    fd = open_to_read(source, follow=False)
    try:
        return stage(directory, _read(fd, source))
    finally:
        os.close(fd)


def remove(place: Path) -> None:
    """Unlink `place` durably; nothing is done where nothing is."""
    try:
        os.unlink(str(place))
    except OSError as error:
        if error.errno == errno.ENOENT:
            return
        raise
    fsync_dir(place.parent)


def missing_directories(root: Path, path: str) -> List[str]:
    """Return those of the directory `path` and its parents that do not exist below `root`, parents first."""
    parts = path.strip("/").split("/")
    names = ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]
    return [name for name in names if not locate(root, name + "/.x").parent.is_dir()]


def make_directory(root: Path, path: str, mode: int) -> Path:
    """Make the directory `path` with its parents (those 0755), durably, and return it; an existing one stays as it is."""
    for name in missing_directories(root, path):
        place = locate(root, name)
        os.mkdir(str(place), mode if name == path else 0o755)
        try:
            fsync_dir(place.parent)
        except OSError:
            os.rmdir(str(place))
            raise
    return locate(root, path + "/.x").parent


def remove_directory(root: Path, path: str) -> None:
    """Remove the directory `path` if it is empty; one in use or not there stays as it is."""
    place = locate(root, path)
    try:
        os.rmdir(str(place))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return
        raise
    fsync_dir(place.parent)
