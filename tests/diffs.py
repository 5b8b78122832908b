"""Diffs without context: how a file that is kept differs from another one.

The format is that of `diff -U 0`, without its two lines of names. What goes is not written out, since the other file has it: the
first line of a hunk ends with the CRC-32 of that. A byte is a character (Latin-1), since a file may have any.
"""

import difflib
import re
import zlib
from typing import Iterable, List, Optional, Tuple

HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@ ([0-9a-f]{8})\n")


def make(old: bytes, new: bytes) -> bytes:
    """Return what leads from one file to another."""
    hunks: List[List[str]] = []
    for line in list(difflib.unified_diff(_lines(old), _lines(new), n=0))[2:]:
        if line.startswith("@@"):
            hunks.append([])
        hunks[-1].append(line)
    return "".join(_shorten(*hunk) for hunk in hunks).encode("latin-1")


def _shorten(head: str, *body: str) -> str:
    gone = [line[1:] for line in body if line.startswith("-")]
    return "{} {}\n{}".format(head.rstrip("\n"), _sum(gone), "".join(line for line in body if line.startswith("+")))


def _sum(lines: Iterable[str]) -> str:
    return "{:08x}".format(zlib.crc32("".join(lines).encode("latin-1")))


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
        assert _sum(rest[start : start + count]) == hunk.group(3)
        rest[start : start + count] = [line[1:] for line in body]
        del lines[number:]
    return "".join(rest).encode("latin-1")


def _lines(content: bytes) -> List[str]:
    return re.findall("[^\n]*\n|[^\n]+", content.decode("latin-1"))
