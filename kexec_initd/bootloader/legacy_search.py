"""Where GRUB legacy and its configuration lie."""

from kexec_initd.system.sysroot import Tree

CONFIGS = ("/boot/grub/grub.conf", "/boot/grub/menu.lst", "/boot/efi/EFI/redhat/grub.conf")
PROGRAMS = ("/boot/grub/stage2", "/boot/grub/stage1")


def is_configured(tree: Tree) -> bool:
    """Tell whether there is a configuration."""
    return any(map(tree.is_file, CONFIGS))


def is_installed(tree: Tree) -> bool:
    """Tell whether the loader itself is on the host."""
    return any(map(tree.is_file, PROGRAMS))
