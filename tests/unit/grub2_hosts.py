"""Small hosts with GRUB 2, for the tests of how its configuration is read."""

from pathlib import Path
from typing import Dict, Optional, Tuple

from kexec_initd.bootloader import Menu
from kexec_initd.bootloader.grub2 import read_menu
from kexec_initd.bootloader.tree import Tree

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
