"""Requests to the firmware, or shim, that come before any boot loader's entry at the next cold boot: a kexec would put them off.

Sources: the UEFI specification 2.10, 3.3 (BootNext), 8.5.4 (OsIndications) and 8.5.5 (capsules on the disk);
check_mok_request() of shim. fwupd leaves one of the first three, a record on the disk, and a variable for its own program
or for systemd-boot (efi_update_info_t of its plugins/uefi-capsule; the status is behind version, GUID, flags, instance, time).
"""

from typing import Iterator, Optional

from kexec_initd import sentences
from kexec_initd.bootloader import fwupd
from kexec_initd.bootloader.efivars import ATTRIBUTES, DIRECTORY, GLOBAL, LIMIT
from kexec_initd.system.sysroot import Tree

SHIM = "-605dab50-e046-4300-abb6-3dd810dd8b23"
FWUPD = "-0abba7dc-e516-4167-bbf5-4d9d1c739416"
FWUPD_STATUS = ATTRIBUTES + 4 + 16 + 4 + 8 + 16
FWUPD_WAITS = 1
BOOT_NEXT = DIRECTORY + "BootNext-" + GLOBAL
INDICATIONS = DIRECTORY + "OsIndications-" + GLOBAL
# Bits of OsIndications that ask for something; the others are left by the firmware, or reserved.
WISHES = {0x1: "its setup", 0x4: "a capsule from the disk", 0x40: "a recovery", 0x80: "a recovery of its platform"}
KEY_REQUESTS = ("New", "SB", "PW", "Auth", "Del", "DB", "XNew", "XDel", "XAuth")
CAPSULES = tuple(place + "/EFI/UpdateCapsule" for place in ("/boot/efi", "/efi", "/boot"))


def find_pending(tree: Tree, since: int = 0) -> Optional[str]:
    """Return what comes first at the next cold boot, None for nothing; `since` as in fwupd.find_pending.

    Raises Refused for what cannot be read.
    """
    return next(_pending(tree), None) or fwupd.find_pending(tree, since)


def _pending(tree: Tree) -> Iterator[str]:
    if tree.is_file(BOOT_NEXT):
        yield sentences.BOOT_NEXT
    data = tree.read_bytes(INDICATIONS, LIMIT) or b""
    asked = int.from_bytes(data[ATTRIBUTES:], "little")
    yield from (sentences.INDICATED.format(WISHES[bit]) for bit in WISHES if asked & bit)
    for name in KEY_REQUESTS:
        if tree.is_file("{}Mok{}{}".format(DIRECTORY, name, SHIM)):
            yield sentences.KEY_REQUEST.format(name)
    for directory in CAPSULES:
        if tree.names(directory):
            yield sentences.CAPSULE.format(directory)
    for name in tree.names(DIRECTORY.rstrip("/")):
        if name.startswith("fwupd") and name.endswith(FWUPD):
            status = (tree.read_bytes(DIRECTORY + name, LIMIT) or b"")[FWUPD_STATUS : FWUPD_STATUS + 1]
            if not status or status[0] & FWUPD_WAITS:
                yield sentences.FWUPD.format(name[: -len(FWUPD)])
