"""Hosts with GRUB 2, small ones and one with many entries, for the tests of how its configuration is read."""

import shutil
from pathlib import Path
from typing import Dict, Optional, Tuple

from kexec_initd.bootloader import Menu
from kexec_initd.bootloader.grub2.menu import read_menu
from kexec_initd.system.sysroot import Tree
from tests.bootloader.hosts import root_of

DEBIAN = "grub2/debian-12-first"
FSTAB = "UUID=aa / ext4 defaults 0 1\nUUID=bb /boot ext4 defaults 0 2\n"


def menu_of(root: Path, config: str, files: Tuple[str, ...] = (), texts: Optional[Dict[str, str]] = None) -> Menu:
    """Read a configuration in /boot/grub, where /boot is a partition of its own with the kernels /k1 and /k2."""
    contents = {"boot/grub/grub.cfg": config, "etc/fstab": FSTAB, "boot/k1": "", "boot/k2": "", "boot/i1": ""}
    contents.update(dict.fromkeys(files, ""))
    contents.update(texts or {})
    for name, text in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    menu = read_menu(Tree(root))
    assert menu is not None
    return menu


def two_entries() -> str:
    return "menuentry a { linux /k1 }\nmenuentry b { linux /k2 }\n"


def cmdline_of(root: Path, config: str) -> str:
    """Return the command line that the first entry gets, without the kernel in front."""
    menu = menu_of(root, config)
    entry = menu.offered[0].entry
    assert entry is not None, (menu.offered[0].obstacle, menu.problem)
    first, _, rest = entry.cmdline.partition(" ")
    assert first == "BOOT_IMAGE=/k1"
    return rest


def write_many_entries(root: Path, count: int) -> Path:
    """Write a host below `root` whose menu has `count` entries as update-grub writes them, in a submenu but for one.

    Every other entry has a kernel that is there. Returns the path of grub.cfg.
    """
    shutil.copytree(str(root_of(DEBIAN) / "etc"), str(root / "etc"))
    head, body = (root_of(DEBIAN) / "boot/grub/grub.cfg").read_text().split("submenu ", 1)
    begin = body.index("\tmenuentry ")
    one = body[begin : body.index("\tmenuentry ", begin + 1)]
    releases = ["6.1.0-{}".format(number) for number in range(count - 1)]
    config = root / "boot/grub/grub.cfg"
    config.parent.mkdir(parents=True)
    entries = "".join(one.replace("6.1.0-37", release) for release in releases)
    config.write_text("{}submenu {}{}}}\n".format(head, body[:begin], entries))
    for release in releases[::2]:
        for name in ("vmlinuz", "initrd.img"):
            (root / "boot" / "{}-{}-amd64".format(name, release)).write_text("")
    return config
