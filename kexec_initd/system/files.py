"""Files that decide or change what a root process does: trusted reading, atomic writing, identity.

Every function works on descriptors where it can, so that what was checked is what is used (see also
openat(2), rename(2) and fsync(2)). The last step of a reboot reads with this module and writes nothing: what only
writing needs is imported there.
"""

import contextlib
import errno
import functools
import importlib
import os
import stat
from pathlib import Path
from typing import Any, Callable, Optional

from kexec_initd import sentences
from kexec_initd.errors import Refused
from kexec_initd.system.encoding import name_of
from kexec_initd.system.raw import exists as exists
from kexec_initd.system.raw import open_to_read, read_up_to
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
        fd = open_to_read(locate(root, str(path), follow), follow=False)
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


class Unfit(Refused):
    """A file that can be trusted cannot be read, or is larger than it may be."""


def read_trusted(root: Path, path: Path, limit: int, follow: bool = True) -> bytes:
    """Return the content of what `open_trusted` opens. Raises Refused as that does, Unfit."""
    fd = open_trusted(root, path, follow)
    try:
        data = read_up_to(fd, limit + 1)
    except OSError as error:
        raise Unfit("{} cannot be read: {}".format(path, error.strerror))
    if len(data) > limit:
        raise Unfit(sentences.IS_TOO_LARGE.format(path, limit))
    return data


def distrust(found: os.stat_result) -> Optional[str]:
    """Say why a file must not be trusted, as "is not a regular file"; None for one that can be."""
    if not stat.S_ISREG(found.st_mode):
        return sentences.NOT_REGULAR
    if found.st_uid not in (0, os.geteuid()):
        return sentences.NOT_ROOTS.format(found.st_uid)
    if found.st_mode & UNTRUSTED:
        return sentences.WRITABLE.format("{:04o}".format(stat.S_IMODE(found.st_mode)))
    return None


def is_there(path: Path) -> bool:
    """Tell whether anything has that name, be it a link that leads nowhere."""
    return os.path.lexists(name_of(path))


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


def stage(directory: Path, data: bytes, dress: Callable[[int], None]) -> Path:
    """Write `data` into a new file in `directory`, durably, and return its path; `dress` gives the open file what else it needs.

    Raises OSError; no file is left then.
    """
    import tempfile

    fd, name = tempfile.mkstemp(prefix=".kexec-initd-", dir=str(directory))
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            dress(fd)
            os.fsync(fd)
    except BaseException:
        os.unlink(name)
        raise
    return Path(name)


def write_atomic(path: Path, data: bytes, mode: int) -> None:
    """Give `path` the content `data`, whole or not at all, even when the power fails; `mode` is octal.

    Raises OSError; the old file is then still there and no other is left.
    """
    try:
        staged = stage(path.parent, data, lambda fd: os.fchmod(fd, mode))
        try:
            os.rename(str(staged), str(path))
        except BaseException:
            os.unlink(str(staged))
            raise
    except OSError as error:
        error.filename = error.filename or str(path)  # write(2) and fsync(2) do not tell
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
    return str(_find_sha256()(data).hexdigest())


@functools.lru_cache(maxsize=None)
def _find_sha256() -> Any:
    """Return Python's own SHA-256, as `random` takes it: hashlib loads OpenSSL, which takes some milliseconds and megabytes."""
    for name in ("_sha2", "_sha256"):  # from Python 3.12 on, and before
        with contextlib.suppress(ImportError):
            return importlib.import_module(name).sha256
    return importlib.import_module("hashlib").sha256
