"""The system's log: an event in one line with its code, for systemd's journal where there is one, else for syslog(3).

What stands in the way is no matter: a log that is full, stopped or missing is never waited for.
"""

import contextlib
import os
from pathlib import Path

from kexec_initd.errors import one_line
from kexec_initd.system import journal
from kexec_initd.system.files import is_there

SOCKET = "dev/log"
DAEMON_NOTICE = 3 * 8 + 5  # syslog(3): facility and severity


def tell(root: Path, message: str, code: str) -> None:
    """Have the log keep `message` with its code: in a field of the journal, else in brackets."""
    if is_there(root / journal.SOCKET):
        journal.tell(root, message, code)
    elif is_there(root / SOCKET):
        line = "<{}>{}[{}]: {} [{}]".format(DAEMON_NOTICE, journal.NAME, os.getpid(), one_line(message), one_line(code))
        _send(str(root / SOCKET), line.encode("utf-8", "backslashreplace"))


def _send(place: str, data: bytes) -> None:
    import socket  # takes longer than what it is for, where there is no log

    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):  # some take the one, some the other
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, kind) as sender:
            sender.setblocking(False)
            sender.connect(place)
            sender.send(data if kind == socket.SOCK_DGRAM else data + b"\0")
            return
