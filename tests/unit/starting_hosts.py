"""Hosts made from dictionaries of files, for the tests of who starts a machine: the firmware's entries and what loaders leave."""

import os
import struct
import uuid
from pathlib import Path
from typing import Dict, Optional, Sequence, Union

from kexec_initd.bootloader.target import Target, find_target
from kexec_initd.system.sysroot import Tree

Files = Dict[str, Union[str, bytes, None]]
EFIVARS = "sys/firmware/efi/efivars/"
GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
LOADER = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
OURS = uuid.UUID("0fc63daf-0001-4000-8000-000000000001")  # of the partition that is mounted at /boot/efi
UNMOUNTED = uuid.UUID("0fc63daf-0002-4000-8000-000000000002")  # of one on a disk that is there
GONE = uuid.UUID("0fc63daf-0003-4000-8000-000000000003")
ACTIVE, INACTIVE, APPLICATION = 0x1, 0x0, 0x109
MAC = bytes([3, 0x0B, 37, 0]) + bytes(33)
IPV4 = bytes([3, 0x0C, 27, 0]) + bytes(23)
ISCSI = bytes([3, 0x13, 18, 0]) + bytes(14)
END = bytes([0x7F, 0xFF, 4, 0])
SYSTEM = "/dev/sda2 / ext4 rw 0 0\nproc /proc proc rw 0 0\n"
ROOT = "root=/dev/sda2 ro"


def write(root: Path, files: Files) -> Path:
    """Write files below `root`; text that begins with "-> " is a link, None removes one."""
    for name, content in files.items():
        path = root / name
        if content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str) and content.startswith("-> "):
            os.symlink(content[3:], str(path))
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def option(
    title: str,
    file: str = "",
    attributes: int = ACTIVE,
    partition: Optional[uuid.UUID] = None,
    nodes: bytes = b"",
) -> bytes:
    """Return an entry of the firmware's menu, as UEFI 2.10, 3.1.3 has it."""
    path = nodes
    if partition is not None:
        body = struct.pack("<IQQ", 1, 2048, 1048576) + partition.bytes_le + bytes([2, 2])
        path += struct.pack("<BBH", 4, 1, 4 + len(body)) + body
    if file:
        name = (file + "\0").encode("utf-16-le")
        path += struct.pack("<BBH", 4, 4, 4 + len(name)) + name
    path += END
    return struct.pack("<IH", attributes, len(path)) + (title + "\0").encode("utf-16-le") + path


def firmware(
    entries: Dict[int, bytes], order: Optional[Sequence[int]] = None, current: Optional[int] = None, info: str = ""
) -> Files:
    """Return the variables of a firmware with that menu."""
    values = {"Boot{:04X}".format(number): data for number, data in entries.items()}
    if order is not None:
        values["BootOrder"] = struct.pack("<{}H".format(len(order)), *order)
    if current is not None:
        values["BootCurrent"] = struct.pack("<H", current)
    files: Files = {"{}{}-{}".format(EFIVARS, name, GLOBAL): bytes(4) + data for name, data in values.items()}
    if info:
        files[loader_variable("LoaderInfo")] = bytes(4) + (info + "\0").encode("utf-16-le")
    return files


def loader_variable(name: str) -> str:
    """Return the path of a variable of the Boot Loader Interface."""
    return "{}{}-{}".format(EFIVARS, name, LOADER)


def kernels(*releases: str) -> Files:
    """Return kernels of Debian's names, with their initrds."""
    return {"boot/{}-{}".format(kind, release): "" for kind in ("vmlinuz", "initrd.img") for release in releases}


def grub(release: str, prefix: str = "/boot", title: str = "Debian") -> str:
    """Return a grub.cfg that boots the kernel of a release."""
    return "menuentry '{0}' {{\n linux {1}/vmlinuz-{2} {3}\n initrd {1}/initrd.img-{2}\n}}\n".format(
        title, prefix, release, ROOT
    )


def extlinux(release: str, prefix: str = "/boot") -> str:
    """Return an extlinux.conf that boots the kernel of a release."""
    return "default l\nlabel l\n linux {0}/vmlinuz-{1}\n initrd {0}/initrd.img-{1}\n append {2}\n".format(
        prefix, release, ROOT
    )


def legacy(release: str) -> str:
    """Return a menu.lst that boots the kernel of a release."""
    return "default 0\ntitle x\nroot (hd0,1)\nkernel /boot/vmlinuz-{0} {1}\ninitrd /boot/initrd.img-{0}\n".format(
        release, ROOT
    )


def answer(root: Path) -> str:
    """Return the name of the kernel that the host would boot, or "cold"."""
    target = find_target(Tree(root))
    return target.entry.kernel.name if target.entry is not None else "cold"


def problem(root: Path) -> str:
    """Return why nothing is known of what the host would boot."""
    target: Target = find_target(Tree(root))
    assert target.entry is None and target.problem is not None, target
    return target.problem


DEBIAN: Files = dict(kernels("6.1-old", "6.2-new"), **{"etc/os-release": "ID=debian\n", "proc/cmdline": ROOT + "\n"})
OLD, NEW, COLD = "vmlinuz-6.1-old", "vmlinuz-6.2-new", "cold"
NUMBER = "proc/sys/kernel/bootloader_type"
ESP = SYSTEM + "/dev/sda1 /boot/efi vfat rw 0 0\n"
MOUNTED = SYSTEM + "/dev/sda3 /boot ext4 rw 0 0\n"
ENTRIES: Files = {
    "boot/efi/loader/loader.conf": "timeout 3\n",
    "boot/efi/EFI/systemd/systemd-bootx64.efi": "",
    "boot/efi/loader/entries/m.conf": "title m\nlinux /linux\noptions {}\n".format(ROOT),
    "boot/efi/linux": "",
}
READERS: Dict[str, Files] = {
    "grub2": {"boot/grub/grub.cfg": grub("6.1-old"), "boot/grub/i386-pc/normal.mod": ""},
    "extlinux": {"boot/extlinux/extlinux.conf": extlinux("6.1-old"), "boot/extlinux/ldlinux.sys": ""},
    "u-boot": {"boot/extlinux/extlinux.conf": "## U-Boot\n" + extlinux("6.1-old")},
    "legacy": {"boot/grub/menu.lst": legacy("6.1-old"), "boot/grub/stage2": ""},
    "systemd-boot": ENTRIES,
    "none": {},
}
