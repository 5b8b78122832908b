"""What lies in /boot counts only where it is what the boot loader reads: partitions that are not mounted, or hide another."""

from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from kexec_initd.bootloader.menu import find_menu
from kexec_initd.system.sysroot import Tree
from tests.unit.starting_hosts import (
    COLD,
    DEBIAN,
    ESP,
    MOUNTED,
    NEW,
    OLD,
    READERS,
    ROOT,
    SYSTEM,
    Files,
    answer,
    extlinux,
    grub,
    legacy,
    problem,
    write,
)

FSTAB = "/dev/sda2 / ext4 defaults 0 1\n"
BOOT = "/dev/sda3 /boot ext4 {} 0 2\n"
LINES = {
    "plain": BOOT.format("defaults"),
    "by id, with blanks": "UUID=66666666-7777\t/boot/ \text4\tdefaults\n",
    "noauto": BOOT.format("noauto,noatime"),
    "nofail": BOOT.format("defaults,nofail"),
    "a directory of it": "/dev/sda3 /boot/grub ext4 defaults 0 2\n",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("line", LINES)
def test_what_lies_under_a_mount_point_of_fstab_is_not_read(tmp_path: Path, reader: str, line: str) -> None:
    write(tmp_path, dict(DEBIAN, **READERS[reader], **{"etc/fstab": FSTAB, "proc/mounts": ESP}))
    assert answer(tmp_path) != COLD
    write(tmp_path, {"etc/fstab": FSTAB + LINES[line]})
    assert "is a file system of its own in /etc/fstab, and it is not mounted" in problem(tmp_path)
    assert find_menu(Tree(tmp_path)).offered == ()
    write(tmp_path, {"etc/fstab": FSTAB + "#" + LINES[line] + "/dev/sda4 /boot2 ext4 defaults 0 2\n"})
    assert answer(tmp_path) != COLD


@pytest.mark.parametrize("efi", [False, True])
@pytest.mark.parametrize("point", ["/boot/efi", "/efi"])
def test_the_system_partition_has_to_be_mounted_where_efi_has_started(tmp_path: Path, point: str, efi: bool) -> None:
    line = "UUID=ABCD-1234 {} vfat umask=0077 0 1\n".format(point)
    write(tmp_path, dict(DEBIAN, **READERS["grub2"], **{"etc/fstab": FSTAB + line, "proc/mounts": SYSTEM}))
    if efi:
        write(tmp_path, {"sys/firmware/efi/fw_platform_size": "64\n", "boot/grub/x86_64-efi/normal.mod": ""})
    assert answer(tmp_path) == (COLD if efi else OLD)
    write(tmp_path, {"proc/mounts": SYSTEM + "/dev/sda1 {} vfat rw 0 0\n".format(point)})
    assert answer(tmp_path) == OLD


IMAGES: List[Tuple[str, str, bool]] = [  # what is mounted, what GRUB called the running kernel, is that in sight?
    (MOUNTED, "/vmlinuz-6.1-old", True),
    (MOUNTED, "(hd0,gpt3)/vmlinuz-6.1-old", True),
    (MOUNTED, "/vmlinuz-6.0-removed", True),
    (MOUNTED, "/boot/vmlinuz-6.1-old", False),
    (MOUNTED, "(hd0,gpt2)/boot/vmlinuz-6.1-old", False),
    (MOUNTED, "/boot/vmlinuz-6.0-removed", False),
    (MOUNTED, "/@/boot/vmlinuz-6.1-old", False),
    (SYSTEM, "/boot/vmlinuz-6.1-old", True),
    (SYSTEM, "/boot/vmlinuz-6.0-removed", True),
    (SYSTEM, "/vmlinuz-6.1-old", False),
    (SYSTEM, "(hd0,gpt3)/vmlinuz-6.0-removed", False),
    (SYSTEM.replace("ext4", "btrfs"), "/@/boot/vmlinuz-6.1-old", True),
    (SYSTEM.replace("ext4", "btrfs"), "/vmlinuz-6.1-old", True),
]


@pytest.mark.parametrize(("mounts", "image", "seen"), IMAGES)
def test_the_running_kernel_shows_whether_the_loaders_boot_is_in_sight(
    tmp_path: Path, mounts: str, image: str, seen: bool
) -> None:
    prefix = "" if mounts is MOUNTED else "/boot"
    write(tmp_path, dict(DEBIAN, **{"boot/grub/grub.cfg": grub("6.2-new", prefix), "boot/grub/i386-pc/normal.mod": ""}))
    write(tmp_path, {"proc/mounts": mounts, "proc/cmdline": "BOOT_IMAGE={} {}\n".format(image, ROOT)})
    assert answer(tmp_path) == (NEW if seen else COLD)


def test_a_boot_directory_with_a_link_to_itself_is_in_sight(tmp_path: Path) -> None:
    write(tmp_path, dict(DEBIAN, **READERS["grub2"], **{"proc/mounts": MOUNTED, "boot/boot": "-> ."}))
    write(tmp_path, {"proc/cmdline": "BOOT_IMAGE=/boot/vmlinuz-6.1-old {}\n".format(ROOT)})
    assert answer(tmp_path) == OLD


WITHOUT_A_WORD: Dict[str, Files] = {
    "extlinux": {"boot/extlinux/extlinux.conf": extlinux("6.1-old", ""), "boot/extlinux/ldlinux.sys": ""},
    "legacy": {"boot/grub/menu.lst": legacy("6.1-old").replace("/boot/", "/"), "boot/grub/stage2": ""},
}


@pytest.mark.parametrize("reader", WITHOUT_A_WORD)
def test_a_loader_without_a_word_shows_it_by_the_running_release(tmp_path: Path, reader: str) -> None:
    write(tmp_path, dict(DEBIAN, **WITHOUT_A_WORD[reader], **{"proc/mounts": MOUNTED}))
    for release, seen in (("6.2-new", True), ("6.3-elsewhere", False)):
        write(tmp_path, {"proc/sys/kernel/osrelease": release + "\n"})
        assert answer(tmp_path) == (OLD if seen else COLD)
