"""Which boot loader is this host's, and its menu.

What decides, in this order:

1. The loader that has started the machine, as far as that is known (see starter): only its configuration counts. One that
   is not read here, and one whose configuration is not found, leave no default.
2. The loaders that lie beside their configuration: a configuration without one is a leftover.
3. Of BLS entries and another loader's configuration, the latter: GRUB 2 reads such entries as well.

Where that leaves several, which of them boots is not known, and there is no default. Without any configuration, and where
nothing else shows that there is a loader, the names of the installed kernels are all there is. What lies in /boot counts
only where that is what the loader sees, too.
"""

import importlib
from typing import Callable, List, NamedTuple, Optional, Tuple

from kexec_initd.bootloader import (
    Menu,
    boot_partition,
    extlinux_search,
    installed_kernels,
    legacy_search,
    signs,
    systemd_boot_search,
)
from kexec_initd.bootloader.grub2 import start
from kexec_initd.bootloader.starter import Starter, find_starter
from kexec_initd.errors import Error
from kexec_initd.system.sysroot import Tree

UNFOUND = "{} has started this machine, and its configuration is not found"
SHOWN = "the command line shows that {} is the boot loader"
NOTHING = "there is no boot loader's configuration and no kernel"


class Loader(NamedTuple):
    """A kind of boot loader: is its configuration on the host, which module reads that, and is its program on the host?"""

    name: str
    is_configured: Callable[[Tree], bool]
    reader: str
    is_installed: Callable[[Tree], bool]


class Candidate(NamedTuple):
    """A loader that is configured on the host."""

    name: str
    menu: Menu
    installed: bool


def find_menu(tree: Tree) -> Menu:
    """Return the menu of the loader that boots the host; with a problem where that is not known.

    Without any configuration and any kernel the menu is empty. Raises Error only for what cannot be read at all.
    """
    starter = tree.once(find_starter)
    candidates = [found for found in (_read(loader, tree) for loader in LOADERS) if found is not None]
    menu = (
        _find_booting(candidates, starter, tree)
        or installed_kernels.read_menu(tree)
        or Menu(installed_kernels.LOADER, (), NOTHING)
    )
    hidden = boot_partition.find_problem(tree, menu.loader)
    problem = starter.problem or hidden
    if problem is None:
        return menu
    offered = () if hidden else menu.offered  # what is hidden is not what is to be seen in its place
    return Menu(starter.name or menu.loader, offered, problem)


def _find_booting(candidates: List[Candidate], starter: Starter, tree: Tree) -> Optional[Menu]:
    """Return the menu of the loader that boots the host; None where nothing shows that there is one."""
    fits = [candidate for candidate in candidates if candidate.name in starter.readers]
    if starter.sure and not fits and starter.problem is None:
        return Menu(starter.name or "unknown", (), UNFOUND.format(starter.name))
    if not candidates:
        sign = signs.find_sign(tree) if starter.name is None else SHOWN.format(starter.name)
        return None if sign is None else Menu("unknown", (), sign + ", and its configuration is not found")
    left = narrow(fits or candidates)
    if len(left) == 1:
        return left[0].menu
    return Menu("unknown", (), "several boot loaders are configured: " + ", ".join(one.menu.loader for one in left))


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
        menu = read_menu(loader, tree) if loader.is_configured(tree) else None
    except Error as error:
        menu = Menu(loader.name, (), str(error))
    return None if menu is None else Candidate(loader.name, menu, loader.is_installed(tree))


def read_menu(loader: Loader, tree: Tree) -> Optional[Menu]:
    """Return the menu that a loader's reader finds, which is imported now: most hosts need one of them."""
    found: Optional[Menu] = importlib.import_module("kexec_initd.bootloader." + loader.reader).read_menu(tree)
    return found


def narrow(candidates: List[Candidate]) -> List[Candidate]:
    """Return the candidates that are left when what lies beside them is considered; never none."""
    left = keep(candidates, lambda candidate: candidate.installed)
    return keep(left, lambda candidate: candidate.installed or candidate.name != "systemd-boot")


def keep(candidates: List[Candidate], fits: Callable[[Candidate], bool]) -> List[Candidate]:
    """Return the candidates that fit, or all where none does."""
    return [candidate for candidate in candidates if fits(candidate)] or candidates


LOADERS = (
    Loader("grub2", start.is_configured, "grub2.menu", has_grub2),
    Loader("systemd-boot", systemd_boot_search.is_configured, "systemd_boot", systemd_boot_search.is_installed),
    Loader("syslinux", extlinux_search.is_configured, "extlinux", extlinux_search.is_installed),
    Loader("grub-legacy", legacy_search.is_configured, "legacy", legacy_search.is_installed),
)
