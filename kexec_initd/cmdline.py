"""The kernel command line as the kernel splits it, and the one parameter on it that is ours.

An attempt (one kexec) is named by an id that rides on the command line of the kernel that is jumped to; the boot that
shows the id is its arrival. Splitting follows next_arg() and parse_args() of the kernel: double quotes group, nothing
is escaped, parameters after `--` belong to init. It is done on bytes, since to the kernel the byte 0xa0 is a space even
inside a UTF-8 character. Text is what os.fsdecode() gives, so that every byte survives.
"""

import os
import re
from typing import List, Optional, Tuple

ATTEMPT = "kexec_initd.attempt"

_TOKEN = re.compile(rb'(?:[^ \t-\r\xa0"]|"[^"]*(?:"|\Z))+')
_ID = re.compile(r"[0-9A-Za-z_-]+\Z")


def new_attempt() -> str:
    """Return a fresh attempt id, 16 random hexadecimal digits."""
    return os.urandom(8).hex()


def find_attempt(cmdline: str) -> Optional[str]:
    """Return the attempt id on `cmdline`, the last one where there are several, or None."""
    found = None
    for start, end in _tokens(_encode(cmdline)):
        name, value = _parameter(_encode(cmdline)[start:end])
        if name == b"--" and value is None:
            break
        if name == ATTEMPT.encode() and value:
            found = _decode(value)
    return found


def with_attempt(cmdline: str, attempt_id: str) -> str:
    """Return `cmdline` with `attempt_id` in place of every older attempt, and all else as it was, byte for byte.

    The parameter comes first: there neither `--`, nor a quote that is left open, nor a cut at the kernel's length limit
    can hide it. Raises ValueError for an id that would not stay one word.
    """
    if not _ID.match(attempt_id):
        raise ValueError("not an attempt id: {!r}".format(attempt_id))
    rest = without_attempts(cmdline)
    parameter = "{}={}".format(ATTEMPT, attempt_id)
    return parameter + " " + rest if rest else parameter


def without_attempts(cmdline: str) -> str:
    """Return `cmdline` without any attempt, and all else as it was, byte for byte."""
    return _decode(_without_attempts(_encode(cmdline)))


def _without_attempts(cmdline: bytes) -> bytes:
    """Cut every attempt out of `cmdline`, each with one separator: the one behind it, or before it at the end."""
    for start, end in reversed(_tokens(cmdline)):
        if _parameter(cmdline[start:end])[0] != ATTEMPT.encode():
            continue
        if end < len(cmdline):
            cmdline = cmdline[:start] + cmdline[end + 1 :]
        else:
            cmdline = cmdline[: max(start - 1, 0)]
    return cmdline


def _tokens(cmdline: bytes) -> List[Tuple[int, int]]:
    """Return where each parameter starts and ends."""
    return [match.span() for match in _TOKEN.finditer(cmdline)]


def _parameter(token: bytes) -> Tuple[bytes, Optional[bytes]]:
    """Split a parameter into its name and its value (None without `=`), both without the quotes around them."""
    if token.startswith(b'"'):
        token = token[1:-1] if len(token) > 1 and token.endswith(b'"') else token[1:]
    name, equals, value = token.partition(b"=")
    if not equals:
        return name, None
    if value.startswith(b'"'):
        value = value[1:-1] if len(value) > 1 and value.endswith(b'"') else value[1:]
    return name, value


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
