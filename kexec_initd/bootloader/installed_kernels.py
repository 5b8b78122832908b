"""Kernels by the names that the distribution's family gives them in /boot: the running one, or all that are installed.

Without the configuration of a boot loader the names are all there is. The default is then the newest kernel, by the
distribution's own order of versions, that has its initrd; the command line is the running one.
"""

import re
from pathlib import Path
from typing import List, Optional, Tuple, Union

from kexec_initd import sentences
from kexec_initd.boot_entry import BootEntry
from kexec_initd.bootloader import Menu, Offered, Source
from kexec_initd.errors import Refused
from kexec_initd.system import safe_path
from kexec_initd.system.files import exists, read_bytes
from kexec_initd.system.host import Family, Host, gather_from
from kexec_initd.system.sysroot import Tree

INITRD_NAMES = {
    Family.DEBIAN: ("initrd.img-{}",),
    Family.RHEL: ("initramfs-{}.img", "initrd-{}.img"),
}
PREFIX = "/boot/vmlinuz-"
LOADER = "naming"
ANY_INITRD = tuple(name for names in INITRD_NAMES.values() for name in names)
# What package managers, editors and installers leave beside a kernel, and images for a rescue.
NEVER = (
    r"(~|\.(old|bak|orig|save|tmp|new|signed|efi|sig|hmac|gz|dpkg-\w+|rpm(save|new|orig)|ucf-\w+))$|rescue|\bkdump\b"
)
# Of struct boot_params, Documentation/arch/x86/boot.rst.
BOOT_PARAMS = 4096
RAMDISK_SIZE = slice(0x21C, 0x220)


def entry_for(host: Host, kernel: Path) -> BootEntry:
    """Return the entry of a kernel file (absolute, a link is followed) with its initrd and the running command line.

    Raises Refused when a file is missing, or when the name does not tell which initrd belongs to the kernel.
    """
    if host.cmdline is None:
        raise Refused("the running command line is unknown", "is /proc mounted?")
    if not exists(below(host.root, kernel)):
        raise Refused(sentences.NO_KERNEL.format(kernel), "is /boot mounted?")
    kernel = safe_path.real(host.root, str(kernel))
    release = kernel.name[len("vmlinuz-") :]
    if not kernel.name.startswith("vmlinuz-") or not release.isprintable():
        raise Refused("{} is not named vmlinuz-VERSION, so its initrd is unknown".format(kernel))
    initrds = _find_initrds(host, kernel.parent, release)
    return BootEntry("kernel " + release, release, kernel, initrds, host.cmdline, running=True)


def below(root: Path, path: Path) -> Path:
    """Return where the host's absolute `path` lies below `root`, links followed."""
    return safe_path.below(root, str(path))


def _find_initrds(host: Host, directory: Path, release: str) -> Tuple[Path, ...]:
    paths = [directory / name.format(release) for name in INITRD_NAMES.get(host.family, ())]
    for path in paths:
        if exists(below(host.root, path)):
            return (path,)
    if booted_without_initrd(host.root):
        return ()
    raise Refused(sentences.NO_INITRD.format(" or ".join(str(path) for path in paths) or "of " + release))


def booted_without_initrd(root: Path) -> bool:
    """Tell whether the boot loader gave the running kernel no initrd; False when that cannot be known (x86 only)."""
    data = read_bytes(safe_path.below(root, "sys/kernel/boot_params/data"), BOOT_PARAMS) or b""
    return data[RAMDISK_SIZE] == bytes(4)


def read_menu(tree: Tree) -> Optional[Menu]:
    """Return the installed kernels of the host, the newest first and as the default; None for none."""
    host = gather_from(tree.again())
    names = [name for name in tree.names("/boot") if name.startswith("vmlinuz-") and not re.search(NEVER, name)]
    releases = [name[len("vmlinuz-") :] for name in names if tree.is_file("/boot/" + name)]
    if not releases:
        return None
    from kexec_initd.bootloader.versions import debian_kernel_key, rpm_kernel_key

    releases.sort(key=rpm_kernel_key if host.family is Family.RHEL else debian_kernel_key, reverse=True)
    bare = booted_without_initrd(tree.root)
    offered = tuple(_offer(host, tree, str(number), release, bare) for number, release in enumerate(releases))
    return Menu(LOADER, offered, _find_default(host, offered))


def _offer(host: Host, tree: Tree, place: str, release: str, bare: bool) -> Offered:
    kernel = Path(PREFIX + release)
    names: List[str] = [name.format(release) for name in INITRD_NAMES.get(host.family, ANY_INITRD)]
    initrd = next((Path("/boot") / name for name in names if tree.is_file("/boot/" + name)), None)
    if initrd is None and not bare:
        boots: Union[BootEntry, str] = "the initrd /boot/{} is missing".format(names[0])
    elif host.cmdline is None:
        boots = "the running command line is unknown"
    else:
        initrds = (initrd,) if initrd else ()
        boots = BootEntry("kernel " + release, release, kernel, initrds, host.cmdline, running=True)
    return Offered("kernel " + release, release, place, boots, Source(kernel, 0))


def _find_default(host: Host, offered: Tuple[Offered, ...]) -> Union[int, str]:
    """Take the newest kernel that has its initrd; the running one where a host's family is unknown. Else say what is wrong."""
    for number, kernel in enumerate(offered):
        if kernel.entry is not None and (host.family is not Family.UNKNOWN or kernel.id == host.kernel_release):
            return number
    obstacles = [kernel.obstacle for kernel in offered if kernel.obstacle is not None]
    if len(obstacles) < len(offered):
        return "the distribution's order of versions is unknown, and the running kernel is not installed"
    return obstacles[0]
