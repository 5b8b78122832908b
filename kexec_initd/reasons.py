"""Why the last reboot went through firmware: one line that outlives it, "CODE SENTENCE", for `status` to show.

Written early in a shutdown, by plain shell, too, and removed where the decision is kexec; what then becomes of that, `attempts`
knows. Best effort both ways: a disk that is full takes nothing away from a reboot.
"""

import contextlib
import os
from pathlib import Path
from typing import NamedTuple, Optional

from kexec_initd.errors import Refused, one_line
from kexec_initd.files import open_trusted, write_atomic
from kexec_initd.integration.records import STATE_DIR
from kexec_initd.policy import Decision

PATH = Path(STATE_DIR) / "last-cold"
LIMIT = 4096


class LastCold(NamedTuple):
    """The last reboot, which was cold: the code and the sentence of its decision, in seconds since 1970 when."""

    code: str
    reason: str
    time: int


def keep(root: Path, decision: Decision) -> None:
    """Write down why the reboot that is under way is cold, or that it is not."""
    if decision.kexec:
        forget(root)
        return
    place = root / PATH.relative_to("/")
    with contextlib.suppress(OSError):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        line = "{} {}\n".format(decision.code, one_line(decision.reason))
        write_atomic(place, line.encode("utf-8", "backslashreplace")[:LIMIT], 0o600)


def forget(root: Path) -> None:
    """Remove what was written down, if there is something."""
    with contextlib.suppress(OSError):
        (root / PATH.relative_to("/")).unlink()


def read(root: Path) -> Optional[LastCold]:
    """Return why the last reboot was cold; None where it was not, or where nothing of ours says so."""
    try:
        fd = open_trusted(root / PATH.relative_to("/"), os.O_NOFOLLOW)
    except Refused:
        return None
    with os.fdopen(fd, "rb") as file:
        text, written = file.read(LIMIT).decode("utf-8", "backslashreplace"), int(os.fstat(fd).st_mtime)
    code, _, reason = text.partition("\n")[0].partition(" ")
    return LastCold(one_line(code), one_line(reason), written) if reason else None
