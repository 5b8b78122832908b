"""GRUB 2: its script, environment block and menu, read and followed without running anything."""

from kexec_initd.bootloader.grub2.menu import GrubReading, read, read_menu
from kexec_initd.bootloader.grub2.saving import Write

__all__ = ["GrubReading", "Write", "read", "read_menu"]
