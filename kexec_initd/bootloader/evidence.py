"""Evidence of who has started the machine, as the running boot shows it and as it was kept from the last firmware boot.

A kexec leaves but its own: the number of the loader is that of kexec-tools, the command line is what was handed on, and the
EFI variables may be out of reach. `firmware_record` keeps what was to be seen before.
"""

import re
from pathlib import Path
from typing import NamedTuple, Optional, Tuple

from kexec_initd.bootloader.efivars import read_string
from kexec_initd.bootloader.load_option import LoadOption
from kexec_initd.cmdline.words import ATTEMPT, parameter, tokens
from kexec_initd.errors import one_line
from kexec_initd.history import attempts
from kexec_initd.state import checksum, store
from kexec_initd.state.store import Damaged, Lasting
from kexec_initd.system.encoding import decode, encode
from kexec_initd.system.host import gather_from
from kexec_initd.system.sysroot import Tree

NUMBER = re.compile(r"[0-9]{1,9}\s*")
KEXEC = 0xD
LONGEST = 500  # characters of a name or a path


class Evidence(NamedTuple):
    """Traces of who has started the machine; None for one that is not there.

    `number` is bootloader_type, `info` LoaderInfo, `program` the EFI program that the firmware has started; `network` that
    it was no file, but from there. `image` is the value of BOOT_IMAGE=, `bootif` that there is a BOOTIF=, `stub` an initrd=
    with EFI's backslashes, `attempt`, asked for without a number, that the record of attempts has a kexec lead here.
    """

    number: Optional[int] = None
    info: Optional[str] = None
    program: Optional[str] = None
    network: bool = False
    image: Optional[str] = None
    bootif: bool = False
    stub: bool = False
    attempt: bool = False

    @property
    def is_kexec(self) -> bool:
        """Tell whether a kexec has started the running kernel: by the number, else by the record of ours."""
        return self.number >> 4 == KEXEC if self.number else self.attempt


def read_evidence(tree: Tree, entry: Optional[LoadOption]) -> Evidence:
    """Return what the running system shows; `entry` is what the firmware has started."""
    text = tree.read_text("/proc/sys/kernel/bootloader_type") or ""
    number = int(text) if NUMBER.fullmatch(text) else None
    line = encode(tree.read_text("/proc/cmdline") or "")
    words = [parameter(line[start:end]) for start, end in tokens(line)]
    images = [decode(value) for name, value in words if name == b"BOOT_IMAGE" and value]
    return Evidence(
        number=number,
        info=_short(read_string(tree, "LoaderInfo")),
        program=_short(entry.file) if entry else None,
        network=entry is not None and entry.network and entry.file is None,
        image=_short(images[-1]) if images else None,
        bootif=any(name == b"BOOTIF" for name, _ in words),
        stub=any(name == b"initrd" and b"\\" in (value or b"") for name, value in words),
        attempt=not number
        and any(name == ATTEMPT.encode() for name, _ in words)
        and attempts.came_by_kexec(gather_from(tree.again())),
    )


def _short(text: Optional[str]) -> Optional[str]:
    return None if text is None else one_line(text).encode("ascii", "backslashreplace").decode("ascii")[:LONGEST]


def read_settled(tree: Tree, entry: Optional[LoadOption]) -> Tuple[Evidence, Optional[str]]:
    """Return what the last firmware boot has shown, as far as it is known; else why its record cannot be used.

    Without a record that is what the running system shows.
    """
    shown = read_evidence(tree, entry)
    if not shown.is_kexec:
        return shown, None
    try:
        kept = read_record(tree.root)
    except Damaged as error:
        return shown, str(error)
    if kept is None:
        return shown, None
    seen = entry is not None
    return (
        kept._replace(
            info=shown.info or kept.info,
            program=shown.program if seen else kept.program,
            network=shown.network if seen else kept.network,
        ),
        None,
    )


def read_record(root: Path) -> Optional[Evidence]:
    """Return what was kept of the last firmware boot; None where nothing was. Raises Damaged."""
    data = store.read(root, Lasting.STARTER)
    if data is None:
        return None
    try:
        found = Evidence(**checksum.load(data))
        if not _is_sound(found):
            raise ValueError("it is of another version")
    except (ValueError, TypeError) as error:
        path = store.path_of(root, Lasting.STARTER)
        raise Damaged(
            "{}, which says who has started the machine, is damaged: {}".format(path, error),
            "the next boot through firmware makes it anew",
        )
    return found


def _is_sound(found: Evidence) -> bool:
    """Tell whether every field has its type: the record may come from another version of us."""
    texts = (found.info, found.program, found.image)
    flags = (found.network, found.bootif, found.stub, found.attempt)
    number = found.number is None or (isinstance(found.number, int) and found.number >= 0)
    return (
        number
        and all(text is None or isinstance(text, str) for text in texts)
        and all(isinstance(flag, bool) for flag in flags)
    )
