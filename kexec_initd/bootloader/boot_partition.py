"""Is what lies in /boot what the boot loader reads? A partition that is not mounted there, or one too many, hides it."""

import re
from typing import Optional

from kexec_initd.bootloader.boot_order import find_started
from kexec_initd.bootloader.grub2.volumes import Volume, Volumes, seen
from kexec_initd.bootloader.system_partition import points_of
from kexec_initd.system.sysroot import FSTAB, MOUNTS, Tree

POINTS = ("/boot", "/boot/grub", "/boot/grub2", "/boot/extlinux", "/boot/syslinux")
SYSTEM_PARTITIONS = ("/boot/efi", "/efi")
SYSTEMD_BOOT = "systemd-boot"
IMAGE = re.compile(r'(?:\A|\s)"?BOOT_IMAGE=(?:\([^)\s]*\))?(/[^\s"]*/|/)([^/\s"]+)')
VERSIONED = re.compile(r"([^-]+-)(?=.*[0-9])")
NUMBERED = r"vmlinuz-[0-9]"
LAYERED = ("btrfs", "zfs", "bcachefs", "overlay", "aufs", "squashfs", "")  # on which a loader's paths are others


def find_problem(tree: Tree, loader: str) -> Optional[str]:
    """Say why the host does not see what its boot loader reads; None where nothing speaks against it."""
    return not_mounted(tree) or (not_its_own(tree) if loader == SYSTEMD_BOOT else elsewhere(tree))


def not_its_own(tree: Tree) -> Optional[str]:
    """Say that the partition from which systemd-boot was started, where its configuration lies, is not mounted."""
    entry = tree.once(find_started).entry
    if entry is None or entry.partition is None or points_of(tree, entry.partition):
        return None
    return "the EFI system partition from which the boot loader was started is not mounted"


def not_mounted(tree: Tree) -> Optional[str]:
    """Say which boot partition of fstab(5) is not mounted; None for none, and for a host that does not run."""
    points = POINTS + (SYSTEM_PARTITIONS if tree.is_directory("/sys/firmware/efi") else ())
    for row in tree.rows(FSTAB):
        point = "/" + "/".join(name for name in row.point.split("/") if name)
        if row.kind not in ("", "swap") and point in points and tree.is_mount_point(point) is False:
            return "{} is a file system of its own in /etc/fstab, and it is not mounted: mount {}".format(point, point)
    return None


def elsewhere(tree: Tree) -> Optional[str]:
    """Say that the running kernel came from a directory that is not to be seen; None where it may be in sight."""
    separate = tree.is_mount_point("/boot")
    if not tree.rows(MOUNTS):
        return None
    match = IMAGE.search(tree.read_text("/proc/cmdline") or "")
    if match is None:
        return _of_another_boot(tree) if separate else None
    directory, name = match.groups()
    volumes = Volumes(tree)
    start = VERSIONED.match(name)
    ours = [volume for volume in volumes.all if volume.point == "/" or volume.point.startswith("/boot")]
    if start is None or any(volume.kind in LAYERED for volume in ours):
        return None
    if any(_holds(tree, volumes, volume, directory, name, start.group(1)) for volume in volumes.all):
        return None
    return "the running kernel is {}{} for its boot loader, which is nowhere mounted: another /boot is".format(
        directory, name
    )


def _holds(tree: Tree, volumes: Volumes, volume: Volume, directory: str, name: str, start: str) -> bool:
    """Tell whether a file system has that file or, since a kernel may be removed, one of its kind beside its place."""
    place = tree.resolve(seen(volume, directory)) or ""
    if not place or volumes.of(place) != volume:
        return False
    if tree.is_file("{}/{}".format(place.rstrip("/"), name)):
        return True
    return any(other.startswith(start) for other in tree.names(place) if tree.is_file(place.rstrip("/") + "/" + other))


def _of_another_boot(tree: Tree) -> Optional[str]:
    """Say that no kernel on the partition at /boot is the running one, where their names tell their releases."""
    release = (tree.read_text("/proc/sys/kernel/osrelease") or "").strip()
    names = tree.names("/boot")
    if not release or any(release in name for name in names) or not any(re.match(NUMBERED, name) for name in names):
        return None
    return "the running kernel {} is not on the partition at /boot: the boot loader may read another".format(release)
