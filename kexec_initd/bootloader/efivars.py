"""EFI variables by which boot loader and system talk (the Boot Loader Interface), as efivarfs shows them."""

from pathlib import Path
from typing import List, Optional

from kexec_initd.bootloader import LoaderWrite
from kexec_initd.system.sysroot import Tree

DIRECTORY = "/sys/firmware/efi/efivars/"
OLD_DIRECTORY = (
    "/sys/firmware/efi/vars/"  # before Linux 3.8, as on RHEL 6: a directory for each, the value alone in `data`
)
LOADER = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"  # the vendor of the Boot Loader Interface
GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"  # the vendor of the firmware's own variables
ATTRIBUTES = 4  # bytes before the value
LIMIT = 64 * 1024


def path_of(name: str) -> str:
    """Return the file that shows one of the loader's variables."""
    return DIRECTORY + name + "-" + LOADER


def read_global(tree: Tree, name: str) -> Optional[bytes]:
    """Return the value of one of the firmware's own variables; None where there is none."""
    data = tree.read_bytes("{}{}-{}".format(DIRECTORY, name, GLOBAL), LIMIT)
    if data is None:
        return tree.read_bytes("{}{}-{}/data".format(OLD_DIRECTORY, name, GLOBAL), LIMIT)
    return data[ATTRIBUTES:]


def read_strings(tree: Tree, name: str) -> List[str]:
    """Return a variable of the loader that lists strings; none where there is no such variable."""
    data = tree.read_bytes(path_of(name), LIMIT) or b""
    text = data[ATTRIBUTES:].decode("utf-16-le", "replace")
    return [part for part in text.split("\0") if part]


def read_string(tree: Tree, name: str) -> Optional[str]:
    """Return a variable of the loader that holds one string; None where there is none, or an empty one."""
    return next(iter(read_strings(tree, name)), None)


def plan_deletion(tree: Tree, name: str) -> Optional[LoaderWrite]:
    """Return the change that deletes a variable of the loader; None where there is no such variable."""
    data = tree.read_bytes(path_of(name), LIMIT)
    return None if data is None else LoaderWrite(Path(path_of(name)), data, None, "no EFI variable {}".format(name))
