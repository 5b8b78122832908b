"""A guest with UEFI firmware, systemd-boot and two kernels, whose entries kernel-install has written; no GRUB is in it.

Debian's sysvinit is its init. The EFI system partition is mounted at /boot/efi and filled from the tree, as the loader's
own installation does: its program where the firmware looks on a disk without boot entries, too.
"""

import shutil
from pathlib import Path

from tests.vm.cache import digest, make_once
from tests.vm.image import (
    CMDLINE,
    MIB,
    NEWER_KERNEL,
    PACKAGES,
    ROOT_UUID,
    Image,
    Recipe,
    image_of,
    make_ext4,
    run,
    unpacked,
)

VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
TOKEN = "4098b3f648d74c13b1f04ccfba7798e8"  # the machine's id, by which kernel-install names things
RECIPE = Recipe(
    packages=PACKAGES.replace("grub-pc", "systemd systemd-boot") + " linux-image-cloud-amd64 " + NEWER_KERNEL
)
ESP_MIB = 192
SETTINGS = {
    "etc/machine-id": TOKEN + "\n",
    "etc/kernel/install.conf": "layout=bls\n",
    "etc/kernel/cmdline": f"root=UUID={ROOT_UUID} ro {CMDLINE}\n",
    "etc/fstab": f"UUID={ROOT_UUID} / ext4 errors=remount-ro 0 1\n"
    "LABEL=ESP /boot/efi vfat umask=0077 0 2\n",
}
# kernel-install names files as they lie on the partition only where that is mounted. Arguments: tree, partition's files.
ADD_KERNELS = """
mount -t tmpfs none "$1/boot/efi"
cp -R "$2/." "$1/boot/efi"
for kernel in "$1"/boot/vmlinuz-*; do
    release=${kernel##*/vmlinuz-}
    chroot "$1" kernel-install add "$release" "/boot/vmlinuz-$release" "/boot/initrd.img-$release"
done
cp -R "$1/boot/efi/." "$2"
"""
PROGRAMS = ("EFI/systemd/systemd-bootx64.efi", "EFI/BOOT/BOOTX64.EFI")


def build() -> Image:
    """Return the image, from the cache or made now."""
    key = digest([RECIPE.key().encode(), Path(__file__).read_bytes()])
    return image_of(make_once("uefi-" + key, make), key)


def make(directory: Path) -> None:
    """Make the image in `directory`."""
    esp = directory / "esp"
    with unpacked(RECIPE, directory) as tree:
        for name, text in SETTINGS.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
        fill_esp(tree, esp)
        write_disk(tree, esp, directory / "disk.raw")
    shutil.rmtree(esp)


def fill_esp(tree: Path, esp: Path) -> None:
    """Collect what lies on the EFI system partition: the loader, and the kernels as kernel-install adds them."""
    (tree / "boot/efi").mkdir()
    (esp / TOKEN).mkdir(parents=True)
    for name in PROGRAMS:
        (esp / name).parent.mkdir(parents=True)
        shutil.copyfile(tree / "usr/lib/systemd/boot/efi/systemd-bootx64.efi", esp / name)
    (esp / "loader").mkdir()
    (esp / "loader/loader.conf").write_text("timeout 0\n")
    run(["unshare", "--mount", "sh", "-ec", ADD_KERNELS, "sh", str(tree), str(esp)])


def write_disk(tree: Path, esp: Path, disk: Path) -> None:
    """Write a GPT with the EFI system partition, filled from `esp`, and the root, filled from `tree`."""
    with open(disk, "wb") as stream:
        stream.truncate(RECIPE.size * MIB)
    rows = [(1, ESP_MIB), (1 + ESP_MIB, RECIPE.size - ESP_MIB - 2)]
    table = "".join(f"start={start}MiB, size={size}MiB, type={kind}\n" for (start, size), kind in zip(rows, "UL"))
    run(["sfdisk", "--quiet", str(disk)], "label: gpt\n" + table)
    image = disk.with_name("esp.raw")
    run(["mkfs.vfat", "-C", "-F", "32", "-n", "ESP", str(image), str(ESP_MIB * 1024)])
    run(["mcopy", "-s", "-i", str(image), *map(str, sorted(esp.iterdir())), "::"])
    run(["dd", f"if={image}", f"of={disk}", "bs=1M", "seek=1", "conv=notrunc,sparse"])
    image.unlink()
    make_ext4(disk, rows[1], ROOT_UUID, tree)
