"""One install or uninstall at a time: the lock that a run holds while it changes files, and what a plan made beside it is worth.

A plan is made without the lock, so that looking changes nothing. `apply` finds under the lock whether it still fits.
"""

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Iterator, Optional

from kexec_initd.errors import Error, Refused
from kexec_initd.install.file_copy import make_directory
from kexec_initd.install.layout import STATE_DIR
from kexec_initd.install.manifest import Manifest, read_manifest
from kexec_initd.state.flock import IN_THE_WAY, Vanished, open_lock, try_lock
from kexec_initd.state.store import Lasting
from kexec_initd.system.files import is_there
from kexec_initd.system.safe_path import locate

LOCK = "{}/{}".format(STATE_DIR, Lasting.LOCK.value)
LOCK_TRIES = 20
UNDER_WAY = "another install or uninstall is under way"


def describe_overtaken() -> Error:
    """Return the error for a plan that no longer fits what is on the disk."""
    return Error("something changed the files since the plan was made", "run the command again")


@contextlib.contextmanager
def planning(root: Path) -> Iterator[Optional[Manifest]]:
    """Give the manifest to plan from. Raises Error where another run changes the files meanwhile and the plan fails by that.

    An original that it has restored just now is missing where it was kept, and nobody is to be told that it is lost.
    """
    found = read_manifest(root)
    try:
        yield found
    except (Refused, OSError):
        if _is_held(root):
            raise Error(UNDER_WAY)
        if read_manifest(root) != found:
            raise describe_overtaken()
        raise


def _is_held(root: Path) -> bool:
    place = locate(root, LOCK)
    if not is_there(place):
        return False
    try:
        fd = open_lock(place)
    except Error:
        return False
    try:
        return not try_lock(fd)
    finally:
        os.close(fd)


def take_lock(root: Path) -> int:
    """Return the locked descriptor; a lock file that a finished run removed under us is made anew. Raises Error, OSError."""
    for _ in range(LOCK_TRIES):
        make_directory(root, STATE_DIR, 0o700)
        place = locate(root, LOCK)
        try:
            fd = open_lock(place)
        except Vanished:
            continue
        if _lock(fd, place):
            return fd
        os.close(fd)
    raise Error("the lock {} keeps vanishing".format(place), "is another install or uninstall under way?")


def _lock(fd: int, place: Path) -> bool:
    """Lock `fd`; False where it is no longer the file at `place`. Raises Error while another run holds it."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()):
        os.close(fd)
        raise Refused("{} is not a file of root".format(place), IN_THE_WAY)
    if not try_lock(fd):
        os.close(fd)
        raise Error(UNDER_WAY)
    try:
        return os.path.samestat(found, os.lstat(str(place)))
    except OSError as error:
        if error.errno == errno.ENOENT:
            return False
        raise
