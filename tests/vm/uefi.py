"""Guests with UEFI firmware, systemd-boot and two kernels, whose entries kernel-install has written; no GRUB is in them.

The EFI system partition is filled from the tree, as the loader's own installation does: its program where the firmware looks
on a disk without boot entries, too. One guest has Debian's sysvinit and mounts that partition at /boot/efi; the other systemd,
whose generator finds the partition by its type, and mounts it at /efi when somebody looks there (systemd-gpt-auto-generator(8)).
"""

import functools
import shutil
from pathlib import Path
from typing import NamedTuple

from tests.vm import debian_systemd
from tests.vm.cache import digest, make_once
from tests.vm.image import (
    CMDLINE,
    MIB,
    NEWER_KERNEL,
    PACKAGES,
    ROOT_UUID,
    Dress,
    Image,
    Recipe,
    image_of,
    make_ext4,
    run,
    unpacked,
)

VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
TOKEN = "4098b3f648d74c13b1f04ccfba7798e8"  # the machine's id, by which kernel-install names things
KERNELS = " linux-image-cloud-amd64 " + NEWER_KERNEL
ESP_MIB = 192


class Kind(NamedTuple):
    """One such guest: where it mounts the partition, by a line of /etc/fstab or by itself, and what is done to its tree."""

    recipe: Recipe
    esp: str
    fstab: str
    dress: Dress


SYSVINIT = Kind(
    Recipe(packages=PACKAGES.replace("grub-pc", "systemd systemd-boot") + KERNELS),
    "boot/efi",
    "LABEL=ESP /boot/efi vfat umask=0077 0 2\n",
    Dress("", lambda tree: None),
)
AUTOMOUNTED = Kind(
    debian_systemd.RECIPE._replace(packages=debian_systemd.PACKAGES.replace("grub-pc", "systemd-boot") + KERNELS),
    "efi",
    "",
    Dress(debian_systemd.QUIET, debian_systemd.put_on_console),
)
SETTINGS = {
    "etc/machine-id": TOKEN + "\n",
    "etc/kernel/install.conf": "layout=bls\n",
    "etc/kernel/cmdline": f"root=UUID={ROOT_UUID} ro {CMDLINE}\n",
    "etc/fstab": f"UUID={ROOT_UUID} / ext4 errors=remount-ro 0 1\n",
}
# kernel-install names files as they lie on the partition only where that is mounted. Arguments: tree, partition's files, where.
ADD_KERNELS = """
mount -t tmpfs none "$1/$3"
cp -R "$2/." "$1/$3"
for kernel in "$1"/boot/vmlinuz-*; do
    release=${kernel##*/vmlinuz-}
    chroot "$1" kernel-install add "$release" "/boot/vmlinuz-$release" "/boot/initrd.img-$release"
done
cp -R "$1/$3/." "$2"
"""
PROGRAMS = ("EFI/systemd/systemd-bootx64.efi", "EFI/BOOT/BOOTX64.EFI")


def build(kind: Kind = SYSVINIT) -> Image:
    """Return the image, from the cache or made now."""
    parts = (kind.recipe.key(), kind.esp, kind.fstab, kind.dress.key)
    key = digest([*(part.encode() for part in parts), Path(__file__).read_bytes()])
    return image_of(make_once("uefi-" + key, functools.partial(make, kind)), key)


def make(kind: Kind, directory: Path) -> None:
    """Make the image in `directory`."""
    esp = directory / "esp"
    with unpacked(kind.recipe, directory) as tree:
        for name, text in SETTINGS.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text + (kind.fstab if name == "etc/fstab" else ""))
        kind.dress.put_on(tree)
        fill_esp(tree, kind.esp, esp)
        write_disk(kind.recipe.size, tree, esp, directory / "disk.raw")
    shutil.rmtree(esp)


def fill_esp(tree: Path, place: str, esp: Path) -> None:
    """Collect what lies on the EFI system partition: the loader, and the kernels as kernel-install adds them."""
    (tree / place).mkdir()
    (esp / TOKEN).mkdir(parents=True)
    for name in PROGRAMS:
        (esp / name).parent.mkdir(parents=True)
        shutil.copyfile(tree / "usr/lib/systemd/boot/efi/systemd-bootx64.efi", esp / name)
    (esp / "loader").mkdir()
    (esp / "loader/loader.conf").write_text("timeout 0\n")
    run(["unshare", "--mount", "sh", "-ec", ADD_KERNELS, "sh", str(tree), str(esp), place])


def write_disk(size: int, tree: Path, esp: Path, disk: Path) -> None:
    """Write a GPT with the EFI system partition, filled from `esp`, and the root, filled from `tree`."""
    with open(disk, "wb") as stream:
        stream.truncate(size * MIB)
    rows = [(1, ESP_MIB), (1 + ESP_MIB, size - ESP_MIB - 2)]
    table = "".join(f"start={start}MiB, size={size}MiB, type={kind}\n" for (start, size), kind in zip(rows, "UL"))
    run(["sfdisk", "--quiet", str(disk)], "label: gpt\n" + table)
    image = disk.with_name("esp.raw")
    run(["mkfs.vfat", "-C", "-F", "32", "-n", "ESP", str(image), str(ESP_MIB * 1024)])
    run(["mcopy", "-s", "-i", str(image), *map(str, sorted(esp.iterdir())), "::"])
    run(["dd", f"if={image}", f"of={disk}", "bs=1M", "seek=1", "conv=notrunc,sparse"])
    image.unlink()
    make_ext4(disk, rows[1], ROOT_UUID, tree)
