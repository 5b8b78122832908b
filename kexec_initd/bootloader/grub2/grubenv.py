"""GRUB's environment block: 1024 bytes that begin with a signature line and are filled up with `#`.

See "Environment block" in the manual of GNU GRUB; a backslash quotes a line feed or a backslash in a value.
"""

from typing import Dict, List, NamedTuple, Optional

from kexec_initd.errors import Refused

SIGNATURE = b"# GRUB Environment Block\n"
SIZE = 1024


class Variable(NamedTuple):
    """A variable of the block, and the line it stands on."""

    value: str
    line: int


def parse(data: bytes) -> Dict[str, Variable]:
    """Return the variables of a block. Raises Refused for what is none: another size, no signature, a cut value."""
    if len(data) != SIZE:
        raise Refused("the environment block has {} bytes instead of {}".format(len(data), SIZE))
    if not data.startswith(SIGNATURE):
        raise Refused("the environment block has no signature")
    found = {}
    line = 1
    for raw in _lines(data[len(SIGNATURE) :]):
        line += 1
        if raw[:1] not in (b"", b"#", b"\r"):
            name, equals, value = raw.partition(b"=")
            if not equals or b"\0" in raw:
                raise Refused("the environment block is damaged in line {}".format(line))
            found[name.decode("utf-8", "surrogateescape")] = Variable(_unescape(value), line)
        line += raw.count(b"\n")
    return found


def with_changes(data: bytes, changes: Dict[str, Optional[str]]) -> bytes:
    """Return the block with variables set, or deleted where the value is None; all else stays as and where it was.

    As GRUB does it (grub-core/lib/envblk.c): a new variable comes last, and of a doubled one the first is changed.
    Raises Refused for a block that is damaged or has no room.
    """
    parse(data)
    lines = _lines(data[len(SIGNATURE) :])
    for name, value in changes.items():
        lines = _with_change(lines, name, value)
    text = SIGNATURE + b"".join(line + b"\n" for line in lines)
    if len(text) > SIZE:
        raise Refused("the environment block has no room for {}".format(", ".join(sorted(changes))))
    return text + b"#" * (SIZE - len(text))


def _with_change(lines: List[bytes], name: str, value: Optional[str]) -> List[bytes]:
    key = name.encode("utf-8", "surrogateescape") + b"="
    at = next((number for number, line in enumerate(lines) if line.startswith(key)), len(lines))
    new = [] if value is None else [key + _escape(value)]
    return lines[:at] + new + lines[at + 1 :]


def _lines(data: bytes) -> List[bytes]:
    """Split at line feeds that are not quoted; the rest behind the last one must be filling."""
    lines, start, at = [], 0, 0
    while at < len(data):
        if data[at : at + 1] == b"\n":
            lines.append(data[start:at])
            start = at + 1
        at += 2 if data[at : at + 1] == b"\\" and data[start : start + 1] != b"#" else 1
    if data[start:].strip(b"#"):
        raise Refused("the environment block is damaged at its end")
    return lines


def _escape(value: str) -> bytes:
    return value.replace("\\", "\\\\").replace("\n", "\\\n").encode("utf-8", "surrogateescape")


def _unescape(value: bytes) -> str:
    parts = value.split(b"\\\\")
    return b"\\".join(part.replace(b"\\", b"") for part in parts).decode("utf-8", "surrogateescape")
