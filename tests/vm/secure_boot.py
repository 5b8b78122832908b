"""A guest whose firmware checks signatures: OVMF with Microsoft's keys, then Debian's shim, GRUB and kernel, all signed.

The EFI system partition holds shim where the firmware looks on a disk without boot entries, and a grub.cfg that leads to the
one in /boot, as grub-install leaves it. OVMF guards its variables by SMM, which takes the newer chipset (OVMF's README). What it
writes to them is gone with QEMU.
"""

import shutil
from pathlib import Path

from tests.vm.cache import digest, make_once
from tests.vm.image import CMDLINE, MIB, PACKAGES, ROOT_UUID, Image, Recipe, image_of, make_ext4, run, unpacked

RECIPE = Recipe(packages=PACKAGES.replace("grub-pc", "shim-signed grub-efi-amd64-signed mokutil"))
FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"
ARGS = (
    "-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on",
    "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE}",
    "-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={VARIABLES}",
)  # fmt: skip
ESP_MIB = 64
LEAD = f"search.fs_uuid {ROOT_UUID} root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n"
# update-grub, run outside of the guest, would describe the disks of this machine.
MENU = """\
set default=0
set timeout=0
menuentry 'Debian' --id debian {{
    search --no-floppy --fs-uuid --set=root {uuid}
    linux /boot/vmlinuz-{release} root=UUID={uuid} ro {words}
    initrd /boot/initrd.img-{release}
}}
"""
FSTAB = f"UUID={ROOT_UUID} / ext4 errors=remount-ro 0 1\nLABEL=ESP /boot/efi vfat umask=0077 0 2\n"


def build() -> Image:
    """Return the image, from the cache or made now."""
    key = digest([RECIPE.key().encode(), Path(__file__).read_bytes()])
    directory = make_once("secure-boot-" + key, make)
    return image_of(directory, key)


def make(directory: Path) -> None:
    """Make the image in `directory`."""
    with unpacked(RECIPE, directory) as tree:
        release = max((tree / "boot").glob("vmlinuz-*")).name.partition("-")[2]
        (tree / "boot/grub").mkdir(exist_ok=True)
        (tree / "boot/grub/grub.cfg").write_text(MENU.format(uuid=ROOT_UUID, release=release, words=CMDLINE))
        (tree / "boot/grub/grubenv").write_bytes(b"# GRUB Environment Block\n".ljust(1024, b"#"))
        (tree / "boot/efi").mkdir(exist_ok=True)
        (tree / "etc/fstab").write_text(FSTAB)
        write_disk(tree, directory / "disk.raw")


def fill_esp(tree: Path, esp: Path) -> None:
    """Put shim, GRUB and its way to the configuration below `esp`."""
    for directory in ("EFI/BOOT", "EFI/debian"):
        (esp / directory).mkdir(parents=True)
    shutil.copyfile(tree / "usr/lib/shim/shimx64.efi.signed", esp / "EFI/BOOT/BOOTX64.EFI")
    shutil.copyfile(tree / "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed", esp / "EFI/BOOT/grubx64.efi")
    (esp / "EFI/debian/grub.cfg").write_text(LEAD)


def write_disk(tree: Path, disk: Path) -> None:
    """Write a GPT with the EFI system partition and the root, which is filled from `tree`."""
    with open(disk, "wb") as stream:
        stream.truncate(RECIPE.size * MIB)
    rows = [(1, ESP_MIB), (1 + ESP_MIB, RECIPE.size - ESP_MIB - 2)]
    table = "".join(f"start={start}MiB, size={size}MiB, type={kind}\n" for (start, size), kind in zip(rows, "UL"))
    run(["sfdisk", "--quiet", str(disk)], "label: gpt\n" + table)
    esp, image = tree.parent / "esp", tree.parent / "esp.raw"
    fill_esp(tree, esp)
    run(["mkfs.vfat", "-C", "-F", "32", "-n", "ESP", str(image), str(ESP_MIB * 1024)])
    run(["mcopy", "-s", "-i", str(image), *map(str, sorted(esp.iterdir())), "::"])
    run(["dd", f"if={image}", f"of={disk}", "bs=1M", "seek=1", "conv=notrunc,sparse"])
    image.unlink()
    shutil.rmtree(esp)
    make_ext4(disk, rows[1], ROOT_UUID, tree)
