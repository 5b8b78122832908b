"""GRUB's environment block, command line, choice of the default, BLS values, file systems; and that it stays quick."""

import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexec_initd.bootloader.grub2.blscfg import parse as parse_fragment
from kexec_initd.bootloader.grub2.blsuki import parse as parse_upstream
from kexec_initd.bootloader.grub2.defaults import Level, MenuLine, find_default
from kexec_initd.bootloader.grub2.fragments import expand
from kexec_initd.bootloader.grub2.grubenv import SIGNATURE, SIZE, parse, with_changes
from kexec_initd.bootloader.grub2.images import command_line
from kexec_initd.bootloader.grub2.menu import read, read_menu
from kexec_initd.bootloader.grub2.values import Undecidable, is_unknown
from kexec_initd.bootloader.grub2.volumes import Volumes
from kexec_initd.errors import Refused
from kexec_initd.system.sysroot import Tree
from tests.bootloader.hosts import unpack
from tests.unit.grub2_hosts import write_many_entries

NAMES = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8)
VALUES = st.text(max_size=12).filter(lambda text: "\0" not in text)


def block(text: bytes) -> bytes:
    return (SIGNATURE + text).ljust(SIZE, b"#")


@pytest.mark.parametrize(
    "data, values",
    [
        (block(b""), {}),
        (block(b"a=1\nb=\n"), {"a": "1", "b": ""}),
        (block(b"a=x=y\n# no\n\n"), {"a": "x=y"}),
        (block(b"a=1\\\\2\\\n3\nb=4\n"), {"a": "1\\2\n3", "b": "4"}),
        (block(b"a=\xe9\n"), {"a": "\udce9"}),
        (block(b"a=1\n")[:-1], {"a": "1"}),
        (block(b"a=1\n") + b"#", {"a": "1"}),
        (SIGNATURE + b"a=1\n", {"a": "1"}),
        ((SIGNATURE + b"a=1\n").ljust(SIZE), {"a": "1"}),
        ((SIGNATURE + b"a=1\n").ljust(SIZE, b"\0"), {"a": "1"}),
        (block(b"\na=1\n\n\nb=2\nc=3\n"), {"\na": "1", "\n\nb": "2", "c": "3"}),
        (block(b" a=1\nx\nb=2\nc=3\n"), {" a": "1", "x\nb": "2", "c": "3"}),
        (block(b"# no \\\nb=2\nc=3\n"), {"c": "3"}),
        (block(b"a=1\r\n"), {"a": "1\r"}),
        (block(b"a=1\0x\n"), {"a": "1"}),
        (block(b"a=1\nb=2"), {"a": "1"}),
        (block(b"a=1"), {}),
        (block(b"a\n"), {}),
        (b"#" * SIZE, None),
        (SIGNATURE, None),
        (b"\n" + block(b"a=1\n"), None),
        (b"", None),
    ],
)
def test_environment_block(data: bytes, values: Optional[Dict[str, str]]) -> None:
    if values is None:
        with pytest.raises(Refused, match="environment block"):
            parse(data)
    else:
        assert {name: variable.value for name, variable in parse(data).items()} == values


def test_a_variable_of_the_block_knows_its_line() -> None:
    assert [variable.line for variable in parse(block(b"a=1\\\n2\nb=3\n")).values()] == [2, 4]


@given(st.dictionaries(NAMES, VALUES, max_size=5), st.dictionaries(NAMES, st.none() | VALUES, max_size=5))
def test_a_changed_block_says_what_it_should(before: Dict[str, str], changes: Dict[str, Optional[str]]) -> None:
    old = with_changes(block(b""), dict(before))
    new = with_changes(old, changes)
    wanted: Dict[str, Optional[str]] = dict(before)
    wanted.update(changes)
    assert len(new) == SIZE
    found = {name: variable.value for name, variable in parse(new).items()}
    assert found == {name: value for name, value in wanted.items() if value is not None}


def test_a_block_has_room_for_1024_bytes() -> None:
    with pytest.raises(Refused, match="has no room for a"):
        with_changes(block(b""), {"a": "x" * SIZE})


@given(st.dictionaries(NAMES, st.text("ab \\=#'\"$", max_size=8), min_size=1, max_size=4))
def test_grub_editenv_reads_what_we_write(tmp_path_factory: pytest.TempPathFactory, values: Dict[str, str]) -> None:
    path = tmp_path_factory.getbasetemp() / "grubenv"
    path.write_bytes(with_changes(block(b""), dict(values)))
    said = subprocess.run(["grub-editenv", str(path), "list"], stdout=subprocess.PIPE, check=True).stdout
    assert said.decode().splitlines() == ["{}={}".format(*item) for item in values.items()]


@pytest.mark.parametrize(
    "data",
    [
        (SIGNATURE + b"a=1\n").ljust(SIZE),
        SIGNATURE + b"a=1\n",
        SIGNATURE + b"a=1\n" + b"#" * 12,
        block(b"a=1"),
        b"#" * SIZE,
    ],
    ids=["blanks", "no filling", "short filling", "no end", "no signature"],
)
def test_a_block_without_room_is_not_written(data: bytes) -> None:
    with pytest.raises(Refused, match="environment block"):
        with_changes(data, {"next_entry": "abc"})


@pytest.mark.parametrize("size", [200, 1023, 1025, 4096])
def test_a_block_of_another_size_is_written_in_its_own(size: int) -> None:
    before = (SIGNATURE + b"next_entry=1\nb=2\n").ljust(size, b"#")
    assert with_changes(before, {"next_entry": ""}) == (SIGNATURE + b"next_entry=\nb=2\n").ljust(size, b"#")
    assert with_changes(before, {"next_entry": None}) == (SIGNATURE + b"b=2\n").ljust(size, b"#")


@pytest.mark.parametrize(
    "before",
    ["", "\nnext_entry=1\nb=2\n", "# WARNING\na=1\nnext_entry=1>2\nb=2\n", "b=2\nnext_entry=\n", "next_entry=x\n"],
)
@pytest.mark.parametrize("value", ["", "longer>than that", "\\ =#", None])
def test_a_block_is_changed_to_the_byte_as_by_grub_editenv(tmp_path: Path, before: str, value: Optional[str]) -> None:
    path = tmp_path / "grubenv"
    path.write_bytes(block(before.encode()))
    words = ["unset", "next_entry"] if value is None else ["set", "next_entry=" + value]
    subprocess.run(["grub-editenv", str(path), *words], check=True)
    assert path.read_bytes() == with_changes(block(before.encode()), {"next_entry": value})


@pytest.mark.parametrize(
    "words, text",
    [
        (["/k", "a", "b"], "/k a b"),
        (["/k", "a b"], '/k "a b"'),
        (["/k", 'a="b c"'], '/k "a=\\"b c\\""'),
        (["/k", "a'b\\c"], "/k a\\'b\\\\c"),
        (["/k", "\\x4G\\x4a"], "/k \\\\x4G\\\\x4a"),
        (["/k", "", "a\tb"], "/k  a\tb"),
    ],
)
def test_command_line(words: List[str], text: str) -> None:
    assert command_line(words) == text


def test_fedoras_grub_keeps_the_escape_of_a_hexadecimal_number() -> None:
    assert command_line(["/k", "\\x4G\\x4a"], True) == "/k \\\\x4G\\x4a"
    assert is_unknown(command_line(["/k", "\\x4a"], None)) and not is_unknown(command_line(["/k", "\\x4G"], None))


def level() -> Level:
    inner = Level((MenuLine("in a", "ia", True, 1, None), MenuLine("in > b", "i>b", True, 2, None)), None)
    bad = Level((MenuLine("x", "x", True, 3, None),), "no idea")
    return Level(
        (
            MenuLine("first", "f", True, 0, None),
            MenuLine("sub", "s", True, -1, inner),
            MenuLine("bad", "bad", True, -1, bad),
            MenuLine("7 dwarfs", "7", True, 4, None),
            MenuLine("maybe", "m", False, 5, None),
            MenuLine("last", "l", True, 6, None),
        ),
        None,
    )


@pytest.mark.parametrize(
    "wish, fedora, number",
    [
        (None, False, 0),
        ("", False, 0),
        ("0", False, 0),
        ("1", False, 1),
        ("1>1", False, 2),
        ("1>9", False, 1),
        ("1>", False, 1),
        ("s>i>>b", False, 2),
        ("sub>in >> b", False, 2),
        ("s>1", False, 2),
        ("s>nothing", False, 1),
        ("nothing", False, 0),
        ("nothing>ia", False, 0),
        ("2", False, None),
        ("2>0", False, None),
        ("3", False, 4),
        ("4", False, None),
        ("5", False, None),
        ("9", False, None),
        ("7", False, None),
        ("7", True, 4),
        ("7 dwarfs", False, None),
        ("7 dwarfs", True, 4),
        ("l", False, None),
        ("-1", False, None),
        (" 1", False, None),
        ("0x1", False, None),
        ("1>1", True, None),
        ("s>1", True, 2),
        ("\0cpu\0", False, None),
    ],
)
def test_default(wish: Optional[str], fedora: bool, number: Optional[int]) -> None:
    if number is None:
        with pytest.raises(Undecidable):
            find_default(level(), wish, fedora)
    else:
        assert find_default(level(), wish, fedora) == number


@pytest.mark.parametrize(
    "value, text",
    [
        ("ro quiet", "ro quiet"),
        ("$k", None),
        ("$ko", "a b "),
        ("$ko quiet", "a b quiet"),
        ("$ko$ko", "a b a b "),
        ("ro $ko", "ro a b "),
        ("$none", None),
        ("$none quiet", "quiet"),
        ("$none $ko", "a b "),
        ("$none$ko", None),
        ("ro$ko/x", "roa b /x"),
        ("", None),
    ],
)
def test_values_of_fragments(value: str, text: Optional[str]) -> None:
    assert expand(value, {"ko": "a b"}) == text


def test_a_fragment_ends_where_grub_stops_reading() -> None:
    text = "# x\n title  A b\nlinux\t/k\ninitrd /a\ninitrd /b c\n\nversion 1\n"
    assert parse_fragment(text) == {"title": ["A b"], "linux": ["/k"], "initrd": ["/a", "/b c"]}
    assert parse_upstream(text) == parse_fragment(text)


@pytest.mark.parametrize(
    "text, fedora, upstream",
    [
        ("title\tA b\n", {"title\tA": ["b"]}, {"title": ["A b"]}),
        ("linux /k\noptions  \ninitrd /a\n", {"linux": ["/k"], "options": [""], "initrd": ["/a"]}, {"linux": ["/k"]}),
        ("title A \t\nlinux /k", {"title": ["A \t"], "linux": ["/k"]}, {"title": ["A \t"], "linux": ["/k"]}),
        (" \nlinux /k", {}, {}),
        ("linux\nlinux /k", {}, {}),
    ],
)
def test_the_makes_of_blscfg_read_a_fragment_each_in_its_way(
    text: str, fedora: Dict[str, List[str]], upstream: Dict[str, List[str]]
) -> None:
    assert (parse_fragment(text), parse_upstream(text)) == (fedora, upstream)


MOUNTS = "/dev/mapper/vg-root / ext4 rw 0 0\n/dev/nvme0n1p2 /boot ext4 rw 0 0\n/dev/sdb1 /data\\040x ext4 rw 0 0\n"


def test_volumes_are_found_by_udevs_links(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/mounts").write_text(MOUNTS)
    for link, target in (
        ("dev/mapper/vg-root", "../dm-0"),
        ("dev/disk/by-uuid/AB-CD", "../../nvme0n1p2"),
        ("dev/disk/by-label/my\\x20root", "../../dm-0"),
    ):
        (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / link).symlink_to(target)
    for device in ("dm-0", "nvme0n1p2"):
        (tmp_path / "dev" / device).write_text("")
    volumes = Volumes(Tree(tmp_path))
    found = [volumes.by_id("uuid", "ab-cd"), volumes.by_id("label", "my root"), volumes.by_id("label", "MY ROOT")]
    assert [volume.point if volume else None for volume in found] == ["/boot", "/", None]
    assert volumes.of("/data x/y").point == "/data x"
    lvm = volumes.by_device("lvm/vg-root")
    assert lvm is not None and lvm.point == "/"
    assert volumes.by_device("hd0,gpt2") is None, "two disks"


def calls_to_read(root: Path, count: int) -> int:
    """Return how many functions are called to read a menu of `count` entries: a measure of work that no load changes."""
    write_many_entries(root, count)
    calls = 0

    def notice(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(notice)
    try:
        menu = read_menu(Tree(root))
    finally:
        sys.setprofile(None)
    assert menu is not None and menu.problem is None and len(menu.offered) == count
    assert sum(offered.entry is not None for offered in menu.offered) == count // 2
    return calls


@pytest.mark.slow
@pytest.mark.once
def test_the_work_grows_with_the_number_of_entries_and_no_faster(tmp_path: Path) -> None:
    few = calls_to_read(tmp_path / "few", 100)
    many = calls_to_read(tmp_path / "many", 900)
    # Twice: an entry more costs the same whether there are few or many.
    assert calls_to_read(tmp_path / "more", 1700) - many < 1.02 * (many - few)


@pytest.mark.slow
@pytest.mark.once
def test_5000_entries_are_read(tmp_path: Path) -> None:
    write_many_entries(tmp_path, 5000)
    menu = read_menu(Tree(tmp_path))
    assert menu is not None and menu.problem is None and len(menu.offered) == 5000


def test_reading_changes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    unpack("grub2/debian-12-once", root)
    before = {path: (path.stat().st_mtime_ns, path.is_dir() or path.read_bytes()) for path in root.rglob("*")}
    reading = read(Tree(root))
    assert reading is not None and reading.writes
    assert {path: (path.stat().st_mtime_ns, path.is_dir() or path.read_bytes()) for path in root.rglob("*")} == before
