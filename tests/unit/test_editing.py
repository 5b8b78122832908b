"""What the settings append and remove, and what was typed for one boot only."""

from typing import Optional

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kexec_initd.cmdline.edit import ONE_OFF, check_one_off, edited, find_one_off, parse_words
from kexec_initd.cmdline.words import with_attempt
from kexec_initd.errors import Refused
from tests.unit.test_cmdline import ANY, LINES

APPENDS = st.sampled_from(["", "a", 'x="y z" quiet', "console=ttyS0 console=tty0", "panic=5", '"a b"'])
REMOVES = st.sampled_from(["", "quiet", "a", '"a=b c"', "x console", "panic"])


@pytest.mark.parametrize(
    "cmdline, append, remove, after",
    [
        ("", "", "", ""),
        ("ro quiet", "", "", "ro quiet"),
        ("", "a", "", "kexec_initd.append a"),
        ("ro quiet", "a b=c", "", "ro quiet kexec_initd.append a b=c"),
        ("ro -- single", "a", "", "ro kexec_initd.append a -- single"),
        ("--", "a", "", "kexec_initd.append a --"),
        ('ro "--" x', "a", "", 'ro kexec_initd.append a "--" x'),
        ("ro --=x", "a", "", "ro --=x kexec_initd.append a"),
        ('b="c -- d"', "a", "", 'b="c -- d" kexec_initd.append a'),
        ("ro kexec_initd.append old older", "a", "", "ro kexec_initd.append a"),
        ("ro kexec_initd.append old -- x", "", "", "ro -- x"),
        ("kexec_initd.append old", "", "", ""),
        ("kexec_initd.append=x ro", "", "", "kexec_initd.append=x ro"),
        ("ro -- kexec_initd.append x", "", "", "ro -- kexec_initd.append x"),
        ("kexec_initd.attempt=1 kexec_initd.panic=9 panic=9 ro", "a", "", "ro kexec_initd.append a"),
        ("ro  quiet\tsplash", "", "quiet", "ro  splash"),
        ("console=tty0 ro console=ttyS0,9600 consoleblank=0", "", "console", "ro consoleblank=0"),
        ("console=tty0 ro console=ttyS0", "", "console=tty0", "ro console=ttyS0"),
        ('"a=b c" a="b c" a=b', "", 'a="b c"', "a=b"),
        ("ro quiet -- quiet", "", "quiet", "ro -- quiet"),
        ("quiet", "quiet", "quiet", "kexec_initd.append quiet"),
        ("$(x) `y` \\ 'z'", "", "'z'", "$(x) `y` \\"),
        ("caf\udce9 \u00e0 x", "", "x", "caf\udce9 \u00e0"),
    ],
)
def test_edited(cmdline: str, append: str, remove: str, after: str) -> None:
    assert edited(cmdline, append, remove) == after


def test_nothing_is_appended_inside_an_open_quote() -> None:
    with pytest.raises(Refused, match="leaves a quote open"):
        edited('ro a="b', "c", "")
    assert edited('ro a="b', "", "") == 'ro a="b'
    assert edited('ro a="b', "c", "a") == "ro kexec_initd.append c"


def _edited(cmdline: str, append: str, remove: str) -> Optional[str]:
    try:
        return edited(cmdline, append, remove)
    except Refused:
        return None


@given(ANY | LINES, APPENDS, APPENDS, REMOVES)
def test_what_was_edited_before_is_edited_as_if_it_were_new(line: str, first: str, second: str, remove: str) -> None:
    before = _edited(line, first, remove)
    if before is not None:
        assert _edited(with_attempt(before, "new", 30), second, remove) == _edited(line, second, remove)


@given(ANY | LINES)
def test_without_settings_only_our_own_words_go(cmdline: str) -> None:
    assume("kexec_initd." not in cmdline)
    assert edited(cmdline, "", "") == cmdline


@pytest.mark.parametrize("word", sorted(ONE_OFF))
def test_words_for_one_boot(word: str) -> None:
    assert find_one_off("ro {} quiet".format(word), "") == word
    assert find_one_off("ro x{} quiet".format(word), "") is None
    assert find_one_off("ro {}".format(word), "a {}".format(word)) is None
    with pytest.raises(Refused, match="one boot only"):
        check_one_off("ro -- {}".format(word), "")


@pytest.mark.parametrize(
    "cmdline, vouched, found",
    [
        ("ro init=/bin/sh", "", "init"),
        ("ro init=/bin/sh", "init=/sbin/init", "init"),
        ("ro init=/sbin/runit", 'init="/sbin/runit"', None),
        ('"init=/bin/sh"', "", "init"),
        ('a="b single c"', "", None),
        ("initcall_debug rd.breakpoint=x rescue_me S=1x", "", "S"),
        ("root=/dev/sda1 ro quiet splash panic=0 rd.shell=0 3=x", "", "3"),
        ("BOOT_IMAGE=/vmlinuz root=UUID=1 ro crashkernel=512M console=ttyS0 -- -v", "", None),
        ("caf\udce9 s", "", "s"),
    ],
)
def test_find_one_off(cmdline: str, vouched: str, found: Optional[str]) -> None:
    assert find_one_off(cmdline, vouched) == found


@pytest.mark.parametrize(
    "value", ["a\nb", "a\tb", "\x7f", "\u00e0", 'a="b', "a -- b", '"--"', "kexec_initd.x", "x" * 1025]
)
def test_values_that_are_no_parameters(value: str) -> None:
    assert parse_words(value) is None


@pytest.mark.parametrize("value", ["", "quiet", 'dyndbg="file a.c +p" x=$y `z` \\', "--x", "x" * 1024])
def test_values_that_are_parameters(value: str) -> None:
    assert parse_words(" " + value if len(value) < 1024 else value) == value
