"""Signs of a boot loader whose configuration was not found, or is not read here: then the kernels' names decide nothing."""

from typing import Optional, Tuple

from kexec_initd.bootloader.system_partition import find_points
from kexec_initd.bootloader.tree import Tree

BOOT = ("/boot", "/boot/boot", "")
# A loader's name, and files that only it has; a name without a slash lies in /boot or, where /boot is not, in /.
FILES: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    (
        "GRUB",
        ("grub.cfg", "grub/grub.cfg", "grub2/grub.cfg", "grub/menu.lst", "grub/grub.conf", "grub/grubenv", "grub2/grubenv")
        + ("grub/stage2", "grub/i386-pc/core.img", "grub/i386-pc/normal.mod", "grub2/i386-pc/normal.mod", "grub.conf")
        + ("grub/x86_64-efi/normal.mod", "grub2/x86_64-efi/normal.mod", "grub/core.img", "menu.lst"),
    ),
    ("LILO", ("map", "/etc/lilo.conf")),
    (
        "SYSLINUX",
        tuple(
            "{}{}".format(directory, name)
            for directory in ("", "syslinux/", "extlinux/")
            for name in ("ldlinux.sys", "extlinux.sys", "ldlinux.c32", "syslinux.cfg", "extlinux.conf")
        ),
    ),
    ("Limine", ("limine.conf", "limine.cfg", "limine/limine.conf", "limine/limine.cfg", "limine-bios.sys")),
    ("rEFInd", ("refind_linux.conf",)),
    ("systemd-boot", ("loader/loader.conf",)),
    ("U-Boot", ("boot.scr", "boot.scr.uimg", "uEnv.txt", "armbianEnv.txt")),
    ("ELILO", ("elilo.conf", "/etc/elilo.conf")),
    ("zipl", ("/etc/zipl.conf",)),
    ("yaboot", ("yaboot.conf", "/etc/yaboot.conf")),
    ("SILO", ("silo.conf", "/etc/silo.conf")),
    ("PALO", ("/etc/palo.conf",)),
    ("aboot", ("/etc/aboot.conf",)),
)
# Directories of loaders on the EFI system partition.
PROGRAMS = ("refind", "limine", "elilo", "systemd", "clover", "oc", "grub", "syslinux", "zbm")


def find_sign(tree: Tree) -> Optional[str]:
    """Say which file shows that a loader starts the host; None for none."""
    for loader, names in FILES:
        for path in [name if name.startswith("/") else "{}/{}".format(place, name) for name in names for place in BOOT]:
            if tree.is_file(path):
                return "{} shows that {} is the boot loader".format(path, loader)
    for point in find_points(tree):
        for name in tree.names(point + "/EFI"):
            if name.lower() in PROGRAMS:
                return "{}/EFI/{} shows that there is a boot loader".format(point, name)
    return None
