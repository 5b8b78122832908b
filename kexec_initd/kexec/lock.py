"""One load at a time, and none that a shutdown or a removal would be overtaken by.

The early shutdown step leaves a mark before it looks at anything, and a removal leaves one: with either of them nobody else
begins a load. A load that was under way and ends only when a shutdown has decided, or beside a removal, is taken back; where
nothing is decided yet it stays, since the early step, which waits for the lock, looks at it next.
"""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Iterator, Optional

from kexec_initd import sentences
from kexec_initd.errors import Error, Refused
from kexec_initd.kexec import load
from kexec_initd.state import store
from kexec_initd.state.flock import open_lock, try_lock
from kexec_initd.state.store import Volatile
from kexec_initd.system.virt import find_runlevel

LOCK_TIMEOUT = 15.0
REMOVAL_TIMEOUT = 60.0  # a load may take that long
IN_SHUTDOWN = (None, "0", "6")


@contextlib.contextmanager
def lock_to_load(root: Path) -> Iterator[None]:
    """Hold the lock for a load that is no decision's. Raises Refused where there is to be none any more, Error as `lock`."""
    with lock(root):
        if find_runlevel(root) not in IN_SHUTDOWN:
            for file in (Volatile.STOPPING, Volatile.DECISION):  # of a shutdown that was called off
                store.remove(root, file)
        _refuse_closed(root, Volatile.STOPPING)
        yield
        try:
            _refuse_closed(root, Volatile.DECISION)
        except Refused:
            load.drop(root)
            raise


def _refuse_closed(root: Path, too_late: Volatile) -> None:
    for file, why in ((Volatile.REMOVED, sentences.REMOVED), (too_late, sentences.SHUTTING_DOWN)):
        if store.is_there(root, file):
            raise Refused("nothing is loaded: {} ({} is there)".format(why, store.path_of(root, file)))


@contextlib.contextmanager
def lock_to_remove(root: Path) -> Iterator[None]:
    """Hold the lock for a removal: nothing is loaded at its end that is ours, and nobody who waits for the lock loads then.

    Raises Error where a load does not come to its end; where the removal fails, all is as before.
    """
    with lock(root, REMOVAL_TIMEOUT):
        store.write(root, Volatile.REMOVED, b"")
        try:
            yield
        except BaseException:
            reopen(root)
            raise
        load.drop(root)


def reopen(root: Path) -> None:
    """Allow loads again: kexec-initd is there, or there again. Best effort, the next boot knows nothing of it."""
    with contextlib.suppress(OSError):
        store.remove(root, Volatile.REMOVED)


@contextlib.contextmanager
def lock(root: Path, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """Hold the lock on loading; raise Error when another process keeps it too long.

    It ends with its holder and with all that he has started: a kexec(8) that outlives him is still loading.
    """
    fd = open_lock(store.directory(root, Volatile.LOCK) / Volatile.LOCK.value)
    try:
        deadline = time.monotonic() + timeout
        while not try_lock(fd):
            if time.monotonic() > deadline:
                raise Error("another kexec-initd is still loading after {:g} s".format(timeout))
            time.sleep(0.05)
        os.set_inheritable(fd, True)
        with _interruptible():
            yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Have SIGTERM and SIGHUP do what Ctrl-C does, so that what was begun is taken back; what is ignored stays so."""

    def interrupt(number: int, frame: Optional[FrameType]) -> None:
        raise KeyboardInterrupt

    numbers = [signal.SIGTERM, signal.SIGHUP] if threading.current_thread() is threading.main_thread() else []
    taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
