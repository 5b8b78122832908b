"""Which boot loader is this host's, and its menu.

What decides, in this order:

1. The loader that started the running kernel, as far as that can be known: the EFI variable LoaderInfo, in which
   systemd-boot and GRUB 2 leave their names; else the number that x86's loaders leave in bootloader_type (see the
   kernel's Documentation/arch/x86/boot.rst); else BOOT_IMAGE=, with which GRUB 2 and SYSLINUX begin the command line.
2. The loaders that lie beside their configuration: a configuration without one is a leftover.
3. Of BLS entries and another loader's configuration, the latter: GRUB 2 reads such entries as well.

Where that leaves several, which of them boots is not known, and there is no default. Without any configuration the
names of the installed kernels are all there is.
"""

import re
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Tuple

from kexec_initd.bootloader import Menu, extlinux, grub2, legacy, naming, systemd_boot
from kexec_initd.bootloader.efivars import read_string
from kexec_initd.bootloader.tree import Tree
from kexec_initd.errors import Error

BY_INFO = {"systemd-boot": "systemd-boot", "GRUB": "grub2"}
BY_TYPE = {0x71: "grub-legacy", 0x72: "grub2", 0x3: "syslinux", 0x8: "syslinux"}  # by number and release, or number
BY_COMMAND_LINE = ("grub2", "syslinux")  # those that write BOOT_IMAGE=; without it kexec may have started the kernel
NUMBER = re.compile(r"[0-9]{1,9}")


class Loader(NamedTuple):
    """A kind of boot loader: its reader, and whether its program is on the host."""

    name: str
    read: Callable[[Tree], Optional[Menu]]
    installed: Callable[[Tree], bool]


class Candidate(NamedTuple):
    """A loader that is configured on the host."""

    name: str
    menu: Menu
    installed: bool


def find_menu(root: Path) -> Menu:
    """Return the menu of the loader that boots the host below `root`; see menu_of."""
    return menu_of(Tree(root))


def menu_of(tree: Tree) -> Menu:
    """Return the menu of the loader that boots the host; with a problem where that is not known.

    Without any configuration and any kernel the menu is empty. Raises Error only for what cannot be read at all.
    """
    candidates = [found for found in (_read(loader, tree) for loader in loaders()) if found is not None]
    if not candidates:
        found = naming.read_menu(tree)
        return found or Menu(
            naming.LOADER, (), None, "there is no boot loader's configuration and no kernel", None, False
        )
    left = narrow(candidates, tree)
    if len(left) == 1:
        return left[0].menu
    names = ", ".join(candidate.menu.loader for candidate in left)
    return Menu("unknown", (), None, "several boot loaders are configured: " + names, None, False)


def loaders() -> List[Loader]:
    """Return the loaders that can be read."""
    return [
        Loader("grub2", grub2.read_menu, has_grub2),
        Loader("systemd-boot", systemd_boot.read_menu, systemd_boot.is_installed),
        Loader("syslinux", extlinux.read_menu, extlinux.is_installed),
        Loader("grub-legacy", legacy.read_menu, lambda tree: _any_file(tree, "/boot/grub/", ("stage2", "stage1"))),
    ]


def has_grub2(tree: Tree) -> bool:
    """Tell whether GRUB 2 itself is on the host: its core image or modules, or its EFI program."""
    for directory in ("/boot/grub/", "/boot/grub2/"):
        if _any_file(tree, directory, ("grubenv", "i386-pc/core.img", "i386-pc/normal.mod", "x86_64-efi/normal.mod")):
            return True
        if any(tree.is_file(directory + name + "/normal.mod") for name in tree.names(directory)):
            return True
    vendors = [place + "/EFI/" + name + "/" for place in ("/boot/efi", "/efi") for name in tree.names(place + "/EFI")]
    return any(name.lower().startswith("grub") for vendor in vendors for name in tree.names(vendor))


def _any_file(tree: Tree, directory: str, names: Tuple[str, ...]) -> bool:
    return any(tree.is_file(directory + name) for name in names)


def _read(loader: Loader, tree: Tree) -> Optional[Candidate]:
    """Read one loader's menu; one that cannot be read is a menu with that problem, if it turns out to be this host's."""
    try:
        menu = loader.read(tree)
    except Error as error:
        menu = Menu(loader.name, (), None, str(error), None, False)
    return None if menu is None else Candidate(loader.name, menu, loader.installed(tree))


def narrow(candidates: List[Candidate], tree: Tree) -> List[Candidate]:
    """Return the candidates that are left when more and more is considered; never none."""
    started = started_by(tree)
    left = keep(candidates, lambda candidate: candidate.name in started)
    left = keep(left, lambda candidate: candidate.installed)
    return keep(left, lambda candidate: candidate.installed or candidate.name != "systemd-boot")


def started_by(tree: Tree) -> Tuple[str, ...]:
    """Return which loaders may have started the running kernel; none where nothing tells."""
    info = (read_string(tree, "LoaderInfo") or "").split(" ")[0]
    number = (tree.read_text("/proc/sys/kernel/bootloader_type") or "").strip()
    kind = int(number) if NUMBER.fullmatch(number) else 0
    if info in BY_INFO:
        return (BY_INFO[info],)
    if kind in BY_TYPE or kind >> 4 in BY_TYPE:
        return (BY_TYPE.get(kind) or BY_TYPE[kind >> 4],)
    words = (tree.read_text("/proc/cmdline") or "").split()
    return BY_COMMAND_LINE if any(word.startswith("BOOT_IMAGE=") for word in words) else ()


def keep(candidates: List[Candidate], fits: Callable[[Candidate], bool]) -> List[Candidate]:
    """Return the candidates that fit, or all where none does."""
    return [candidate for candidate in candidates if fits(candidate)] or candidates
