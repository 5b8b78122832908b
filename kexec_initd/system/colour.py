"""Colours and a line of progress: on a terminal only, never under NO_COLOR or on a dumb one, and no part of what is said."""

import contextlib
import os
from typing import Iterator, Optional, TextIO

from kexec_initd.errors import one_line

GOOD, CAUTION, BAD = "32", "33", "31"
PATIENCE = 1.0  # seconds before somebody wonders


def is_terminal(stream: TextIO) -> bool:
    """Tell whether a person looks at `stream` on a terminal that can move its cursor."""
    try:
        return stream.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")
    except ValueError:  # it is closed
        return False


def paint(text: str, colour: str, stream: TextIO) -> str:
    """Return `text` in a colour where `stream` shows one (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or not is_terminal(stream):
        return text
    return "\033[{}m{}\033[0m".format(colour, text)


@contextlib.contextmanager
def progress(text: str, stream: Optional[TextIO]) -> Iterator[None]:
    """Say what takes longer than a second, and take that away again; the work itself neither waits for it nor fails."""
    if stream is None or not is_terminal(stream):
        yield
        return
    import threading

    shown = threading.Event()
    fd = stream.fileno()

    def show() -> None:
        shown.set()
        with contextlib.suppress(OSError):
            os.write(fd, "kexec-initd: {} ...\r".format(one_line(text)[:60]).encode("utf-8", "backslashreplace"))

    timer = threading.Timer(PATIENCE, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if shown.is_set():
            with contextlib.suppress(OSError):
                os.write(fd, b"\033[K")
