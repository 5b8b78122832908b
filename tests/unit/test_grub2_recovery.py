"""What GRUB does with lines that are no script, with words that are no command, and with names that are no path."""

import time
from pathlib import Path
from typing import Dict, List, Optional

import pytest

from kexec_initd.bootloader.grub2.lexer import Lexer
from kexec_initd.bootloader.grub2.parser import parse
from tests.unit.grub2_hosts import cmdline_of, menu_of, two_entries

LISTS = {"boot/grub/i386-pc/command.lst": "*echo: echo\n[: test\nsource: configfile\n", "sys/firmware/acpi/x": ""}


def chosen(root: Path, script: str, texts: Optional[Dict[str, str]] = None) -> Optional[str]:
    menu = menu_of(root, script + "\n" + two_entries(), texts=texts)
    assert menu.problem is None
    return menu.offered[menu.default].title if menu.default is not None else None


@pytest.mark.parametrize(
    "script",
    [
        "if true; then x=1; ; fi\ndefault=b",
        "default=b\ndefault=a; ;",
        "default=b\ndefault=a && true",
        "default=b\ndefault=a $",
        "default=b\nif true; then\ndefault=a\n; ;\nfi",
        "if true; then\n; ;\ndefault=b\nfi",
        "if false; then\n; ;\ndefault=b\nfi",
        "menuentry c\n{\ndefault=b\n}",
        "menuentry c {\n}\ndefault=b",
        "if true; then\nfunction f {\ndefault=b\n}\nfi",
        "function f {\ndefault=b\n}; ; ;\nf",
        "function f {\ndefault=a\n}\nfunction f {\n; ;\ndefault=b\n}",
        "fi\n}\ndone\nthen\n;;\n|\ndefault=b",
        "; ; 'a\ndefault=b\nx='\ndefault=a\ny='",
        "x='a\nb'; ; default=a\ndefault=b",
        "; ; x=\\\ndefault=b",
        "default=b; eval 'default=b\n; ;\ndefault=a'",
        "eval 'default=b; ;'; default=b",
        'x="$"\ndefault=b',
        "default=b\ndefault=${",
    ],
)
def test_only_the_lines_up_to_a_mistake_are_lost(script: str, tmp_path: Path) -> None:
    assert chosen(tmp_path, script) == "b"


def test_a_quote_that_nothing_closes_takes_the_rest_with_it(tmp_path: Path) -> None:
    menu = menu_of(tmp_path, two_entries() + "default=b\nif true; then\ndefault=a 'x\n\nmenuentry c { linux /k1 }\n")
    assert [offered.title for offered in menu.offered] == ["a", "b"] and menu.default == 1


def test_a_block_that_nothing_closes_takes_the_rest_with_it(tmp_path: Path) -> None:
    menu = menu_of(tmp_path, two_entries() + "default=b\nmenuentry c {\nlinux /k1\ndefault=a\n")
    assert [offered.title for offered in menu.offered] == ["a", "b"] and menu.default == 1


def test_an_empty_menu_names_the_line_that_was_lost(tmp_path: Path) -> None:
    menu = menu_of(tmp_path, "x=1\nmenuentry a { linux /k1 ; ; }\n")
    assert menu.problem == "/boot/grub/grub.cfg:2: ';' where a command should be"


def test_a_mistake_in_another_file_loses_a_line_there(tmp_path: Path) -> None:
    script = "source $prefix/x.cfg; if [ $x = 2 ]; then default=b; fi"
    assert chosen(tmp_path, script, {"boot/grub/x.cfg": "x=1\nx=3; ;\nx=2\n"}) == "b"


def test_more_lines_that_are_no_script_than_anybody_writes_are_too_much(tmp_path: Path) -> None:
    menu = menu_of(tmp_path, "; ;\n" * 1001 + two_entries())
    assert menu.problem == "/boot/grub/grub.cfg:1000: too many lines that are no script"


@pytest.mark.parametrize(
    "config",
    [
        "; ; 'a\nb'\n" * 400 + "x=1\n" * 4000,
        "a=$\n" * 900 + "x=1\n" * 4000,
        "while true; do x='{}'; done\n".format("y" * 1000000),
        "while true; do [ a = '{}' ]; done\n".format("y" * 1000000),
        "while true; do linux /k1 '{}'; done\n".format("'\\''" * 100000),
    ],
    ids=["quotes", "dollars", "long values", "long words", "long command lines"],
)
def test_what_costs_time_comes_to_an_end(config: str, tmp_path: Path) -> None:
    start = time.process_time()
    menu_of(tmp_path, config + two_entries())
    assert time.process_time() - start < 3


def test_a_file_of_the_boot_loader_specification_that_is_no_script_loses_its_own_entry(tmp_path: Path) -> None:
    texts = {"boot/loader/entries/x-2.conf": "linux /k1\noptions a 'b\n", "boot/loader/entries/x-1.conf": "linux /k2\n"}
    texts.update({"boot/grub/i386-pc/blscfg.mod": "", "proc/cmdline": "BOOT_IMAGE=(hd0,gpt1)/k1\n"})
    menu = menu_of(tmp_path, "blscfg\ndefault=x-1\n", texts=texts)
    assert (menu.default, menu.problem) == (1, None)
    assert "begins no word" in (menu.offered[0].obstacle or "")


@pytest.mark.parametrize("name", ["f", "f; f", "if true; then f; fi"])
def test_a_recursion_that_was_cut_leaves_the_entries_as_they_are(name: str, tmp_path: Path) -> None:
    menu = menu_of(tmp_path, two_entries() + "function f {{\nf\n}}\n{}\n".format(name))
    assert menu.problem == "scripts and functions are nested too deep"
    assert [offered.obstacle for offered in menu.offered] == [None, None]


@pytest.mark.parametrize(
    "words, hexadecimal, cmdline",
    [
        ("a=\\x20b", "debian", "a=x20b"),
        ("a=\\x20b", "arch", "a=x20b"),
        ("a=\\x20b", "opensuse-leap\nID_LIKE=suse", "a=x20b"),
        ("a=\\x20b", "fedora", "a=\\x20b"),
        ("a=\\x20b", "rocky\nID_LIKE='rhel centos fedora'", "a=\\x20b"),
        ("'a=\\x20b'", "debian", "a=\\\\x20b"),
        ("'a=\\x20b'", "fedora", "a=\\x20b"),
        ('"a=\\x20b"', "ubuntu", "a=\\\\x20b"),
    ],
)
def test_a_hexadecimal_escape_is_kept_by_fedoras_grub_only(
    words: str, hexadecimal: str, cmdline: str, tmp_path: Path
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text("ID={}\n".format(hexadecimal))
    assert cmdline_of(tmp_path, "menuentry t {{ linux /k1 {}\n}}\n".format(words)) == cmdline


def test_a_hexadecimal_escape_of_an_unknown_maker_is_not_decided(tmp_path: Path) -> None:
    menu = menu_of(tmp_path, "menuentry t { linux /k1 a=\\x20b\n}\n", texts={"etc/os-release": "ID=own\n"})
    assert menu.offered[0].obstacle == ("the command line depends on what-this-GRUB-makes-of-a-hexadecimal-escape")


@pytest.mark.parametrize(
    "script, title",
    [
        ("frob", "a"),
        ("frob; default=b", "b"),
        ("if frob; then default=b; fi", "b"),
        ("if ! frob x; then default=b; fi", "b"),
        ("frob; if [ $? = 0 ]; then default=b; fi", "b"),
        ("function version {\ndefault=b\n}\nversion", "b"),
        ("function terminfo {\ndefault=b\n}\nif true; then terminfo; fi", "b"),
        ("! default=b", "b"),
    ],
)
def test_a_word_that_no_list_of_commands_has_changes_nothing(script: str, title: str, tmp_path: Path) -> None:
    assert chosen(tmp_path, script, LISTS) == title


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"boot/grub/i386-pc/command.lst": "frob: frob\n"},
        {"boot/grub/i386-pc/command.lst": ""},
        {
            **LISTS,
            "boot/grub/x86_64-efi/command.lst": "*frob: frob\n",
            "sys/firmware/acpi/x": "",
            "sys/firmware/efi/x": "",
        },
        {"boot/grub/i386-pc/command.lst": "x: x\n", "boot/grub/x86_64-efi/normal.mod": ""},
    ],
    ids=["no list", "named", "empty", "of the platform", "two platforms"],
)
def test_a_word_that_may_be_a_command_is_not_guessed_at(texts: Dict[str, str], tmp_path: Path) -> None:
    menu = menu_of(tmp_path, "frob\n" + two_entries(), texts=texts)
    assert menu.problem == "/boot/grub/grub.cfg:1: what the command frob does is not known"


TERMINAL = [
    "terminfo -g 80x24 serial vt100", "serial --unit=0", "terminal_output console", "videotest", "vbetest", "clear",
    "keymap x", "efitextmode 0", "fix_video", "usb", "version", "pcidump", "hexdump_random", "backtrace", "gettext x",
    "blocklist /k1", "testspeed /k1", "zfsinfo (hd0)", "coreboot_boottime", "cbmemc", "lssal", "915resolution", "hello",
    "verify_detached /k1 /k2", "trust /k1", "distrust x", "net_efi_ls_cards", "lsfreemem", "tpm2_dump_pcr sha256",
]  # fmt: skip


@pytest.mark.parametrize("command", TERMINAL)
def test_a_command_that_shows_something_changes_nothing(command: str, tmp_path: Path) -> None:
    assert chosen(tmp_path, command + "\ndefault=b") == "b"


@pytest.mark.parametrize(
    "command", ["tr --set=default a b", "zfs-bootfs (hd0)/x default", "btrfs-get-default-subvol -s default"]
)
def test_a_command_that_asks_the_disk_makes_a_variable_unknown(command: str, tmp_path: Path) -> None:
    assert menu_of(tmp_path, command + "\n" + two_entries()).problem == "the default depends on default"


@pytest.mark.parametrize(
    "script",
    [
        "function f {\nsetparams b c; default=$1\n}\nf a",
        "function f {\nshift; default=$1\n}\nf a b",
        "function f {\nshift 2; default=$1\n}\nf a a b",
        "function f {\nif shift 9; then default=a; else default=b; fi\n}\nf a",
        "if setparams a; then default=a; else default=b; fi",
        "if shift; then default=b; fi",
        "if source none; then default=b; fi",
        "if source; then default=a; else default=b; fi",
        "if configfile $prefix/none; then default=b; fi",
        "default=b; source ''",
    ],
)
def test_parameters_and_files_that_are_missing(script: str, tmp_path: Path) -> None:
    assert chosen(tmp_path, script) == "b"


@pytest.mark.parametrize(
    "test, holds",
    [
        ('-f ""', False),
        ('-s ""', False),
        ('-e ""', True),
        ('-d ""', True),
        ('-f "$theme"', False),
        ("-d /", True),
        ("-f //", False),
        ("-f k1", True),
        ("-e none", False),
        ("-d grub", True),
        ("-d grub/", True),
        ("-f grub/grub.cfg", False),
        ("-s k1", False),
        ("-s grub/grub.cfg", False),
        ("-d ($root)", True),
        ("-e ($root)k1", True),
        ("-f (hd5)", False),
        ("-f '' -o -f k1", True),
        ("-s /grub/grub.cfg", True),
    ],
)
def test_names_that_are_no_path(test: str, holds: bool, tmp_path: Path) -> None:
    script = "if [ {} ]; then default=b; else default=a; fi".format(test)
    assert chosen(tmp_path, script) == ("b" if holds else "a")


@pytest.mark.parametrize("test", ["-e (hd5)", "-d (hd5,1)/", "-s 8+1", "-s +1", "-f (hd5)k1"])
def test_what_lies_on_a_device_out_of_sight_is_not_known(test: str, tmp_path: Path) -> None:
    menu = menu_of(tmp_path, "if [ {} ]; then default=b; fi\n".format(test) + two_entries())
    assert menu.default is None and menu.problem is not None


def test_a_rejected_part_is_told_with_its_line() -> None:
    places: List[int] = []
    for text in ("a\nb 'c\nd' ; ;\ne", "a\n\n; ;", "if a; then\nb\n; ;\nfi"):
        rejected = parse(text, Lexer()).rejected
        assert rejected is not None and not rejected.limit
        places.append(rejected.line)
    assert places == [2, 3, 3]
