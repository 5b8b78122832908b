"""A marked block in a script of the host, put in and taken out again so that every other byte stays as it was.

Pure functions on bytes: the file may hold any encoding. A block that follows a text without final newline carries
none itself, so that the newline between them is known to be ours.
"""

import re
from typing import List, NamedTuple, Optional, Pattern, Tuple

from kexec_initd.errors import Refused

BEGIN = b"# BEGIN kexec-initd"
END = b"# END kexec-initd"
UNFINISHED = (b"\\", b"&&", b"||", b"|")
COMMENTS = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?(?:\n|\Z))*")


class Span(NamedTuple):
    """Where a block lies: text[start:stop], its marker lines and, if it ends the text without one, the newline before."""

    start: int
    stop: int
    separated: bool


def find_block(text: bytes) -> Optional[Span]:
    """Return where the block is, or None. Raises Refused where the marker lines are not one pair in order."""
    begins, ends = _lines_with(text, BEGIN), _lines_with(text, END)
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or begins[0][0] > ends[0][0]:
        raise Refused(
            "the kexec-initd block is damaged: {} line(s) '{}', {} line(s) '{}'".format(
                len(begins), BEGIN.decode(), len(ends), END.decode()
            ),
            "remove what is left of the block by hand",
        )
    start, stop = begins[0][0], ends[0][1]
    separated = start > 0 and not text[:stop].endswith(b"\n")
    return Span(start - 1 if separated else start, stop, separated)


def add_block(
    text: bytes, block: bytes, last: Optional[Pattern[bytes]] = None, before: Optional[Pattern[bytes]] = None
) -> bytes:
    """Return `text` with `block` (whole lines) in place of an older one: before the first command.

    Where `last` is given, before a last command like it, else at the end; where `before` is, before the first match.
    """
    if before is not None:
        return _add_before(remove_block(text), block, before)
    if last is None:
        return _add_first(remove_block(text), block)
    span = find_block(text)
    if span is not None:
        new = b"\n" + block[:-1] if span.separated else block
        return text[: span.start] + new + text[span.stop :]
    place = find_last_command(text, last)
    if place is not None:
        return text[:place] + block + text[place:]
    if text and not text.endswith(b"\n"):
        return text + b"\n" + block[:-1]
    return text + block


def _add_first(text: bytes, block: bytes) -> bytes:
    """Put the block behind the comments with which the text begins: a shell runs it, whatever comes then."""
    begin = COMMENTS.match(text)
    place = begin.end() if begin else 0
    if place and not text[:place].endswith(b"\n"):
        return text + b"\n" + block[:-1]
    return text[:place] + block + text[place:]


def _add_before(text: bytes, block: bytes, like: Pattern[bytes]) -> bytes:
    """Put the block before the first line whose beginning is like that."""
    found = like.search(text)
    return text if found is None else text[: found.start()] + block + text[found.start() :]


def remove_block(text: bytes) -> bytes:
    """Return `text` without the block; unchanged where there is none."""
    span = find_block(text)
    return text if span is None else text[: span.start] + text[span.stop :]


def read_block(text: bytes) -> Optional[bytes]:
    """Return the block as whole lines, or None where there is none."""
    span = find_block(text)
    if span is None:
        return None
    return text[span.start + 1 : span.stop] + b"\n" if span.separated else text[span.start : span.stop]


def find_last_command(text: bytes, like: Pattern[bytes]) -> Optional[int]:
    """Return where the line of the last command starts if `like` matches it whole and it stands by itself, else None."""
    place, starts = 0, []
    for line in text.split(b"\n"):
        if line.strip() and not line.lstrip().startswith(b"#"):
            starts.append((place, line))
        place += len(line) + 1
    if not starts or not like.fullmatch(starts[-1][1]):
        return None
    if len(starts) > 1 and starts[-2][1].rstrip().endswith(UNFINISHED):
        return None
    return starts[-1][0]


def _lines_with(text: bytes, marker: bytes) -> List[Tuple[int, int]]:
    """Return start and end (behind the newline) of each line that begins with `marker`."""
    pattern = re.compile(b"^" + re.escape(marker) + rb"(?![^\n: ])[^\n]*(\n|\Z)", re.MULTILINE)
    return [match.span() for match in pattern.finditer(text)]
