"""Text and its bytes, the same in every locale: UTF-8, in which bytes that are none survive as surrogates (PEP 383).

File names, command lines and what boot loaders keep are bytes. Python itself would turn them into text by the locale, so
that under Latin-1 a name of two bytes is asked for by one, and under "C" by none. So whatever may hold more than ASCII
goes to the system as bytes, and text is only what these two make of it. The last step imports this.
"""

import io
import os
import sys

TYPE_CHECKING = False  # as in typing, whose import takes longer than all that the last step imports
if TYPE_CHECKING:
    from typing import List, TextIO, Union

    Name = Union[str, "os.PathLike[str]"]
else:
    Name = "Name"  # for annotations of those who have the time


def encode(text: str) -> bytes:
    """Return the bytes of a text."""
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    """Return the text of bytes, in which every byte survives."""
    return data.decode("utf-8", "surrogateescape")


def name_of(path: "Name") -> bytes:
    """Return the name of a file for a call of the system."""
    return encode(os.fspath(path))


def list_names(directory: "Name") -> "List[str]":
    """Return the names in a directory. Raises OSError."""
    return [decode(name) for name in os.listdir(name_of(directory))]


def read_arguments() -> "List[str]":
    """Return what the command was called with."""
    return [decode(os.fsencode(text)) for text in sys.argv[1:]]


def escape_output() -> None:
    """Have what the locale cannot print escaped on standard output and error, where it would be a traceback."""
    sys.stdout, sys.stderr = _escaping(sys.stdout), _escaping(sys.stderr)


def _escaping(stream: "TextIO") -> "TextIO":
    if not isinstance(stream, io.TextIOWrapper) or stream not in (sys.__stdout__, sys.__stderr__):
        return stream  # of somebody who has put his own there
    stream.flush()
    encoding, by_line = stream.encoding, stream.line_buffering or stream is sys.__stderr__
    return io.TextIOWrapper(stream.detach(), encoding, "backslashreplace", line_buffering=by_line)
