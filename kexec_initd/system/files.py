"""Files that decide or change what a root process does: trusted reading, atomic writing, identity.

Every function works on descriptors where it can, so that what was checked is what is used (see also
openat(2), rename(2) and fsync(2)). Where there are hooks or a watchdog, the last step of a reboot reads with this module
and writes nothing: what only writing needs is imported there.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Optional

from kexec_initd.errors import Refused
from kexec_initd.system.encoding import decode, name_of
from kexec_initd.system.raw import exists as exists
from kexec_initd.system.raw import read_bytes as read_bytes
from kexec_initd.system.raw import read_text as read_text
from kexec_initd.system.safe_path import SUDO, locate

UNTRUSTED = stat.S_IWGRP | stat.S_IWOTH


def open_trusted(root: Path, path: Path, follow: bool = True) -> int:
    """Open a regular file, `path` on the host below `root`, that only root or ourselves can write, replace or move.

    Returns a descriptor to read it. A symbolic link is followed, as /vmlinuz is one, where `follow` says so. Raises Refused
    for anything else: a FIFO, a directory, a device, a file of another user, one that others may write, one that is not
    there, one in a directory that others may change.
    """
    try:
        place = locate(root, str(path), follow)
        fd = os.open(name_of(place), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        hint = SUDO if error.errno == errno.EACCES and os.geteuid() != 0 else ""
        raise Refused("cannot open {}: {}".format(path, error.strerror), hint)
    except ValueError as error:
        raise Refused("cannot open {}: {}".format(path, error))
    reason = distrust(os.fstat(fd))
    if reason:
        os.close(fd)
        raise Refused("{} {}".format(path, reason))
    return fd


def distrust(found: os.stat_result) -> Optional[str]:
    """Say why a file must not be trusted, as "is not a regular file"; None for one that can be."""
    if not stat.S_ISREG(found.st_mode):
        return "is not a regular file"
    if found.st_uid not in (0, os.geteuid()):
        return "belongs to user {}, not to root".format(found.st_uid)
    if found.st_mode & UNTRUSTED:
        return "can be written by others than its owner (mode {:04o})".format(stat.S_IMODE(found.st_mode))
    return None


def resolve(path: Path) -> Path:
    """Return where a path leads, without links; Path.resolve takes the locale's word for what its bytes are."""
    return Path(decode(os.path.realpath(name_of(path))))


def is_directory(path: Path) -> bool:
    """Tell whether there is a directory, and no link to one; Path.is_dir raises for a loop of links as Path.exists does."""
    return os.path.isdir(name_of(path)) and not os.path.islink(name_of(path))


def identity(path: Path) -> str:
    """Return what changes when a file is replaced or written: "device inode size mtime ctime", times in seconds.

    The same as `stat -L -c '%d %i %s %Y %Z'` prints, so that a shell script can compare it. "-" for no file.
    """
    try:
        found = os.stat(name_of(path))
    except OSError:
        return "-"
    return "{} {} {} {} {}".format(
        found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns // 10**9, found.st_ctime_ns // 10**9
    )


def write_atomic(
    path: Path, data: bytes, mode: int, like: Optional[os.stat_result] = None, staging: Optional[Path] = None
) -> None:
    """Give `path` the content `data`, whole or not at all, even when the power fails.

    `mode` is octal; `like` gives the owner; `staging` is a directory of the same file system for the unfinished file
    (default: that of `path`). Raises OSError; the old file is then still there and no other is left.
    """
    import tempfile

    fd, name = tempfile.mkstemp(prefix=".kexec-initd-", dir=str(staging or path.parent))
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            if like is not None:
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.rename(name, str(path))
    except BaseException as error:
        os.unlink(name)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # write(2) and fsync(2) do not tell
        raise
    fsync_dir(path.parent)


def fsync_dir(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(str(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def digest(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    import hashlib

    return hashlib.sha256(data).hexdigest()
