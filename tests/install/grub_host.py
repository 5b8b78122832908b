"""A host whose disk exists for GRUB's programs alone: grub-mkconfig asks grub-probe, and a stand-in answers.

Everything else is Debian's own: grub-mkconfig and its scripts, grub-mkrelpath, grub-editenv, grub-set-default,
grub-reboot, grub-script-check. The stand-in answers as grub-probe(8) does for file systems on partitions of one disk
with an MBR, or on a logical volume.
"""

import re
from typing import Dict, List, NamedTuple, Tuple

from tests.install.loader_host import RELEASES, LoaderHost

ROOT_UUID = "0f4b2c1e-6a57-4c1c-9d3b-1f5e8a7c9d01"
BOOT_UUID = "5d8e3f7a-90b2-4b6e-8c1d-2a4f6b8c0e02"
CONFIG = "boot/grub/grub.cfg"
GRUB_PROBE = r"""#!/bin/sh
parsed=$(getopt --options t:d --longoptions target:,device -- "$@") || exit
eval "set -- $parsed"
while [ "$1" != -- ]; do
    case $1 in -t | --target) target=$2 ;; esac
    shift
done
while read -r point device uuid abstraction name; do
    case $2 in "$device" | "$point"*) break ;; esac
done </etc/grub-probe
case $target,$abstraction in
device,*) echo "$device" ;;
fs_uuid,*) echo "$uuid" ;;
fs,*) echo ext2 ;;
partmap,*) echo msdos ;;
abstraction,lvm) echo lvm ;;
abstraction,*) ;;
hints_string,lvm) echo "--hint='lvmid/$name'" ;;
compatibility_hint,lvm) echo "lvmid/$name" ;;
compatibility_hint,*) echo "$name" ;;
hints_string,*) echo "--hint-bios=$name --hint-efi=$name --hint-baremetal=ahci0,${name#*,}" ;;
*) exit 1 ;;
esac
"""


class Volume(NamedTuple):
    """A file system: where it is mounted, its device, its UUID, "lvm" or "plain", and GRUB's name of the device."""

    point: str
    device: str
    uuid: str
    abstraction: str
    name: str


ROOT = Volume("/", "/dev/vda2", ROOT_UUID, "plain", "hd0,msdos2")
BOOT = Volume("/boot", "/dev/vda1", BOOT_UUID, "plain", "hd0,msdos1")
LVM = Volume("/", "/dev/mapper/vg-root", ROOT_UUID, "lvm", "aaaaaa-AAAA/bbbbbb-BBBB")


class GrubHost:
    """A LoaderHost with a disk and with kernels, whose configuration can be generated."""

    def __init__(self, host: LoaderHost, volumes: Tuple[Volume, ...] = (ROOT,)) -> None:
        self.host = host
        self.volumes = volumes
        host.reset()
        host.write("usr/sbin/grub-probe", GRUB_PROBE, 0o755)
        host.write("etc/grub-probe", "".join(" ".join(volume) + "\n" for volume in volumes))
        host.write("etc/fstab", "".join("UUID={0.uuid} {0.point} ext4 defaults 0 1\n".format(one) for one in volumes))
        for volume in volumes:
            host.write(volume.device.lstrip("/"))
            link = host.tree / "dev/disk/by-uuid" / volume.uuid
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(volume.device)
        (host.tree / "boot/grub").mkdir()
        for release in RELEASES:
            host.add_kernel(release)

    def generate(self, *lines: str) -> str:
        """Let update-grub run with `lines` in /etc/default/grub, and return the configuration."""
        self.host.write("etc/default/grub", "".join(line + "\n" for line in lines))
        self.host.must_on_mounts([one.point for one in self.volumes if one.point != "/"], "update-grub")
        self.host.must("grub-script-check", "/" + CONFIG)
        return self.host.read(CONFIG)

    def titles(self) -> List[str]:
        """Return the titles of all entries and submenus, as they stand in quotes at the start of their lines."""
        return re.findall(r"""^\s*(?:menuentry|submenu) ["']([^"']*)["']""", self.host.read(CONFIG), re.MULTILINE)

    def environment(self) -> Dict[str, str]:
        """Return the environment block by grub-editenv."""
        lines = self.host.must("grub-editenv", "/boot/grub/grubenv", "list").splitlines()
        return dict(line.split("=", 1) for line in lines)
