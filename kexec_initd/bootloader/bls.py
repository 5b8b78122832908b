"""Boot Loader Specification (UAPI.1), type 1: one small text file for each entry, in loader/entries.

systemd-boot reads them, and GRUB's blscfg; what either makes of the fields is theirs. Lines are as systemd-boot takes
them: a key, blanks, and the rest without the blanks around it.
"""

import re
from typing import Dict, List, NamedTuple, Optional, Tuple

from kexec_initd.errors import Refused
from kexec_initd.system.sysroot import Tree

Fields = Dict[str, Tuple[str, ...]]
LINE_END = re.compile(r"[\n\r]+")
MAX_ENTRY = 1024 * 1024
MAX_ENTRIES = 16 * 1024 * 1024  # bytes of all of them
TRIES = re.compile(r"\+([0-9]{1,9})(?:-([0-9]{1,9}))?$")


class EntryFile(NamedTuple):
    """An entry's file: the directory as the host sees it, the name with its .conf, and the fields."""

    directory: str
    name: str
    fields: Fields


def parse_entry(text: str) -> Fields:
    """Return the values of each key, in the order of their lines; a line without a value says nothing."""
    fields: Dict[str, List[str]] = {}
    for line in LINE_END.split(text.split("\0")[0]):
        parts = re.split(r"[ \t]+", line.strip(" \t"), maxsplit=1)
        if len(parts) == 2 and not parts[0].startswith("#"):
            fields.setdefault(parts[0], []).append(parts[1])
    return {key: tuple(values) for key, values in fields.items()}


def last(fields: Fields, key: str) -> Optional[str]:
    """Return the value of a key that holds once: the last one given."""
    return fields[key][-1] if key in fields else None


def read_entries(tree: Tree, directory: str) -> List[EntryFile]:
    """Return the entries in a directory, by name. Raises Refused for what is too large for entries."""
    found, left = [], MAX_ENTRIES
    for name in tree.names(directory):
        if name.lower().endswith(".conf") and not name.lower().startswith((".", "auto-")):
            text = tree.read_text(directory + "/" + name, MAX_ENTRY)
            left -= len(text or "")
            if left < 0:
                raise Refused("the entries in {} are larger than {} bytes".format(directory, MAX_ENTRIES))
            if text is not None:
                found.append(EntryFile(directory, name, parse_entry(text)))
    return found


def tries(name: str) -> Tuple[Optional[int], int]:
    """Return how many tries an entry's file name (with or without its suffix) has left, None for no count, and had.

    "x+3-1.conf" has 3 left after 1; the specification calls this boot counting.
    """
    found = TRIES.search(name.rpartition(".")[0] if name.lower().endswith((".conf", ".efi")) else name)
    return (int(found.group(1)), int(found.group(2) or 0)) if found else (None, 0)


def without_tries(name: str) -> str:
    """Return an entry's file name without its count."""
    stem, dot, suffix = name.rpartition(".")
    return TRIES.sub("", stem) + dot + suffix
