"""Who starts what: starters, firmware entries and configurations combined, against a table that was written by hand.

Each configuration has a kernel of its own, so that the kernel says whose configuration was taken: NEWEST is the one that the
names alone would choose, which no configuration names. The tables below are read from Documentation/arch/x86/boot.rst of the
kernel, the UEFI specification and the loaders' own sources; none of them is made from the code under test.
"""

from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from kexec_initd.bootloader.firmware_record import keep
from kexec_initd.system.sysroot import Tree
from tests.unit.starting_hosts import (
    APPLICATION,
    GONE,
    INACTIVE,
    IPV4,
    ISCSI,
    MAC,
    OURS,
    ROOT,
    SYSTEM,
    UNMOUNTED,
    Files,
    answer,
    extlinux,
    firmware,
    grub,
    kernels,
    legacy,
    option,
    write,
)

COLD = "cold"
GRUB, SYSLINUX, LEGACY, SDBOOT, NEWEST = "vmlinuz-6.1", "vmlinuz-6.2", "vmlinuz-6.3", "linux", "vmlinuz-6.9"
BIOS: Files = dict(
    kernels("6.1", "6.2", "6.3", "6.9"),
    **{"etc/os-release": "ID=debian\n", "etc/fstab": "/dev/sda2 / ext4 defaults 0 1\n", "proc/mounts": SYSTEM},
    **{"sys/kernel/kexec_loaded": "0\n", "proc/sys/kernel/random/boot_id": "1\n"},
)
WITH_GRUB: Files = {"boot/grub/grub.cfg": grub("6.1"), "boot/grub/i386-pc/normal.mod": ""}
WITH_SYSLINUX: Files = {"boot/syslinux/syslinux.cfg": extlinux("6.2"), "boot/syslinux/ldlinux.sys": ""}
WITH_LEGACY: Files = {"boot/grub/menu.lst": legacy("6.3"), "boot/grub/stage2": ""}
WITH_LILO: Files = {"etc/lilo.conf": "image=/boot/vmlinuz-6.1\nlabel=x\n", "boot/map": "x"}

# What the number says, by whom it is given: "grub2", "legacy", "grub" for one of both, "syslinux", None for nobody;
# "other" for a loader that is not read here.
NUMBERS: Dict[int, str] = {
    0x72: "grub2",
    0x06: "grub2",
    0x71: "legacy",
    0x70: "grub",
    0x31: "syslinux",
    0x34: "syslinux",
    0x30: "syslinux",
    0x80: "syslinux",
    0x02: "other",
    0x01: "other",
    0x11: "other",
    0x32: "other",
    0x33: "other",
    0x40: "other",
    0x41: "other",
    0x60: "other",
    0x90: "other",
    0xA0: "other",
    0xB0: "other",
    0xC0: "other",
    0xFF: "other",
    0x110: "other",
    0x120: "other",
    0x135: "other",
    0x154: "other",
    0x21: "other",  # an EFI stub, and no BOOT_IMAGE= that GRUB 2 would have left
}
# For each configuration of a host, what each of those boots; "nobody" where neither a number nor a word tells.
CONFIGURED: Dict[str, Tuple[Files, Dict[str, str]]] = {
    "GRUB 2": (WITH_GRUB, {"grub2": GRUB, "grub": GRUB, "nobody": GRUB}),
    "SYSLINUX": (WITH_SYSLINUX, {"syslinux": SYSLINUX, "nobody": SYSLINUX}),
    "GRUB legacy": (WITH_LEGACY, {"legacy": LEGACY, "grub": LEGACY, "nobody": LEGACY}),
    "GRUB 2 and SYSLINUX": (
        dict(WITH_GRUB, **WITH_SYSLINUX),
        {"grub2": GRUB, "grub": GRUB, "syslinux": SYSLINUX},
    ),
    "both GRUBs": (dict(WITH_GRUB, **WITH_LEGACY), {"grub2": GRUB, "legacy": LEGACY}),
    "LILO": (WITH_LILO, {}),
    "none": ({}, {"nobody": NEWEST}),
}


@pytest.mark.once
@pytest.mark.parametrize("after_kexec", [False, True], ids=["firmware", "kexec"])
@pytest.mark.parametrize("configured", CONFIGURED)
def test_numbers_and_configurations(tmp_path: Path, configured: str, after_kexec: bool) -> None:
    """26 numbers and none, in 7 configurations, at the boot itself and in the system that a kexec of ours has started."""
    files, boots = CONFIGURED[configured]
    root = write(tmp_path, dict(BIOS, **files))
    wrong: List[object] = []
    for number, who in [*NUMBERS.items(), (0, "nobody"), (None, "nobody")]:
        (root / "proc/sys/kernel/bootloader_type").unlink() if number is None else write(
            root, {"proc/sys/kernel/bootloader_type": "{}\n".format(number), "proc/cmdline": ROOT + "\n"}
        )
        if after_kexec:
            keep(Tree(root))
            write(root, {"proc/cmdline": "kexec_initd.attempt=0123456789abcdef {}\n".format(ROOT)})
            if number:
                write(root, {"proc/sys/kernel/bootloader_type": "209\n"})
        if answer(root) != boots.get(who, COLD):
            wrong.append((number, who, answer(root), boots.get(who, COLD)))
    assert wrong == []


# A word of the command line where no number tells, and who has left it.
WORDS = {
    "BOOT_IMAGE=/boot/vmlinuz-6.1": "grub2 or syslinux",
    "BOOT_IMAGE=(hd0,msdos2)/boot/vmlinuz-6.1": "grub2 or syslinux",
    "auto BOOT_IMAGE=Linux": "label",
    "BOOTIF=01-52-54-00-12-34-56": "network",
    "initrd=\\boot\\initrd.img-6.1": "stub",
}
BY_WORD = {
    "GRUB 2": {"grub2 or syslinux": GRUB, "label": GRUB, "stub": GRUB},
    "SYSLINUX": {"grub2 or syslinux": SYSLINUX, "label": SYSLINUX, "stub": SYSLINUX},
    "GRUB 2 and SYSLINUX": {"label": SYSLINUX},
    "LILO": {},
}


@pytest.mark.parametrize("configured", BY_WORD)
def test_words_of_the_command_line(tmp_path: Path, configured: str) -> None:
    root = write(tmp_path, dict(BIOS, **CONFIGURED[configured][0]))
    for words, who in WORDS.items():
        write(root, {"proc/cmdline": "{} {}\n".format(words, ROOT)})
        assert answer(root) == BY_WORD[configured].get(who, COLD), words


SYSTEM_PARTITION: Files = {
    "proc/mounts": SYSTEM + "/dev/sda1 /boot/efi vfat rw 0 0\nefivarfs /sys/firmware/efi/efivars efivarfs rw 0 0\n",
    "proc/sys/kernel/osrelease": "6.1\n",
    "dev/sda1": "",
    "dev/sda2": "",
    "dev/sdb1": "",
    "dev/disk/by-uuid/11111111-aaaa": "-> ../../sda2",
    "dev/disk/by-partuuid/" + str(OURS): "-> ../../sda1",
    "dev/disk/by-partuuid/" + str(UNMOUNTED): "-> ../../sdb1",
    "boot/grub/grub.cfg": grub("6.1"),
    "boot/grub/x86_64-efi/normal.mod": "",
    "boot/efi/EFI/debian/shimx64.efi": "shim",
    "boot/efi/EFI/debian/grubx64.efi": "grub",
    "boot/efi/EFI/debian/grub.cfg": "search.fs_uuid 11111111-aaaa root\nconfigfile ($root)/boot/grub/grub.cfg\n",
    "boot/efi/EFI/ubuntu/shimx64.efi": "another shim",
    "boot/efi/EFI/ubuntu/grub.cfg": "search.fs_uuid 22222222-bbbb root\nconfigfile ($root)/boot/grub/grub.cfg\n",
    "boot/efi/EFI/Microsoft/Boot/bootmgfw.efi": "windows",
    "boot/efi/EFI/BOOT/BOOTX64.EFI": "shim",
    "boot/efi/EFI/systemd/systemd-bootx64.efi": "systemd",
    "boot/efi/loader/loader.conf": "timeout 3\n",
    "boot/efi/loader/entries/m.conf": "title m\nlinux /m/linux\noptions {}\n".format(ROOT),
    "boot/efi/m/linux": "",
    "boot/efi/EFI/refind/refind_x64.efi": "",
}
GRUB_PROGRAM, SHIM = "\\EFI\\debian\\grubx64.efi", "\\EFI\\debian\\shimx64.efi"
USUAL, SYSTEMD = "\\EFI\\BOOT\\BOOTX64.EFI", "\\EFI\\systemd\\systemd-bootx64.efi"
WINDOWS = "\\EFI\\Microsoft\\Boot\\bootmgfw.efi"
# The firmware's entry that was started, the name that a loader left, the number: and what the same way brings again.
STARTED: Dict[str, Tuple[bytes, str, int, str]] = {
    "shim": (option("debian", SHIM, partition=OURS), "", 0x72, GRUB),
    "shim, spelled otherwise": (option("debian", "\\efi\\Debian\\SHIMX64.EFI", partition=OURS), "", 0x72, GRUB),
    "GRUB of Fedora's kind": (option("debian", GRUB_PROGRAM, partition=OURS), "", 0x06, GRUB),
    "GRUB 2.12": (option("debian", GRUB_PROGRAM, partition=OURS), "GRUB 2.12", 0x21, GRUB),
    "GRUB 2.12 without its name": (option("debian", GRUB_PROGRAM, partition=OURS), "", 0x21, GRUB),
    "no partition": (option("debian", GRUB_PROGRAM), "", 0x72, GRUB),
    "usual program": (option("UEFI OS", USUAL, partition=OURS), "", 0x72, GRUB),
    "a disk": (option("UEFI Disk"), "", 0x72, GRUB),
    "a disk on the network": (option("UEFI iSCSI", nodes=MAC + IPV4 + ISCSI), "", 0x72, GRUB),
    "systemd-boot": (option("Linux", SYSTEMD, partition=OURS), "systemd-boot 252.6-1", 0x21, SDBOOT),
    "systemd-boot behind shim": (option("debian", SHIM, partition=OURS), "systemd-boot 257", 0x21, SDBOOT),
    "systemd-boot as usual program": (option("UEFI OS", USUAL, partition=OURS), "systemd-boot 257", 0x21, SDBOOT),
    "GRUB behind systemd-boot": (option("Linux", SYSTEMD, partition=OURS), "systemd-boot 257", 0x72, SDBOOT),
    "a kernel as usual program": (option("UEFI OS", USUAL, partition=OURS), "", 0x21, COLD),
    "rEFInd": (option("rEFInd", "\\EFI\\refind\\refind_x64.efi", partition=OURS), "", 0x21, COLD),
    "GRUB behind rEFInd": (option("rEFInd", "\\EFI\\refind\\refind_x64.efi", partition=OURS), "", 0x72, COLD),
    "Limine": (option("Limine", "\\EFI\\limine\\BOOTX64.EFI", partition=OURS), "Limine 8.0.1", 0xFF, COLD),
    "Limine as usual program": (option("UEFI OS", USUAL, partition=OURS), "", 0xFF, COLD),
    "a loader with a name": (option("UEFI OS", USUAL, partition=OURS), "Loader of somebody 1.0", 0x21, COLD),
    "a kernel": (option("Linux", "\\vmlinuz.efi", partition=OURS), "", 0x21, COLD),
    "an image": (option("Linux", "\\EFI\\Linux\\image.efi", partition=OURS), "", 0x21, COLD),
    "Windows": (option("Windows Boot Manager", WINDOWS, partition=OURS), "", 0x72, COLD),
    "the network": (option("UEFI PXEv4", nodes=MAC + IPV4), "", 0x72, COLD),
    "QEMU's kernel": (option("debian", SHIM, partition=OURS), "", 0xB0, COLD),
    "a tool": (option("Tool", "\\EFI\\tool\\start.efi", partition=OURS), "", 0x72, COLD),
}
# What stands in the firmware's menu before the entry that was started, and whether a cold boot takes that entry again.
IN_FRONT: Dict[str, Tuple[List[bytes], bool]] = {
    "nothing": ([], True),
    "the network": ([option("UEFI PXEv4", nodes=MAC + IPV4)], True),
    "a device": ([option("UEFI DVD")], True),
    "a device and the network": ([option("UEFI DVD"), option("UEFI PXEv6", nodes=MAC)], True),
    "an application": ([option("Setup", WINDOWS, APPLICATION, OURS)], True),
    "an entry that is not active": ([option("Windows Boot Manager", WINDOWS, INACTIVE, OURS)], True),
    "a file that is gone": ([option("fedora", "\\EFI\\fedora\\shimx64.efi", partition=OURS)], True),
    "a disk that is gone": ([option("Windows Boot Manager", WINDOWS, partition=GONE)], True),
    "no entry": ([b"\1\0\0"], True),
    "Windows": ([option("Windows Boot Manager", WINDOWS, partition=OURS)], False),
    "Windows without its partition": ([option("Windows Boot Manager", WINDOWS)], False),
    "Windows behind the network": (
        [option("UEFI PXEv4", nodes=MAC), option("Windows Boot Manager", WINDOWS, partition=OURS)],
        False,
    ),
    "another system": ([option("ubuntu", "\\EFI\\ubuntu\\shimx64.efi", partition=OURS)], False),
    "another system, spelled otherwise": ([option("ubuntu", "/efi/UBUNTU/shimx64.EFI", partition=OURS)], False),
    "a disk that cannot be looked at": ([option("Windows Boot Manager", WINDOWS, partition=UNMOUNTED)], False),
}


@pytest.mark.once
@pytest.mark.parametrize("front", IN_FRONT)
def test_firmware_entries(tmp_path: Path, front: str) -> None:
    """25 ways to be started, behind 15 beginnings of the firmware's menu; where it is cold anyway, behind three of them."""
    before, again = IN_FRONT[front]
    wrong: List[object] = []
    write(tmp_path, dict(BIOS, **SYSTEM_PARTITION))
    for name, (entry, info, number, brings) in STARTED.items():
        if brings == COLD and front not in ("nothing", "the network", "Windows"):
            continue
        entries = dict(enumerate([entry, *before, option("Windows Boot Manager", WINDOWS, partition=OURS)], 1))
        order = [*range(2, 2 + len(before)), 1, 2 + len(before)]
        variables = firmware(entries, order, 1, info)
        write(tmp_path, variables)
        write(tmp_path, {"proc/sys/kernel/bootloader_type": "{}\n".format(number), "proc/cmdline": ROOT + "\n"})
        wanted = brings if again else COLD
        if answer(tmp_path) != wanted:
            wrong.append((name, answer(tmp_path), wanted))
        write(tmp_path, dict.fromkeys(variables))
    assert wrong == []
