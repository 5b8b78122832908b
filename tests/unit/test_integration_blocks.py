"""The blocks in rc.local and halt: in, out, and every other byte as it was."""

import pytest
from hypothesis import given, strategies

from kexec_initd.errors import Refused
from kexec_initd.install import managed_block
from kexec_initd.install.managed_block import add_block, read_block, remove_block
from kexec_initd.install.rc_local import find_unfitness

BLOCK = b"# BEGIN kexec-initd: loads\nif true; then\n    :\nfi\n# END kexec-initd\n"
LINES = [b"exit 0", b" exit 0 ", b"# exit 0", b"", b"echo \xff", b"foo ||", b"x \\", b"exit 1", b"\r", b"#!/bin/sh -e"]
texts = strategies.one_of(
    strategies.binary(max_size=80).filter(lambda text: b"kexec-initd" not in text),
    strategies.lists(strategies.sampled_from(LINES)).map(b"\n".join),
)


@given(texts)
def test_adding_and_removing_changes_no_byte(text: bytes) -> None:
    added = add_block(text, BLOCK)
    assert added != text
    assert remove_block(added) == text
    assert read_block(added) == BLOCK


@given(texts)
def test_added_twice_is_there_once(text: bytes) -> None:
    added = add_block(text, BLOCK)
    assert add_block(added, BLOCK) == added
    assert added.count(managed_block.BEGIN) == 1


@given(texts)
def test_another_version_takes_the_place_of_an_older_block(text: bytes) -> None:
    newer = BLOCK.replace(b"true", b"false")
    assert add_block(add_block(text, BLOCK), newer) == add_block(text, newer)


@given(texts)
def test_nothing_but_comments_comes_before_it(text: bytes) -> None:
    before = add_block(text, BLOCK).split(BLOCK[:-1], 1)[0]
    assert all(line.strip(b" \t")[:1] in (b"", b"#") for line in before.split(b"\n"))


@pytest.mark.parametrize(
    "text, expected",
    [
        (b"", BLOCK),
        (b"#!/bin/sh -e\nexit 0\n", b"#!/bin/sh -e\n" + BLOCK + b"exit 0\n"),
        (b"#!/bin/sh\nexit 0", b"#!/bin/sh\n" + BLOCK + b"exit 0"),
        (b"#!/bin/sh\nexit 0\n\n# the end\n", b"#!/bin/sh\n" + BLOCK + b"exit 0\n\n# the end\n"),
        (b"#!/bin/sh\nexit 0 # done\n", b"#!/bin/sh\n" + BLOCK + b"exit 0 # done\n"),
        (b"#!/bin/sh\nfoo", b"#!/bin/sh\n" + BLOCK + b"foo"),
        (b"#!/bin/sh\n# mine\n\n\t# too\nfoo\n", b"#!/bin/sh\n# mine\n\n\t# too\n" + BLOCK + b"foo\n"),
        (b"#!/bin/sh", b"#!/bin/sh\n" + BLOCK[:-1]),
        (b"#!/bin/sh\n  ", b"#!/bin/sh\n  \n" + BLOCK[:-1]),
        (b"foo\n# x\n", BLOCK + b"foo\n# x\n"),
        (b"\n \nfoo", b"\n \n" + BLOCK + b"foo"),
        (b"\x0c# foo\n", BLOCK + b"\x0c# foo\n"),
    ],
)
def test_where_the_block_goes(text: bytes, expected: bytes) -> None:
    assert add_block(text, BLOCK) == expected


def test_edits_around_the_block_are_kept() -> None:
    added = add_block(b"#!/bin/sh\nexit 0\n", BLOCK)
    edited = added.replace(b"#!/bin/sh\n", b"#!/bin/sh\nfoo\n").replace(b"exit 0\n", b"bar\nexit 0\n")
    assert remove_block(edited) == b"#!/bin/sh\nfoo\nbar\nexit 0\n"


@pytest.mark.parametrize(
    "text",
    [
        BLOCK.replace(b"# END kexec-initd\n", b""),
        BLOCK.replace(b"# BEGIN kexec-initd: loads\n", b""),
        BLOCK + BLOCK,
        b"# END kexec-initd\n# BEGIN kexec-initd\n",
    ],
)
def test_a_damaged_block_is_refused(text: bytes) -> None:
    for function in (remove_block, lambda damaged: add_block(damaged, BLOCK)):
        with pytest.raises(Refused, match="damaged"):
            function(b"#!/bin/sh\n" + text)


def test_other_lines_that_name_the_program_are_no_markers() -> None:
    text = b"# BEGIN kexec-initdX\n# kexec-initd\necho '# BEGIN kexec-initd'\n"
    assert remove_block(text) == text


@pytest.mark.parametrize(
    "text, mode, reason",
    [
        (b"#!/bin/sh\n", 0o755, None),
        (b"#! /bin/bash -e\n", 0o755, None),
        (b"#!/usr/bin/env dash\n", 0o755, None),
        (b"echo \xe9\n", 0o755, None),
        (b"", 0o755, None),
        (b"#!/bin/sh\n", 0o644, "is not executable"),
        (b"#!/usr/bin/python3\n", 0o755, "is run by /usr/bin/python3"),
        (b"#!/usr/bin/env perl\n", 0o755, "is run by /usr/bin/env perl"),
        (b"#!\n", 0o755, "is run by"),
        (b"#!/bin/sh\r\nfoo\r\n", 0o755, "line ends of DOS"),
        (b"\x7fELF\0\0", 0o755, "NUL"),
    ],
)
def test_which_files_are_left_alone(text: bytes, mode: int, reason: str) -> None:
    found = find_unfitness(text, mode)
    assert found is None if reason is None else found is not None and reason in found
