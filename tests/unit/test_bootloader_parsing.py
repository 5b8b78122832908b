"""The parsers by themselves: lines, fields, patterns, counters; whatever the text, they answer."""

import contextlib
import fnmatch
import struct
from pathlib import Path
from typing import Dict, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexec_initd.bootloader import bls, legacy
from kexec_initd.bootloader.extlinux_config import parse_config, read_lines
from kexec_initd.bootloader.glob import matches
from kexec_initd.bootloader.syslinux_adv import read_adv
from kexec_initd.errors import Refused
from kexec_initd.system.sysroot import Tree

LEGACY = ["title a", "root (hd0,0)", "kernel /k x=1", "initrd /i", "default 1", "fallback 1 0", "\\", "\t=", "lock"]
EXTLINUX = ["label a", "linux /k", "append x=1", "append -", "menu begin m", "menu end", "menu default", "initrd i,j"]
EXTLINUX += [
    "include extlinux.conf",
    "menu include x y",
    "text help",
    "endtext",
    "default a",
    "ui menu.c32",
    "menu hide",
]


def lines(words: List[str]) -> "st.SearchStrategy[str]":
    """Return texts of known lines, with anything between."""
    return st.lists(st.one_of(st.sampled_from(words), st.text(max_size=20))).map("\n".join)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("kernel /k a  b ", [("kernel", "/k a  b ", 1)]),
        ("\n \t kernel=/k\ta\r\n", [("kernel", "/k a", 2)]),
        ("# kernel /k\n", []),
        ("# a \\\nkernel /k\nboot", [("boot", "", 3)]),
        ("kernel /k \\\n a\nboot", [("kernel", "/k   a", 1), ("boot", "", 3)]),
        ("kernel /k\\x a", [("kernel", "/k\\x a", 1)]),
        ("kernel /k\0rest", [("kernel", "/k", 1)]),
        ("boot \\", []),
    ],
)
def test_lines_of_grub_legacy(text: str, expected: List[Tuple[str, str, int]]) -> None:
    assert list(legacy.commands(text)) == expected


@given(lines(LEGACY))
def test_grub_legacy_answers(text: str) -> None:
    _, entries = legacy.split_entries(list(legacy.commands(text)))
    for title, body in entries:
        assert title.name == "title"
        wanted = legacy.gather(body)
        assert wanted.obstacle or wanted.kernel in text.replace("\\\n", " ")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("title A  B \nlinux\t/k", {"title": ("A  B",), "linux": ("/k",)}),
        ("#title A\n title B\n\ttitle\tC", {"title": ("B", "C")}),
        ("title\noptions  \nversion 1", {"version": ("1",)}),
        ("options a\r\noptions  b", {"options": ("a", "b")}),
        ('options a="b  c"\0title x', {"options": ('a="b  c"',)}),
    ],
)
def test_fields_of_an_entry(text: str, expected: Dict[str, Tuple[str, ...]]) -> None:
    assert bls.parse_entry(text) == expected


@given(st.text())
def test_fields_answer(text: str) -> None:
    for key, values in bls.parse_entry(text).items():
        assert key in text
        assert all(value in text for value in values)


@pytest.mark.parametrize(
    "name, expected, plain",
    [
        ("a.conf", (None, 0), "a.conf"),
        ("a+3.conf", (3, 0), "a.conf"),
        ("a+2-1.conf", (2, 1), "a.conf"),
        ("a+0-3.EFI", (0, 3), "a.EFI"),
        ("a+b.conf", (None, 0), "a+b.conf"),
        ("a+3x.conf", (None, 0), "a+3x.conf"),
        ("a-1+.conf", (None, 0), "a-1+.conf"),
    ],
)
def test_tries(name: str, expected: Tuple[object, int], plain: str) -> None:
    assert bls.tries(name) == expected
    assert bls.without_tries(name) == plain


@given(st.text(alphabet="ab*?", max_size=8), st.text(alphabet="ab", max_size=8))
def test_patterns_without_sets_are_those_of_fnmatch(pattern: str, text: str) -> None:
    assert matches(pattern, text) == fnmatch.fnmatchcase(text, pattern)


@pytest.mark.parametrize(
    "pattern, text, expected",
    [
        ("[a-c]x", "bx", True),
        ("[a-c]x", "-x", False),
        ("[a-]x", "-x", True),
        ("[!a]", "a", True),  # no negation
        ("[]a]", "]", True),
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        ("[a", "a", False),
        ("a\\", "a\\", False),
        ("*" * 60 + "b", "a" * 5000, False),
    ],
)
def test_patterns(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@given(lines(EXTLINUX))
def test_extlinux_answers(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    root = tmp_path_factory.mktemp("root", numbered=True)
    (root / "extlinux.conf").write_bytes(text.encode("utf-8"))
    (root / "main").write_text("include extlinux.conf\n")
    if "include" in text:
        with contextlib.suppress(Refused):  # it may include itself
            read_lines(Tree(root), "/main", "")
        return
    config = parse_config(read_lines(Tree(root), "/main", ""))
    assert all(label.name in text for label in config.labels)


@pytest.mark.parametrize(
    "files", [["include {}".format(number + 1) for number in range(12)], ["include 1\n" * 250, "label x"]]
)
def test_too_many_included_files_are_refused(tmp_path: Path, files: List[str]) -> None:
    for number, text in enumerate(files):
        (tmp_path / str(number)).write_text(text)
    with pytest.raises(Refused, match="include each other"):
        read_lines(Tree(tmp_path), "/0", "")


def test_some_included_files_are_not_too_many(tmp_path: Path) -> None:
    for number, text in enumerate(["include 1\n" * 50, "include 2\ninclude 3", "label a", "label b"]):
        (tmp_path / str(number)).write_text(text)
    assert len(parse_config(read_lines(Tree(tmp_path), "/0", "")).labels) == 100


def vector(items: bytes) -> bytes:
    """Return one copy of the auxiliary data vector."""
    data = items.ljust(500, b"\0")
    checksum = (0xA3041767 - sum(struct.unpack("<125I", data))) & 0xFFFFFFFF
    return struct.pack("<II", 0x5A2D2FA5, checksum) + data + struct.pack("<I", 0xDD28BF64)


@pytest.mark.parametrize(
    "data, expected",
    [
        (vector(b"\x01\x02l1") * 2, {1: "l1"}),
        (b"code" + bytes(512) + vector(b"\x02\x01x\x01\x01y"), {1: "y", 2: "x"}),
        (vector(b"\x01\x00") * 2, {}),
        (vector(b"\x01\x02l1").replace(b"l1", b"l2") * 2, {}),
        (vector(b"\x01\xff" + b"a" * 255 + b"\x02\xff" + b"a" * 241) * 2, {1: "a" * 255}),
        (b"short", {}),
    ],
)
def test_auxiliary_data_vector(tmp_path: Path, data: bytes, expected: Dict[int, str]) -> None:
    (tmp_path / "ldlinux.sys").write_bytes(data)
    assert read_adv(Tree(tmp_path), "") == expected
