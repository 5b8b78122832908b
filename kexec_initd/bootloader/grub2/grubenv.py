"""GRUB's environment block: a signature line, variables, and `#` up to the end of the file, most often 1024 bytes.

Read and changed as grub-core/lib/envblk.c does it, in any size: a name is whatever stands in front of the next `=`,
line feeds too; a backslash quotes what follows it in a value; a line that begins with `#` is passed over; what has no
end ends the reading. Only a block whose filling is whole can be written to, as far as the filling goes.
"""

from typing import Dict, NamedTuple, Optional

from kexec_initd.errors import Refused

SIGNATURE = b"# GRUB Environment Block\n"
SIZE = 1024  # what grub-editenv makes


class Variable(NamedTuple):
    """A variable of the block, and the line it stands on."""

    value: str
    line: int


def parse(data: bytes) -> Dict[str, Variable]:
    """Return the variables of a block. Raises Refused for what GRUB takes for none."""
    if not data.startswith(SIGNATURE) or len(data) == len(SIGNATURE):
        raise Refused("the environment block has no signature")
    found = {}
    at, line, counted = len(SIGNATURE), 2, len(SIGNATURE)
    while at < len(data):
        if data[at : at + 1] != b"#":
            equals = data.find(b"=", at)
            end = _end_of_line(data, equals + 1) if equals >= 0 else len(data)
            if end >= len(data):
                break
            line, counted = line + data.count(b"\n", counted, equals), equals
            found[_text(data[at:equals])] = Variable(_text(_unescape(data[equals + 1 : end])), line)
            at = end
        at = _end_of_line(data, at) + 1
    return found


def with_changes(data: bytes, changes: Dict[str, Optional[str]]) -> bytes:
    """Return the block with variables set, or deleted where the value is None; all else stays as and where it was.

    A new variable comes last, and of a doubled one the first is changed. Raises Refused where GRUB would not write: for
    what is no block, and where the filling is damaged or too short.
    """
    parse(data)
    for name, value in sorted(changes.items(), key=lambda item: item[1] is not None):
        key = name.encode("utf-8", "surrogateescape") + b"="
        changed = _without(data, key) if value is None else _with(data, key, _escape(value))
        if changed is None:
            raise Refused("the environment block has no room for {}".format(", ".join(sorted(changes))))
        data = changed
    return data


def _with(data: bytes, key: bytes, value: bytes) -> Optional[bytes]:
    """Set a variable (grub_envblk_set); None where that cannot be."""
    used = data.rstrip(b"#")
    if not used.endswith(b"\n"):
        return None
    at = _find(data, key, len(used))
    if at is None:
        new = used + key + value + b"\n"
    else:
        end = _end_of_line(data, at + len(key))
        if end >= len(data):
            return None
        new = used[: at + len(key)] + value + used[end:]
    return new.ljust(len(data), b"#") if len(new) <= len(data) else None


def _without(data: bytes, key: bytes) -> bytes:
    """Delete a variable (grub_envblk_delete), which never fails."""
    at = _find(data, key, len(data))
    end = len(data) if at is None else _end_of_line(data, at + len(key))
    if at is None or end >= len(data):
        return data
    return (data[:at] + data[end + 1 :]).ljust(len(data), b"#")


def _find(data: bytes, key: bytes, end: int) -> Optional[int]:
    """Return where a line begins with `key`, before `end`; the line feeds that a name may hold end a line here."""
    at = len(SIGNATURE)
    while at + len(key) < end:
        if data.startswith(key, at):
            return at
        at = _end_of_line(data, at) + 1
    return None


def _end_of_line(data: bytes, at: int) -> int:
    """Return where the line feed is that no backslash quotes; the size or more for none."""
    while True:
        feed = data.find(b"\n", at)
        quote = data.find(b"\\", at, feed if feed >= 0 else len(data))
        if feed < 0 or quote < 0:
            return len(data) if feed < 0 else feed
        at = quote + 2


def _escape(value: str) -> bytes:
    return value.replace("\\", "\\\\").replace("\n", "\\\n").encode("utf-8", "surrogateescape")


def _unescape(value: bytes) -> bytes:
    parts = value.split(b"\\\\")
    return b"\\".join(part.replace(b"\\", b"") for part in parts)


def _text(data: bytes) -> str:
    """Return a string of C: it ends at the first NUL."""
    return data.split(b"\0")[0].decode("utf-8", "surrogateescape")
