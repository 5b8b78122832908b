"""Values that only the boot loader knows, and how far they spread.

A variable is text. A part of it that depends on the firmware, the hardware or a key is written as a mark: a name between
two NUL characters, which no text of a configuration can hold. Joining, splitting and passing on keep the mark, so what
is computed from an unknown is seen to be unknown as well.
"""

import re

MARK = "\0"
_MARKED = re.compile("\0([^\0]*)\0")


# What is read where nobody knows whether this GRUB keeps the escape of a hexadecimal number.
HEXADECIMAL = MARK + "what-this-GRUB-makes-of-a-hexadecimal-escape" + MARK


class Undecidable(Exception):
    """Raised where it cannot be known from here what the configuration does; the text says why."""


def unknown(name: str) -> str:
    """Return the value that stands for the unknown `name`."""
    return MARK + "".join(name.split()).replace(MARK, "") + MARK


def is_unknown(text: str) -> bool:
    """Tell whether a part of `text` is unknown."""
    return MARK in text


def why_unknown(text: str) -> str:
    """Return the name of the first unknown in `text`."""
    match = _MARKED.search(text)
    return match.group(1) if match else "an unknown value"


def shown(text: str) -> str:
    """Return `text` to be read by people: an unknown part as its name in angle brackets."""
    return _MARKED.sub(r"<\1>", text).replace(MARK, "")
