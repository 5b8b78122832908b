"""The running kernel's own files, by the names that the distribution's family gives them in /boot."""

import struct
from pathlib import Path
from typing import Tuple

from kexec_initd.bootloader import BootEntry
from kexec_initd.errors import Refused
from kexec_initd.host import Family, Host

INITRD_NAMES = {
    Family.DEBIAN: ("initrd.img-{}",),
    Family.RHEL: ("initramfs-{}.img", "initrd-{}.img"),
}
PREFIX = "/boot/vmlinuz-"
RAMDISK_SIZE = 0x21C  # of struct boot_params, Documentation/arch/x86/boot.rst


def find_running(host: Host) -> BootEntry:
    """Return the entry that boots the running kernel again with the running command line.

    Raises Refused when a file is missing: the kernel, or the initrd of a kernel that was booted with one.
    """
    if host.kernel_release is None:
        raise Refused("the running kernel is unknown", "is /proc mounted?")
    return entry_for(host, Path(PREFIX + host.kernel_release))


def entry_for(host: Host, kernel: Path) -> BootEntry:
    """Return the entry of a kernel file (absolute, a link is followed) with its initrd and the running command line.

    Raises Refused when a file is missing, or when the name does not tell which initrd belongs to the kernel.
    """
    if host.cmdline is None:
        raise Refused("the running command line is unknown", "is /proc mounted?")
    if not below(host.root, kernel).exists():
        raise Refused("the kernel {} is missing".format(kernel), "is /boot mounted?")
    kernel = Path("/") / below(host.root, kernel).resolve().relative_to(host.root.resolve())
    release = kernel.name[len("vmlinuz-") :]
    if not kernel.name.startswith("vmlinuz-") or not release.isprintable():
        raise Refused("{} is not named vmlinuz-VERSION, so its initrd is unknown".format(kernel))
    initrds = _find_initrds(host, kernel.parent, release)
    return BootEntry("kernel " + release, release, kernel, initrds, host.cmdline)


def below(root: Path, path: Path) -> Path:
    """Return where the host's absolute `path` lies below `root`."""
    return root / path.relative_to("/")


def _find_initrds(host: Host, directory: Path, release: str) -> Tuple[Path, ...]:
    paths = [directory / name.format(release) for name in INITRD_NAMES.get(host.family, ())]
    for path in paths:
        if below(host.root, path).exists():
            return (path,)
    if booted_without_initrd(host.root):
        return ()
    raise Refused("the initrd {} is missing".format(" or ".join(str(path) for path in paths) or "of " + release))


def booted_without_initrd(root: Path) -> bool:
    """Tell whether the boot loader gave the running kernel no initrd; False when that cannot be known (x86 only)."""
    try:
        data = (root / "sys/kernel/boot_params/data").read_bytes()
        return bool(struct.unpack_from("<I", data, RAMDISK_SIZE)[0] == 0)
    except (OSError, struct.error):
        return False
