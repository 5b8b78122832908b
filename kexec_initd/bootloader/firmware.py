"""What the firmware, or shim, is to do at the next cold boot before any boot loader's entry: a kexec would put it off.

Sources: the UEFI specification 2.10, 3.3 (BootNext), 8.5.4 (OsIndications) and 8.5.5 (capsules on the disk);
check_mok_request() of shim. fwupd leaves one of the first three.
"""

from typing import Iterator, Optional

from kexec_initd.bootloader.efivars import ATTRIBUTES, DIRECTORY, LIMIT
from kexec_initd.bootloader.tree import Tree

GLOBAL = "-8be4df61-93ca-11d2-aa0d-00e098032b8c"
SHIM = "-605dab50-e046-4300-abb6-3dd810dd8b23"
BOOT_NEXT = DIRECTORY + "BootNext" + GLOBAL
INDICATIONS = DIRECTORY + "OsIndications" + GLOBAL
# Bits of OsIndications that ask for something; the others are left by the firmware, or reserved.
WISHES = {0x1: "its setup", 0x4: "a capsule from the disk", 0x40: "a recovery", 0x80: "a recovery of its platform"}
KEY_REQUESTS = ("New", "SB", "PW", "Auth", "Del", "DB", "XNew", "XDel", "XAuth")
CAPSULES = tuple(place + "/EFI/UpdateCapsule" for place in ("/boot/efi", "/efi", "/boot"))


def find_pending(tree: Tree) -> Optional[str]:
    """Return what comes first at the next cold boot, None for nothing. Raises Refused for what cannot be read."""
    return next(_pending(tree), None)


def _pending(tree: Tree) -> Iterator[str]:
    if tree.is_file(BOOT_NEXT):
        yield "the firmware has a wish for one boot only (BootNext)"
    data = tree.read_bytes(INDICATIONS, LIMIT) or b""
    asked = int.from_bytes(data[ATTRIBUTES:], "little")
    yield from ("the firmware is asked for {} (OsIndications)".format(WISHES[bit]) for bit in WISHES if asked & bit)
    for name in KEY_REQUESTS:
        if tree.is_file("{}Mok{}{}".format(DIRECTORY, name, SHIM)):
            yield "a request of mokutil waits to be confirmed at the next boot (Mok{})".format(name)
    for directory in CAPSULES:
        if tree.names(directory):
            yield "a firmware update waits in {}".format(directory)
