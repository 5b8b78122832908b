"""Where systemd-boot and its entries may lie: on the EFI system partition, and on the boot partition beside it."""

import re
from typing import List, Match

from kexec_initd.bootloader.efivars import read_string
from kexec_initd.system.sysroot import Tree

LOADER = "systemd-boot"
PLACES = ("/efi", "/boot/efi", "/boot")
ENTRIES, IMAGES = "/loader/entries", "/EFI/Linux"
PROGRAM = r"(?i)systemd-boot(\w+)\.efi$"


def is_configured(tree: Tree) -> bool:
    """Tell whether something lies where entries and unified kernel images would."""
    return any(tree.names(place + directory) for place in find_places(tree) for directory in (ENTRIES, IMAGES))


def is_installed(tree: Tree) -> bool:
    """Tell whether the loader itself, not only entries that GRUB may read as well, is on the host."""
    if (read_string(tree, "LoaderInfo") or "").startswith(LOADER):
        return True
    return any(tree.is_file(place + "/loader/loader.conf") or find_programs(tree, place) for place in find_places(tree))


def find_places(tree: Tree) -> List[str]:
    """Return where the EFI system partition and the boot partition may be mounted, each once."""
    places = {tree.resolve(place): place for place in reversed(PLACES) if tree.is_mount_point(place) is not False}
    return [place for place in PLACES if place in places.values() and tree.is_directory(place)]


def find_programs(tree: Tree, place: str) -> List[Match[str]]:
    """Return the names of the loader's own programs on one partition, with the architecture as a group."""
    found = (re.match(PROGRAM, name) for name in tree.names(place + "/EFI/systemd"))
    return [match for match in found if match]
