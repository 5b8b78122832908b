"""Signs of a boot loader whose configuration was not found, or is not read here: then the kernels' names decide nothing."""

from typing import Dict, Iterator, Optional, Tuple

from kexec_initd.bootloader.system_partition import find_points
from kexec_initd.system.sysroot import Tree

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
TOPS = ("/boot", "/boot/boot", "/boot/efi", "/efi")
DIRECTORIES = ("extlinux", "grub", "grub2", "limine", "loader", "syslinux")
ELSEWHERE = {
    "LILO": "/etc/lilo.conf",
    "ELILO": "/etc/elilo.conf",
    "zipl": "/etc/zipl.conf",
    "yaboot": "/etc/yaboot.conf",
    "SILO": "/etc/silo.conf",
    "PALO": "/etc/palo.conf",
    "aboot": "/etc/aboot.conf",
}
# Directories of loaders on the EFI system partition, and how GRUB's programs begin in the directory of a distribution.
PROGRAMS = ("refind", "limine", "elilo", "systemd", "clover", "oc", "grub", "syslinux", "zbm")
GRUB = ("grub", "shim")


def find_sign(tree: Tree) -> Optional[str]:
    """Say which file shows that a loader starts the host; None for none."""
    found = (_in_directories(tree), _elsewhere(tree), _on_system_partition(tree))
    return next((sign for signs in found for sign in signs), None)


def _in_directories(tree: Tree) -> Iterator[str]:
    tops = [top for top in TOPS if tree.is_directory(top)]
    inner = ["{}/{}".format(top, name) for top in [*tops, ""] for name in DIRECTORIES]
    for directory in tops + [path for path in inner if tree.is_directory(path)]:
        there = tree.names(directory)
        for loader, files in IN_BOOT.items():
            for name in [name for name in files if name in there]:
                yield "{}/{} shows that {} is the boot loader".format(directory, name, loader)


def _elsewhere(tree: Tree) -> Iterator[str]:
    for loader, path in ELSEWHERE.items():
        if tree.is_file(path):
            yield "{} shows that {} is the boot loader".format(path, loader)


def _on_system_partition(tree: Tree) -> Iterator[str]:
    for directory in [point + "/EFI" for point in find_points(tree)]:
        for name in tree.names(directory):
            programs = [program for program in tree.names(directory + "/" + name) if program.lower().startswith(GRUB)]
            if programs or name.lower() in PROGRAMS:
                yield "{} shows that there is a boot loader".format("/".join([directory, name, *programs[:1]]))
