"""Which line of a menu GRUB boots when no key is pressed.

The variable `default` holds a position, an id or a title, with `>` between the levels of submenus. What names no line is
the first one. Fedora's GRUB looks for names before positions; where versions
differ, nothing is chosen.
"""

import re
from typing import List, NamedTuple, Optional, Tuple

from kexec_initd.bootloader.grub2.values import Undecidable, is_unknown, shown, why_unknown

_FIRST = re.compile(r"((?:[^>]|>>)*)(?:>(.*))?\Z", re.DOTALL)
_POSITION = re.compile(r"0\Z|[1-9][0-9]{0,8}\Z")
_NUMERIC = re.compile(r"\s*[-+]?[0-9]")


class MenuLine(NamedTuple):
    """A line of a menu: an entry by its `number` in the flattened menu, or a submenu with its own level."""

    title: str
    id: str
    certain: bool
    number: int
    level: Optional["Level"]


class Level(NamedTuple):
    """A menu or submenu; `problem` says why its lines may be others."""

    lines: Tuple[MenuLine, ...]
    problem: Optional[str]


def find_default(level: Level, wish: Optional[str], fedora: bool) -> Optional[int]:
    """Return the index of the entry that `wish`, the value of `default`, leads to; None for an empty menu.

    Raises Undecidable.
    """
    if level.problem:
        raise Undecidable(level.problem)
    if not level.lines:
        return None
    first, rest = _split(wish)
    if wish is not None and is_unknown(wish):
        raise Undecidable("the default depends on {}".format(why_unknown(wish)))
    position = find(level.lines, first, fedora, alone=rest is None)
    line = level.lines[position]
    if any(not other.certain for other in level.lines[: position + 1]):
        raise Undecidable("whether the menu has the entry {} is not known".format(_uncertain(level, position)))
    if line.level is None:
        return line.number
    return find_default(line.level, rest or None, fedora)


def _uncertain(level: Level, position: int) -> str:
    return next(shown(line.title) for line in level.lines[: position + 1] if not line.certain)


def _split(wish: Optional[str]) -> Tuple[Optional[str], Optional[str]]:
    match = _FIRST.match(wish) if wish is not None else None
    return (match.group(1), match.group(2)) if match else (wish, None)


def find(lines: Tuple[MenuLine, ...], first: Optional[str], fedora: bool, alone: bool) -> int:
    """Return the position that the first part of `default` names, 0 where it names none.

    `alone`: there is no part behind it. Raises Undecidable where versions of GRUB differ.
    """
    if not first:
        return 0
    numeric = bool(_NUMERIC.match(first))
    if numeric and not fedora:
        return _by_number(lines, first)
    named = _by_name(lines, first.replace(">>", ">"))
    if named is not None:
        return named
    if numeric and not alone:
        raise Undecidable("Fedora's GRUB reads a position in a submenu in its own way")
    return _by_number(lines, first) if numeric else 0


def _by_name(lines: Tuple[MenuLine, ...], name: str) -> Optional[int]:
    if any(is_unknown(line.id + line.title) for line in lines):
        raise Undecidable("the name of an entry depends on {}".format(_unknown_name(lines)))
    named = [position for position, line in enumerate(lines) if name in (line.id, line.title)]
    by_id = [position for position in named if lines[position].id == name]
    if by_id and by_id[0] != named[0]:
        raise Undecidable("{} is the id of one entry and the title of another".format(name))
    return named[0] if named else None


def _by_number(lines: Tuple[MenuLine, ...], first: str) -> int:
    if not _POSITION.match(first):
        raise Undecidable("versions of GRUB differ in what the default {!r} means".format(first))
    if any(first in (line.id, line.title) and int(first) != position for position, line in enumerate(lines)):
        raise Undecidable("{!r} is a position and the name of another entry".format(first))
    if int(first) < len(lines):
        return int(first)
    if not all(line.certain for line in lines):
        raise Undecidable("whether the menu has an entry {} is not known".format(first))
    return 0


def _unknown_name(lines: Tuple[MenuLine, ...]) -> str:
    return next(why_unknown(line.id + line.title) for line in lines if is_unknown(line.id + line.title))


def fallbacks(level: Level, text: str) -> List[int]:
    """Return the positions in `fallback`, numbers with spaces between them. Raises Undecidable for anything else."""
    words = text.split()
    if is_unknown(text) or not all(_POSITION.match(word) for word in words):
        raise Undecidable("the fallback {!r}".format(shown(text)))
    if not all(line.certain for line in level.lines):
        raise Undecidable("which entries the menu has is not known")
    return [int(word) for word in words]
