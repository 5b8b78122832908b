"""Why the running boot came through firmware: one line that outlives a reboot, "CODE SENTENCE", for `status` to show.

The lasting file holds what will be true of the next boot if no more is said. At the end of a boot that is UNDECIDED; a shutdown,
plain shell among its ways, writes the reason of its decision over it. What becomes of a kexec, the record of attempts knows: its
arrival is none of this, and an attempt that was lost is the reason itself, whether the jump or the new kernel failed. The
first look of a boot moves what holds for it into the state directory. Best effort: a disk that is full takes nothing away
from a reboot.
"""

import contextlib
from pathlib import Path
from typing import NamedTuple, Optional

from kexec_initd.codes import Code, Decision
from kexec_initd.errors import Error, one_line
from kexec_initd.history.guard import Outcome, Record
from kexec_initd.state import store
from kexec_initd.state.store import LASTING, Damaged, Lasting, StateFile, Volatile

PATH = Path(LASTING) / Lasting.LAST_COLD.value
LIMIT = 4096


class LastCold(NamedTuple):
    """The code and the sentence of a reboot that was cold."""

    code: str
    reason: str


UNDECIDED = LastCold(
    Code.UNDECIDED.value,
    "nothing was decided: the machine was switched off or reset, lost its power, or its shutdown was cut short",
)


def keep(root: Path, decision: Decision) -> None:
    """Write down why the reboot that is under way is cold. Of a kernel that was loaded by hand nothing is to be said."""
    if not decision.kexec:
        with contextlib.suppress(Error, OSError):
            _write(root, Lasting.LAST_COLD, LastCold(str(decision.code), decision.reason))
    elif decision.code is Code.BY_HAND:
        forget(root)


def forget(root: Path) -> None:
    """Remove what was written down, if there is something."""
    with contextlib.suppress(OSError):
        store.remove(root, Lasting.LAST_COLD)


def take_over(root: Path, record: Record) -> None:
    """Once a boot, `record` being judged: move why it came so, begin anew for the next."""
    with contextlib.suppress(Error, OSError):
        if not store.is_there(root, Volatile.LAST_COLD):
            _write(root, Volatile.LAST_COLD, _derive(root, record))
            _write(root, Lasting.LAST_COLD, UNDECIDED)


def find(root: Path, record: Record) -> Optional[LastCold]:
    """Return why the running boot came through firmware; None where it did not, or where nothing of ours says so."""
    shown = store.is_there(root, Volatile.LAST_COLD)
    return read(root, Volatile.LAST_COLD) if shown else _derive(root, record)


def read(root: Path, file: StateFile = Lasting.LAST_COLD) -> Optional[LastCold]:
    """Return what `file` says; None where it says nothing, or is none of ours."""
    try:
        text = (store.read(root, file, LIMIT) or b"").decode("utf-8", "backslashreplace")
    except Damaged:
        return None
    code, _, reason = text.partition("\n")[0].partition(" ")
    return LastCold(one_line(code), one_line(reason)) if reason else None


def _derive(root: Path, record: Record) -> Optional[LastCold]:
    last, closed = record.last, record.guard
    if record.kexecs:
        return None
    # A guard that has seen no boot since was closed by this one.
    if closed is not None and closed.boots == 0 and last is not None and last.outcome is Outcome.LOST:
        return LastCold(Code.LOST.value, "{}: the jump failed, or what it started did not come up".format(closed))
    return read(root)


def _write(root: Path, file: StateFile, why: Optional[LastCold]) -> None:
    line = "{} {}\n".format(why.code, one_line(why.reason)) if why else ""
    store.write(root, file, line.encode("utf-8", "backslashreplace")[:LIMIT])
