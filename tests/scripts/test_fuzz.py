"""The fuzzing command: its inputs differ, and each thing that it looks for is found."""

import os
import subprocess
import time
from pathlib import Path
from typing import Callable

import pytest

from kexec_initd.bootloader.menu import find_menu
from kexec_initd.system.sysroot import Tree
from tests.bootloader.hosts import read
from tests.fuzz import check
from tests.fuzz.damage import Input, make_input, read_fixtures
from tests.processor import is_too_long

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "fuzz"
HOST = "grub2/debian-12-first"
SOUND = Input(HOST, {"boot/grub/grub.cfg": read(HOST)["boot/grub/grub.cfg"].content}, {})


def test_a_number_is_an_input() -> None:
    fixtures = read_fixtures()
    inputs = [make_input(fixtures, "a", number) for number in range(300)]
    assert inputs == [make_input(fixtures, "a", number) for number in range(300)]
    assert len({str(one) for one in inputs}) > 290
    assert len({one.host for one in inputs}) > 60
    assert any(one.odd for one in inputs)
    assert make_input(fixtures, "b", 0) != inputs[0]


def test_many_inputs_still_have_entries(tmp_path: Path) -> None:
    fixtures = read_fixtures()
    menus = []
    for number in range(200):
        with check.placed(make_input(fixtures, "a", number), tmp_path) as root:
            menus.append(find_menu(Tree(root)))
    assert sum(any(offered.entry for offered in menu.offered) for menu in menus) > 60
    assert sum(menu.default is None for menu in menus) > 40


def test_a_host_is_afterwards_what_it_was(tmp_path: Path) -> None:
    for kind in ("directory", "fifo", "dangling link", "link to itself", "missing"):
        with check.placed(SOUND._replace(files={}, odd={"boot/grub/grub.cfg": kind}), tmp_path) as root:
            assert not os.path.isfile(str(root / "boot/grub/grub.cfg"))
        assert (root / "boot/grub/grub.cfg").read_bytes() == SOUND.files["boot/grub/grub.cfg"]


def fail(root: Path) -> None:
    raise ValueError("something else")


def be_slow(root: Path) -> None:
    start = time.process_time()
    while not is_too_long(time.process_time() - start, check.LONG * 1.1):
        pass


@pytest.mark.parametrize("gather, fault", [(fail, "ValueError: something else"), (be_slow, "of processor time")])
def test_what_raises_or_takes_long_is_found(
    gather: Callable[[Path], None], fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check.find_fault(SOUND, tmp_path) is None
    monkeypatch.setattr(check, "gather", gather)
    monkeypatch.setattr(check, "LONG", 0.05)
    assert fault in (check.find_fault(SOUND, tmp_path) or "")


def test_what_was_invented_is_found(tmp_path: Path) -> None:
    with check.placed(SOUND, tmp_path) as root:
        menu = find_menu(Tree(root))
        check.check(root, menu, SOUND)
        entry = menu.offered[0].entry
        assert entry is not None
        for wrong, words in (
            (entry._replace(cmdline=entry.cmdline + " init=/bin/sh~~invented"), "is not in the input"),
            (entry._replace(kernel=Path("/boot/vmlinuz-9")), "is no file of the host"),
            (entry._replace(initrds=(Path("/etc"),)), "is no file of the host"),
        ):
            with pytest.raises(check.Finding, match=words):
                check.check(root, menu._replace(offered=(menu.offered[0]._replace(boots=wrong),), boots=0), SOUND)
        with pytest.raises(check.Finding, match="no default, and no reason"):
            check.check(root, menu._replace(boots=""), SOUND)


def test_the_quoting_that_grub_adds_was_not_invented(tmp_path: Path) -> None:
    config = b"menuentry a {\nlinux /boot/vmlinuz-6.1.0-37-amd64 x='a y=\"b\"'\n}\n"
    one = Input(HOST, {"boot/grub/grub.cfg": config}, {})
    with check.placed(one, tmp_path) as root:
        entry = find_menu(Tree(root)).offered[0].entry
        assert entry is not None and entry.cmdline.endswith(' "x=a y=\\"b\\""')
    assert check.find_fault(one, tmp_path) is None


def test_a_script_may_put_words_together_but_only_from_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x=one y=two")
    known = check.Known(tmp_path)
    assert known.has("onetwo", 2) and not known.has("onetwo", 1)
    assert not known.has("one~two", 8)


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(SCRIPT), "--inputs", "20", "--seed", "test", "--jobs", "2", "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("seed test: 20 inputs in ")
    assert list(tmp_path.iterdir()) == []
