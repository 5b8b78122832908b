"""systemd's journal: one entry with fields of its own, by the native protocol that sd_journal_send(3) speaks.

What stands in the way is no matter: a journal that is full, stopped or missing is never waited for.
"""

import contextlib
from pathlib import Path

from kexec_initd.errors import one_line
from kexec_initd.system.files import is_there

SOCKET = "run/systemd/journal/socket"
NAME = "kexec-initd"
NOTICE = "5"  # syslog(3)


def tell(root: Path, message: str, code: str) -> None:
    """Have the journal, where there is one, keep `message` with its code (KEXEC_INITD_CODE=)."""
    place = root / SOCKET
    if not is_there(place):
        return
    import socket  # takes longer than what it is for, where there is no journal

    fields = {"MESSAGE": message, "PRIORITY": NOTICE, "SYSLOG_IDENTIFIER": NAME, "KEXEC_INITD_CODE": code}
    entry = "".join("{}={}\n".format(name, one_line(value)) for name, value in fields.items())
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(entry.encode("utf-8", "backslashreplace"), str(place))
