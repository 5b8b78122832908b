"""Signs of a boot loader whose configuration was not found, or is not read here: then the kernels' names decide nothing."""

from typing import Dict, Iterator, Optional, Tuple

from kexec_initd.bootloader.system_partition import find_points
from kexec_initd.bootloader.tree import Tree

# What only one loader has, in /boot or in a directory there that has the loader's name.
IN_BOOT: Dict[str, Tuple[str, ...]] = {
    "GRUB": (
        "grub.cfg",
        "menu.lst",
        "grub.conf",
        "grubenv",
        "stage2",
        "core.img",
        "i386-pc",
        "x86_64-efi",
        "arm64-efi",
    ),
    "LILO": ("map",),
    "SYSLINUX": ("ldlinux.sys", "extlinux.sys", "ldlinux.c32", "syslinux.cfg", "extlinux.conf"),
    "Limine": ("limine.conf", "limine.cfg", "limine-bios.sys"),
    "rEFInd": ("refind_linux.conf",),
    "systemd-boot": ("loader.conf",),
    "U-Boot": ("boot.scr", "boot.scr.uimg", "uEnv.txt", "armbianEnv.txt"),
    "ELILO": ("elilo.conf",),
    "yaboot": ("yaboot.conf",),
    "SILO": ("silo.conf",),
}
DIRECTORIES = ("boot", "extlinux", "grub", "grub2", "limine", "loader", "syslinux")
ELSEWHERE = {
    "LILO": "/etc/lilo.conf",
    "ELILO": "/etc/elilo.conf",
    "zipl": "/etc/zipl.conf",
    "yaboot": "/etc/yaboot.conf",
    "SILO": "/etc/silo.conf",
    "PALO": "/etc/palo.conf",
    "aboot": "/etc/aboot.conf",
}
# Directories of loaders on the EFI system partition.
PROGRAMS = ("refind", "limine", "elilo", "systemd", "clover", "oc", "grub", "syslinux", "zbm")


def find_sign(tree: Tree) -> Optional[str]:
    """Say which file shows that a loader starts the host; None for none."""
    return next(_signs(tree), None)


def _signs(tree: Tree) -> Iterator[str]:
    names = tree.names("/boot")
    for directory in ["/boot"] + ["/boot/" + name for name in DIRECTORIES if name in names]:
        there = tree.names(directory)
        for loader, files in IN_BOOT.items():
            for name in [name for name in files if name in there]:
                yield "{}/{} shows that {} is the boot loader".format(directory, name, loader)
    for loader, path in ELSEWHERE.items():
        if tree.is_file(path):
            yield "{} shows that {} is the boot loader".format(path, loader)
    for point in find_points(tree):
        for name in tree.names(point + "/EFI"):
            if name.lower() in PROGRAMS:
                yield "{}/EFI/{} shows that there is a boot loader".format(point, name)
