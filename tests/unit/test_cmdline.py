"""The command line keeps every byte but the attempt, and the attempt can be found again."""

import os
import re
from typing import List, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexec_initd.cmdline.words import ATTEMPT, find_attempts, new_attempt, with_attempt

OLD = ATTEMPT + "=0123456789abcdef"
ANY = st.text() | st.binary().map(os.fsdecode)
IDS = st.text("0123456789abcdef", min_size=16, max_size=16)
TOKENS = st.sampled_from(
    [OLD, '"' + OLD + '"', ATTEMPT, "quiet", "--", 'a="b c"', '"d', "$(x)", "`y`", "%", "\\", "ro", ""]
)
LINES = st.lists(st.tuples(TOKENS, st.sampled_from([" ", "\t", "\n", "  ", "\udca0"]))).map(
    lambda parts: "".join(token + space for token, space in parts)
)


def test_a_new_attempt_is_16_hex_digits_and_never_the_same() -> None:
    assert re.match(r"[0-9a-f]{16}\Z", new_attempt())
    assert new_attempt() != new_attempt()


@pytest.mark.parametrize(
    "cmdline, found",
    [
        ("", None),
        ("ro quiet", None),
        (OLD, "0123456789abcdef"),
        ("ro\n" + OLD + "\tquiet", "0123456789abcdef"),
        ("ro\udca0" + OLD, "0123456789abcdef"),
        (ATTEMPT + "=1 " + ATTEMPT + "=2", "2"),
        ('"' + OLD + '"', "0123456789abcdef"),
        (ATTEMPT + '="x"', "x"),
        (ATTEMPT, None),
        (ATTEMPT + "=", None),
        ("x" + OLD, None),
        ('a="b ' + OLD + '"', None),
        ('a="b ' + OLD, None),
        ("ro -- " + OLD, None),
        ('ro "--" ' + OLD, None),
        ("ro --=x " + OLD, "0123456789abcdef"),
    ],
)
def test_find_attempt(cmdline: str, found: Optional[str]) -> None:
    assert find_attempts(cmdline)[-1:] == ([] if found is None else [found])


@pytest.mark.parametrize(
    "cmdline, rest",
    [
        ("", ""),
        ("ro quiet", "ro quiet"),
        ("ro " + OLD + " quiet", "ro quiet"),
        ("ro " + OLD, "ro"),
        ("ro " + OLD + " " + OLD, "ro"),
        (OLD + " ro", "ro"),
        (OLD, ""),
        ('a="b ' + OLD + ' c" ro', 'a="b ' + OLD + ' c" ro'),
        ('a="b ' + OLD, 'a="b ' + OLD),
        ("ro -- " + OLD + " x", "ro -- x"),
        ("\u00e0 " + OLD, "\u00e0"),
        ("caf\udce9 \u00e0 x", "caf\udce9 \u00e0 x"),
    ],
)
def test_with_attempt_replaces_only_attempts(cmdline: str, rest: str) -> None:
    assert with_attempt(cmdline, "new") == (ATTEMPT + "=new " + rest).rstrip(" ")


ADDED = "kexec_initd.panic=30 panic=30 "


@pytest.mark.parametrize(
    "cmdline, after",
    [
        ("", ADDED),
        ("ro quiet", ADDED + "ro quiet"),
        ("ro panic=5", "ro panic=5"),
        ("ro panic=0 quiet", "ro panic=0 quiet"),
        ('ro "panic=-1"', 'ro "panic=-1"'),
        ("ro panic", "ro panic"),
        ("ro panic_on_oops=1", ADDED + "ro panic_on_oops=1"),
        ('a="b panic=5"', ADDED + 'a="b panic=5"'),
        ("ro -- panic=5", ADDED + "ro -- panic=5"),
        (OLD + " kexec_initd.panic=7 panic=7 ro", ADDED + "ro"),
        (OLD + " kexec_initd.panic=7 panic=5 ro", "panic=5 ro"),
        (OLD + " kexec_initd.panic=7 ro panic=7", "ro panic=7"),
        ("kexec_initd.panic=x panic=x", "kexec_initd.panic=x panic=x"),
    ],
)
def test_a_panic_resets_the_machine_unless_the_line_says_otherwise(cmdline: str, after: str) -> None:
    assert with_attempt(cmdline, "new", 30) == (ATTEMPT + "=new " + after).rstrip(" ")


@given(ANY | LINES)
def test_what_was_added_for_a_panic_goes_again(cmdline: str) -> None:
    assert with_attempt(with_attempt(cmdline, "a", 30), "b") == with_attempt(cmdline, "b")


@pytest.mark.parametrize("identifier", ["", "a b", 'a"', "a\n", "a=b", "\u00e0", "--=\0"])
def test_an_id_that_is_not_one_word_is_an_error(identifier: str) -> None:
    with pytest.raises(ValueError, match="not an attempt id"):
        with_attempt("ro", identifier)


@given(ANY | LINES, IDS)
def test_the_attempt_is_always_found_again(cmdline: str, identifier: str) -> None:
    assert find_attempts(with_attempt(cmdline, identifier))[-1] == identifier


@given(ANY | LINES, IDS, IDS)
def test_the_last_attempt_replaces_the_one_before(cmdline: str, first: str, second: str) -> None:
    assert with_attempt(with_attempt(cmdline, first), second) == with_attempt(cmdline, second)


@given(ANY)
def test_whatever_holds_no_attempt_comes_through_byte_for_byte(cmdline: str) -> None:
    assert os.fsencode(with_attempt(cmdline, "id")) == (ATTEMPT + "=id ").encode() * bool(cmdline) + (
        os.fsencode(cmdline) or (ATTEMPT + "=id").encode()
    )


@given(LINES)
def test_every_other_parameter_stays(cmdline: str) -> None:
    kept = [part for part in _split(cmdline) if not part.strip('"').startswith(ATTEMPT)]
    assert [part for part in _split(with_attempt(cmdline, "id")) if not part.strip('"').startswith(ATTEMPT)] == kept


def _split(cmdline: str) -> List[str]:
    """An independent, slow reading of next_arg(): one character at a time."""
    parts, part, quoted = [], "", False  # type: List[str], str, bool
    for char in cmdline + " ":
        quoted ^= char == '"'
        if char in " \t\n\v\f\r\udca0" and not quoted:
            parts += [part] if part else []
            part = ""
        else:
            part += char
    return parts + ([part[:-1]] if quoted else [])
