"""The target: the default entry of the menu, or why there is none."""

import json
from pathlib import Path
from typing import Any, Union

import pytest

from kexec_initd.boot_entry import BootEntry
from kexec_initd.bootloader import Menu, Offered, Source
from kexec_initd.bootloader.target import as_json, as_text, target_of

CONFIG = Path("/boot/grub/grub.cfg")
ENTRY = BootEntry(
    "Linux", "linux", Path("/boot/vmlinuz-1"), (Path("/boot/early.cpio"), Path("/boot/initrd-1")), "ro quiet"
)
LINUX = Offered("Linux", "linux", "0", ENTRY, Source(CONFIG, 7))
WINDOWS = Offered("Windows", "win", "1", "it is a chain loader's", Source(CONFIG, 9))


def menu(boots: Union[int, str], **changes: Any) -> Menu:
    start = Menu("grub2", (LINUX, WINDOWS), boots, Source(CONFIG, 2))
    return start._replace(**changes)


def test_the_default_is_the_target() -> None:
    target = target_of(menu(0))
    assert (target.entry, target.problem, target.source) == (ENTRY, None, Source(CONFIG, 2))
    answer = json.loads(as_json(target))
    assert answer["initrds"] == ["/boot/early.cpio", "/boot/initrd-1"]
    assert (answer["kernel"], answer["file"], answer["line"]) == ("/boot/vmlinuz-1", "/boot/grub/grub.cfg", 2)
    assert as_text(target).splitlines()[-1] == "chosen by:  /boot/grub/grub.cfg:2"


def test_an_entry_that_cannot_be_loaded_is_a_problem_that_names_it() -> None:
    target = target_of(menu(1, source=None))
    assert (target.entry, target.source) == (None, Source(CONFIG, 9))
    assert target.problem == 'the next entry, "Windows", cannot be loaded: it is a chain loader\'s'
    assert json.loads(as_json(target))["kernel"] is None
    assert as_text(target).startswith("target:     undecided: the next entry")


@pytest.mark.parametrize("problem", ["two loaders are configured", ""])
def test_without_a_default_there_is_no_target(problem: str) -> None:
    target = target_of(menu(problem))
    assert (target.entry, target.problem, target.title) == (None, problem, None)


def test_what_is_not_printable_is_shown_escaped() -> None:
    entry = ENTRY._replace(title="a\nb", cmdline="x=\x1b[31m")
    text = as_text(target_of(menu(0, offered=(LINUX._replace(title="a\nb", boots=entry),))))
    assert "\x1b" not in text
    assert len(text.splitlines()) == 6


def test_a_wish_for_one_boot_is_no_target() -> None:
    target = target_of(menu(0, one_shot=True))
    assert (target.entry, target.one_shot) == (None, True)
    assert target.problem == 'the boot loader has a wish for one boot only, "Linux"'
