"""Titles of any length, with blanks in them or given twice: no entry takes the menu with it, none is taken for another."""

from pathlib import Path
from typing import Dict, List

import pytest

from kexec_initd.bootloader import Menu
from kexec_initd.bootloader.extlinux import read_menu as read_extlinux
from kexec_initd.bootloader.menu import find_menu
from kexec_initd.bootloader.output import as_text
from kexec_initd.bootloader.target import as_text as target_as_text
from kexec_initd.bootloader.target import read_target
from kexec_initd.system.sysroot import Tree

LONG = "x" * 300000
FSTAB = {"etc/fstab": "UUID=aa / ext4 defaults 0 1\nUUID=bb /boot ext4 defaults 0 2\n", "boot/k": ""}
GRUB = {
    "boot/grub/i386-pc/blscfg.mod": "",
    "proc/cmdline": "BOOT_IMAGE=(hd0,gpt2)/k\n",
    "etc/os-release": "ID=fedora\n",
}
ENTRIES = {"boot/loader/entries/b.conf": "title b\nlinux /k\n", "boot/loader/entries/a.conf": "title {}\nlinux /k\n"}
HOSTS = {
    "grub2": {**GRUB, "boot/grub/grub.cfg": "menuentry b {{ linux /k }}\nmenuentry {} {{ linux /k }}\n"},
    "grub2 submenu": {**GRUB, "boot/grub/grub.cfg": "menuentry b {{ linux /k }}\nsubmenu {} {{ menuentry c {{ linux /k }}\n}}\n"},
    "grub2 blscfg": {**GRUB, **ENTRIES, "boot/grub/grub.cfg": "blscfg\n"},
    "systemd-boot": {**ENTRIES, "boot/loader/loader.conf": "timeout 3\n"},
    "grub-legacy": {"boot/grub/menu.lst": "title b\nkernel /k\ntitle {}\nkernel /k\n", "boot/grub/stage2": ""},
    "syslinux": {
        "boot/extlinux/extlinux.conf": "default b\nlabel b\nkernel /k\nlabel {}\nkernel /k\n",
        "boot/extlinux/ldlinux.sys": "",
    },
}  # fmt: skip


def write(root: Path, texts: Dict[str, str]) -> None:
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize("loader", sorted(HOSTS))
def test_a_long_title_leaves_the_menu_readable(loader: str, tmp_path: Path) -> None:
    config = {name: text.format(LONG) if "{}" in text else text for name, text in HOSTS[loader].items()}
    write(tmp_path, {**FSTAB, **config})
    menu = find_menu(Tree(tmp_path))
    assert menu.default is not None, menu.problem
    assert menu.offered[menu.default].title == "b" and len(menu.offered) == 2
    assert len(as_text(menu)) < 1000


def test_a_long_title_is_shortened_where_people_read_it(tmp_path: Path) -> None:
    config = {"boot/grub/grub.cfg": "menuentry {} {{ linux /k }}\n".format(LONG)}
    write(tmp_path, {**FSTAB, **GRUB, **config})
    target = read_target(Tree(tmp_path)).target
    assert target.title == LONG and len(target.name) < 300 and len(target_as_text(target)) < 1000
    write(tmp_path, {"boot/grub/grub.cfg": "menuentry {} {{ chainloader +1 }}\n".format(LONG)})
    assert len(read_target(Tree(tmp_path)).target.problem or "") < 300


def test_a_word_that_no_menu_has_is_a_value_that_nobody_knows(tmp_path: Path) -> None:
    config = "menuentry b {{ linux /k }}\nmenuentry '{}' {{ linux /k }}\nmenuentry c {{ linux /k {} }}\n"
    word = "y" * 1100000
    write(tmp_path, {**FSTAB, **GRUB, "boot/grub/grub.cfg": config.format(word, word)})
    menu = find_menu(Tree(tmp_path))
    assert (menu.default, menu.problem, len(menu.offered)) == (0, None, 3)
    assert "a-word-of-more-than-1048576-characters" in (menu.offered[2].obstacle or "")


def syslinux(root: Path, head: str, labels: List[str]) -> Menu:
    """Read an extlinux.conf with a kernel for each of `labels`, lines with the word "menu" belong to the one before."""
    body = "".join(
        "  {}\n".format(line) if line.startswith("menu ") else "label {}\nkernel /k\n".format(line) for line in labels
    )
    write(root, {**FSTAB, "boot/extlinux/extlinux.conf": head + "\n" + body, "boot/extlinux/ldlinux.sys": ""})
    menu = read_extlinux(Tree(root))
    assert menu is not None
    return menu


@pytest.mark.parametrize("head", ["ui menu.c32", "default vesamenu.c32", "ui vesamenu.c32\ndefault Linux"])
def test_labels_under_a_menu_program_are_whole_lines(head: str, tmp_path: Path) -> None:
    menu = syslinux(tmp_path, head, ["Linux 5.10", "Linux 6.1", "Linux 6.1 rescue"])
    assert [offered.title for offered in menu.offered] == ["Linux 5.10", "Linux 6.1", "Linux 6.1 rescue"]
    assert [offered.id for offered in menu.offered] == ["Linux 5.10", "Linux 6.1", "Linux 6.1 rescue"]
    assert menu.default == 0


def test_a_default_is_one_word_for_a_menu_program(tmp_path: Path) -> None:
    menu = syslinux(tmp_path, "ui menu.c32\ndefault Linux new", ["Linux old", "Linux new", "Linux"])
    assert menu.default == 2 and menu.offered[2].title == "Linux"


def test_without_a_menu_program_a_label_is_its_first_word(tmp_path: Path) -> None:
    menu = syslinux(tmp_path, "default two", ["one 5.10", "two 6.1"])
    assert [offered.id for offered in menu.offered] == ["one", "two"] and menu.default == 1
    assert [offered.title for offered in menu.offered] == ["one 5.10", "two 6.1"]


@pytest.mark.parametrize(
    "labels, titles",
    [
        (["a", "menu label Linux", "b", "menu label Linux"], ["Linux (a)", "Linux (b)"]),
        (["a", "menu label ^Linux", "b", "menu label L^inux", "c"], ["Linux (a)", "Linux (b)", "c"]),
        (["a", "a"], ["a (a) (0)", "a (a) (1)"]),
        (["a", "menu label b", "b"], ["b (a)", "b (b)"]),
    ],
)
def test_no_two_entries_share_a_title(labels: List[str], titles: List[str], tmp_path: Path) -> None:
    menu = syslinux(tmp_path, "ui menu.c32", labels)
    assert [offered.title for offered in menu.offered] == titles
    assert [offered.entry.title for offered in menu.offered if offered.entry] == titles
