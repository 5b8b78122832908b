"""Patterns for the names of boot entries as systemd-boot matches them: `*`, `?`, `[a-z]` and the backslash."""

import re
from functools import lru_cache
from typing import FrozenSet, List, Optional, Set, Tuple

Token = Optional[FrozenSet[str]]  # the characters that fit; none given: any one
RANGE = re.compile(r"(.)-(.)|(.)", re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    """Tell whether `pattern` fits the whole of `text`; takes the product of their lengths at most."""
    tokens = _parse(pattern)
    if tokens is None:
        return False
    at = position = 0
    star, retry = -1, 0
    while position < len(text):
        if at < len(tokens) and not tokens[at][1] and _fits(tokens[at][0], text[position]):
            at, position = at + 1, position + 1
        elif at < len(tokens) and tokens[at][1]:
            star, retry, at = at, position, at + 1
        elif star >= 0:
            retry += 1
            at, position = star + 1, retry
        else:
            return False
    return all(repeats for _, repeats in tokens[at:])


def _fits(token: Token, char: str) -> bool:
    return token is None or char in token


@lru_cache(maxsize=8)
def _parse(pattern: str) -> Optional[List[Tuple[Token, bool]]]:
    """Return what fits in each place, and whether it is the star; None for a pattern that is not closed."""
    tokens: List[Tuple[Token, bool]] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            tokens.append((None, True))
        elif char == "?":
            tokens.append((None, False))
        elif char == "[":
            end = pattern.find("]", at + 1)
            if end < 0:
                return None
            tokens.append((_members(pattern[at:end]), False))
            at = end + 1
        else:
            if char == "\\":
                if at == len(pattern):
                    return None
                char, at = pattern[at], at + 1
            tokens.append((frozenset(char), False))
    return tokens


def _members(text: str) -> FrozenSet[str]:
    """Return the characters of a set: single ones and ranges."""
    members: Set[str] = set()
    for first, final, single in RANGE.findall(text):
        members.update(map(chr, range(ord(first or single), ord(final or single) + 1)))
    return frozenset(members)
