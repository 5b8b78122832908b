"""A lock that a process holds on a file of the state, see flock(2): it ends with its holder and with all that he has started."""

import errno
import fcntl
import os
from pathlib import Path

from kexec_initd.errors import Error

IN_THE_WAY = "remove what is in its place"


class Vanished(Error):
    """The directory of a lock is not there."""


def open_lock(place: Path) -> int:
    """Open the file of a lock, made where it is missing. Raises Vanished, Error."""
    try:
        return os.open(str(place), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        kind = Vanished if error.errno == errno.ENOENT else Error
        raise kind("the lock {} cannot be opened: {}".format(place, error.strerror), IN_THE_WAY)


def try_lock(fd: int) -> bool:
    """Take the lock, unless another process holds it. Raises OSError."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
