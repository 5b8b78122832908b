"""The kernel command line as the kernel splits it, and the parameters on it that are ours.

An attempt (one kexec) is named by an id that rides on the command line of the kernel that is jumped to; the boot that
shows the id is its arrival. Splitting follows next_arg() and parse_args() of the kernel: double quotes group, nothing
is escaped, parameters after `--` belong to init. It is done on bytes, since to the kernel the byte 0xa0 is a space even
inside a UTF-8 character.
"""

import os
import re
from typing import List, Optional, Tuple

from kexec_initd.system.encoding import decode, encode

ATTEMPT = "kexec_initd.attempt"
# Says that the panic= behind it is ours, and not of the entry: a line that is read from the running kernel has both.
PANIC = "kexec_initd.panic"

_TOKEN = re.compile(rb'(?:[^ \t-\r\xa0"]|"[^"]*(?:"|\Z))+')
_MARK = re.compile(rb"kexec_initd\.panic=([0-9]+)\Z")
_ID = re.compile(r"[0-9A-Za-z_-]+\Z")


def new_attempt() -> str:
    """Return a fresh attempt id, 16 random hexadecimal digits."""
    return os.urandom(8).hex()


def find_attempts(cmdline: str) -> List[str]:
    """Return the attempt ids on `cmdline`: a copy of an older line may have brought others than that of the boot."""
    data, found = encode(cmdline), []
    for start, end in tokens(data):
        name, value = parameter(data[start:end])
        if name == b"--" and value is None:
            break
        if name == ATTEMPT.encode() and value:
            found.append(decode(value))
    return found


def has_own_words(cmdline: str) -> bool:
    """Tell whether `cmdline` carries what is only there in a kexec: then it was copied from a running system."""
    data = encode(cmdline)
    return any(parameter(data[start:end])[0].startswith(b"kexec_initd.") for start, end in tokens(data))


def with_attempt(cmdline: str, attempt_id: str, panic: int = 0) -> str:
    """Return `cmdline` with `attempt_id` in place of every older attempt, and all else as it was, byte for byte.

    Where the line does not say what a panic leads to, `panic` makes the kernel reset so many seconds after one; 0 leaves
    it alone. Our words come first: there neither `--`, nor a quote that is left open, nor a cut at the kernel's length
    limit can hide them. Raises ValueError for an id that would not stay one word.
    """
    if not _ID.match(attempt_id):
        raise ValueError("not an attempt id: {!r}".format(attempt_id))
    rest = without_own_words(cmdline)
    words = ["{}={}".format(ATTEMPT, attempt_id)]
    if panic and not says_panic(rest):
        words += ["{}={}".format(PANIC, panic), "panic={}".format(panic)]
    return " ".join(words + [rest] if rest else words)


def without_own_words(cmdline: str) -> str:
    """Return `cmdline` without any attempt and without a panic= of ours, and all else as it was, byte for byte."""
    data = encode(cmdline)
    places = tokens(data)
    for number in reversed(range(len(places))):
        start, end = places[number]
        mark = _MARK.match(data[slice(*places[number - 1])]) if number else None
        ours = mark is not None and data[start:end] == b"panic=" + mark.group(1)
        if ours or _MARK.match(data[start:end]) or parameter(data[start:end])[0] == ATTEMPT.encode():
            data = cut(data, start, end)
    return decode(data)


def cut(data: bytes, start: int, end: int) -> bytes:
    """Cut a parameter out of `data` with one separator: the one behind it, or before it at the end."""
    return data[:start] + data[end + 1 :] if end < len(data) else data[: max(start - 1, 0)]


def says_panic(cmdline: str) -> bool:
    """Tell whether the kernel is told by `cmdline` what to do after a panic."""
    data = encode(cmdline)
    for start, end in tokens(data):
        name, value = parameter(data[start:end])
        if name == b"--" and value is None:
            return False
        if name == b"panic":
            return True
    return False


def tokens(cmdline: bytes) -> List[Tuple[int, int]]:
    """Return where each parameter starts and ends."""
    return [match.span() for match in _TOKEN.finditer(cmdline)]


def parameter(token: bytes) -> Tuple[bytes, Optional[bytes]]:
    """Split a parameter into its name and its value (None without `=`), both without the quotes around them."""
    if token.startswith(b'"'):
        token = token[1:-1] if len(token) > 1 and token.endswith(b'"') else token[1:]
    name, equals, value = token.partition(b"=")
    if not equals:
        return name, None
    if value.startswith(b'"'):
        value = value[1:-1] if len(value) > 1 and value.endswith(b'"') else value[1:]
    return name, value
