"""Diffs without context: how a file that is kept differs from another, which is kept whole.

The format is that of `diff -U 0`, without its two lines of names. A byte is a character (Latin-1), since a file may have any.
"""

import difflib
import re
from typing import Iterable, List, Optional, Tuple

HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@\n")


def make(old: bytes, new: bytes) -> bytes:
    """Return what leads from one file to another."""
    return "".join(list(difflib.unified_diff(_lines(old), _lines(new), n=0))[2:]).encode("latin-1")


def find_nearest(new: bytes, others: Iterable[Tuple[str, bytes]]) -> Optional[Tuple[str, bytes]]:
    """Return the name of the file that `new` is most like, and how it differs; None where it is better kept whole."""
    found = [(name, make(old, new)) for name, old in others]
    nearest = min(found, key=lambda pair: pair[1].count(b"\n"), default=None)
    if nearest is None or not nearest[1].count(b"\n") < new.count(b"\n") / 2 > 10:
        return None
    return nearest


def apply(old: bytes, diff: bytes) -> bytes:
    """Return a file as a diff changes it; fail where it does not fit."""
    lines, rest = _lines(diff), _lines(old)
    for number in reversed([number for number, line in enumerate(lines) if line.startswith("@@")]):
        hunk = HUNK.fullmatch(lines[number])
        assert hunk is not None, lines[number]
        count = int(hunk.group(2) or 1)
        start = int(hunk.group(1)) - (1 if count else 0)  # without lines it names the one before
        body = lines[number + 1 :]
        assert rest[start : start + count] == [line[1:] for line in body if line.startswith("-")]
        rest[start : start + count] = [line[1:] for line in body if line.startswith("+")]
        del lines[number:]
    return "".join(rest).encode("latin-1")


def _lines(content: bytes) -> List[str]:
    return re.findall("[^\n]*\n|[^\n]+", content.decode("latin-1"))
