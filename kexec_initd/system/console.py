"""The console of a shutdown: what is said there is never waited for, and nothing depends on whether it was.

Its output may be stopped, by Ctrl-S or by a serial line whose far end is gone, and then takes no line ever again; it may fail
each write, as a full disk below a redirection does. The last step speaks here.
"""

import os
import select
import sys
import time

TYPE_CHECKING = False  # as in typing, whose import takes longer than all that the last step imports
if TYPE_CHECKING:
    from kexec_initd.system.encoding import Name

STANDARD_OUTPUT = 1
PATIENCE = 4.0  # a full buffer of a serial line of 9600 baud


class Console:
    """/dev/console below `root`; the terminal of who calls us by hand; else standard output, a file of the script then."""

    def __init__(self, root: "Name") -> None:
        self.patience = PATIENCE
        path = "/proc/self/fd/1" if os.isatty(STANDARD_OUTPUT) else os.path.join(root, "dev/console")
        try:
            self.fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_APPEND | os.O_CLOEXEC)
        except OSError:
            self.fd = STANDARD_OUTPUT if sys.stdout is not None else -1

    def say(self, line: str) -> None:
        """Write a line, as far as it is taken before our patience ends, which is none from then on."""
        data = (line + "\n").encode("utf-8", "backslashreplace")
        end = time.monotonic() + self.patience
        try:
            while data and self._has_room(end - time.monotonic()):
                data = data[os.write(self.fd, data) :]
        except (OSError, ValueError):
            return
        if data:
            self.patience = 0.0

    def _has_room(self, seconds: float) -> bool:
        return bool(select.select([], [self.fd], [], max(seconds, 0.0))[1])
