"""GRUB's `test` and `[ ]`, in three values: true, false, and None for what only the boot loader knows.

GRUB reads an expression from left to right: terms side by side are joined by `and` with or without `-a`, `-o` binds
less, and what looks like a comparison is one before anything else is tried.
"""

import re
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from kexec_initd.bootloader.grub2.disk import FileKind, Spot, split_path
from kexec_initd.bootloader.grub2.values import Undecidable, is_unknown
from kexec_initd.system.encoding import encode

MAX_PARENTHESES = 20
_NUMBER = re.compile(r"\s*(-?)(?:0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9][0-9]*))")

Look = Callable[[str], Spot]
Size = Callable[[str], Optional[int]]  # in bytes; 0 for what is no file, None where nobody knows

_STRINGS: Dict[str, Callable[[bytes, bytes], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_NUMBERS: Dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b,
    "-ne": lambda a, b: a != b,
    "-lt": lambda a, b: a < b,
    "-le": lambda a, b: a <= b,
    "-gt": lambda a, b: a > b,
    "-ge": lambda a, b: a >= b,
}
_UNDECIDED = ("-pgt", "-plt", "-nt", "-ot")


class Sight(NamedTuple):
    """How a condition sees files."""

    look: Look
    size: Size


def negated(value: Optional[bool]) -> Optional[bool]:
    """Return not `value`; an unknown stays one."""
    return None if value is None else not value


def both(first: Optional[bool], second: Optional[bool]) -> Optional[bool]:
    """Return `first` and `second`: false where one is false, whatever the other may be."""
    if first is False or second is False:
        return False
    return None if first is None or second is None else True


def either(first: Optional[bool], second: Optional[bool]) -> Optional[bool]:
    """Return `first` or `second`."""
    return negated(both(negated(first), negated(second)))


def number(text: str) -> int:
    """Return the number that `text` begins with, decimal, octal or hexadecimal; 0 for none, as GRUB has it."""
    match = _NUMBER.match(text)
    if not match:
        return 0
    sign, hexadecimal, octal, decimal = match.groups()
    digits, base = next((d, b) for d, b in ((hexadecimal, 16), (decimal, 10), (octal or "0", 8)) if d)
    value = min(int(digits[:30], base), 2**64 - 1)
    return -value if sign else value


def evaluate(arguments: Sequence[str], sight: Sight) -> Optional[bool]:
    """Return the value of the expression. Raises Undecidable for one that is nested too deep."""
    terms = list(arguments[:-1] if arguments and arguments[-1] == "]" else arguments)
    return _Expression(terms, sight).value()


class _Expression:
    def __init__(self, terms: List[str], sight: Sight) -> None:
        self._terms = terms
        self._at = 0
        self._sight = sight
        self._depth = 0

    def value(self) -> Optional[bool]:
        """Evaluate up to the end or a closing parenthesis."""
        self._depth += 1
        if self._depth > MAX_PARENTHESES:
            raise Undecidable("a condition with too many parentheses")
        joined: Optional[bool] = True
        before: Optional[bool] = False
        invert = False
        while self._at < len(self._terms):
            term = self._terms[self._at]
            value, used = self._comparison()
            if not used:
                self._at += 1
                if term == ")":
                    break
                if term == "!":
                    invert = not invert
                    continue
                if term == "-a":
                    continue
                if term == "-o":
                    before, joined = either(before, joined), True
                    continue
                value = self.value() if term == "(" else (None if is_unknown(term) else term != "")
            joined, invert = both(joined, negated(value) if invert else value), False
        self._depth -= 1
        return either(before, joined)

    def _comparison(self) -> Tuple[Optional[bool], bool]:
        """Take a comparison or a question about a file or string, if there is one here: its value, and whether."""
        ahead = self._terms[self._at : self._at + 3]
        if len(ahead) == 3 and (ahead[1] in _STRINGS or ahead[1] in _NUMBERS or ahead[1].startswith(_UNDECIDED)):
            self._at += 3
            return _compare(*ahead), True
        if len(ahead) >= 2 and ahead[0] in ("-d", "-e", "-f", "-s", "-n", "-z"):
            self._at += 2
            return self._question(ahead[0], ahead[1]), True
        return None, False

    def _question(self, what: str, term: str) -> Optional[bool]:
        if what in ("-n", "-z"):
            # A mark may stand for nothing; with other text beside it the value is not empty in any case.
            if is_unknown(term) and not re.sub("\0[^\0]*\0", "", term):
                return None
            return (term != "") == (what == "-n")
        if what == "-s":
            size = self._sight.size(term)
            return None if size is None else size > 0
        spot = self._sight.look(term)
        if spot.kind is FileKind.UNKNOWN:
            return False if what == "-f" and not split_path(term)[1].strip("/") else None  # a device is no file
        wanted = {"-d": (FileKind.DIRECTORY,), "-f": (FileKind.FILE, FileKind.OTHER)}
        return spot.kind in wanted.get(what, (FileKind.DIRECTORY, FileKind.FILE, FileKind.OTHER))


def _compare(first: str, operator: str, second: str) -> Optional[bool]:
    if is_unknown(first) or is_unknown(second) or operator.startswith(_UNDECIDED):
        return None
    if operator in _STRINGS:
        return _STRINGS[operator](encode(first), encode(second))
    return _NUMBERS[operator](number(first), number(second))
