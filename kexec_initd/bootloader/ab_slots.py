"""Systems that are updated as a whole, into the other of two places: is an update waiting, or still on trial?

The boot loader counts the tries of a new system, and goes back to the old one when nobody says that it is good. A kexec would
not be counted, and may start the wrong one. What the loader goes by is in its environment: RAUC's ORDER, X_OK and X_TRY
with GRUB and BOOT_ORDER, BOOT_X_LEFT with U-Boot (its manual, "Bootloader Interaction"), upgrade_available of Mender and
of U-Boot's own boot count limit, ustate and recovery_status of SWUpdate (its include/state.h and manual).

U-Boot keeps its environment as "NAME=VALUE" and NUL bytes behind a CRC-32, and a byte with flags where there are two of
them; fw_env.config(5) says where. One that lies on a device of its own is not read.
"""

import re
import zlib
from typing import Dict, Iterator, Optional

from kexec_initd import sentences
from kexec_initd.bootloader.grub2 import grubenv
from kexec_initd.errors import Refused
from kexec_initd.system.sysroot import Tree

RAUC_CONFIG = "/etc/rauc/system.conf"
U_BOOT_CONFIG = "/etc/fw_env.config"
GRUB_BLOCKS = (
    "/boot/grub/grubenv",
    "/boot/grub2/grubenv",
    "/boot/efi/EFI/BOOT/grubenv",
    "/boot/efi/grub-mender-grubenv/mender_grubenv1/env",
    "/boot/efi/grub-mender-grubenv/mender_grubenv2/env",
)
U_BOOT_FILES = ("/boot/uboot.env", "/boot/firmware/uboot.env")
LIMIT = 1 << 20
TRIES = 3  # what RAUC gives a slot of U-Boot where boot-attempts in its configuration does not say
INSTALLED, TESTING = "1", "2"  # of SWUpdate's states

Variables = Dict[str, str]


def find_trial(tree: Tree) -> Optional[str]:
    """Say which update waits for the boot loader, or is on trial; None for none."""
    return next((reason for variables in _environments(tree) for reason in _reasons(tree, variables)), None)


def _environments(tree: Tree) -> Iterator[Variables]:
    """Give what each environment holds; one that its loader would not take, as it is damaged, counts for nothing there."""
    named = re.findall(r"(?m)^grubenv=(/\S+)", tree.read_text(RAUC_CONFIG, LIMIT) or "")
    for path in dict.fromkeys([*GRUB_BLOCKS, *named]):
        data = tree.read_bytes(path, LIMIT)
        if data is not None:
            try:
                yield {name: variable.value for name, variable in grubenv.parse(data).items()}
            except Refused:
                continue
    places = re.findall(r"(?m)^\s*(/\S+)\s+(\w+)\s+(\w+)", tree.read_text(U_BOOT_CONFIG, LIMIT) or "")
    for path, start, size in [*((path, "0", "0") for path in U_BOOT_FILES), *places]:
        data = tree.read_bytes(path, LIMIT)
        if data is not None:
            yield parse_u_boot(_part(data, start, size))


def _part(data: bytes, start: str, size: str) -> bytes:
    try:
        first, count = int(start, 0), int(size, 0)
    except ValueError:
        return data
    return data[first : first + count] if count else data


def parse_u_boot(data: bytes) -> Variables:
    """Return the variables of U-Boot's environment; none for one whose checksum does not fit: U-Boot takes its defaults."""
    checksum = int.from_bytes(data[:4], "little")
    for start in (4, 5):
        if len(data) > start and zlib.crc32(data[start:]) & 0xFFFFFFFF == checksum:
            lines = data[start:].partition(b"\0\0")[0].split(b"\0")
            pairs = [line.decode("utf-8", "surrogateescape").partition("=") for line in lines]
            return {name: value for name, _, value in pairs}
    return {}


def _reasons(tree: Tree, variables: Variables) -> Iterator[str]:
    if variables.get("upgrade_available") == "1":
        yield sentences.ON_TRIAL.format("upgrade_available=1")
    if variables.get("ustate") in (INSTALLED, TESTING):
        yield sentences.ON_TRIAL.format("ustate=" + variables["ustate"])
    if variables.get("recovery_status"):
        yield sentences.NOT_COMPLETE.format("recovery_status=" + variables["recovery_status"])
    running = re.findall(r"(?:^|\s)rauc\.slot=(\S+)", tree.read_text("/proc/cmdline") or "")
    slot = running[-1] if running else None
    if "ORDER" in variables:
        yield from _in_grub(variables, slot)
    if "BOOT_ORDER" in variables:
        yield from _in_u_boot(variables, slot, _tries(tree))


def _in_grub(variables: Variables, slot: Optional[str]) -> Iterator[str]:
    """Judge RAUC's slots in GRUB: one is tried once, X_TRY says that it was, and its own system takes that back."""
    slots = variables["ORDER"].split()
    tried = [name for name in slots if variables.get(name + "_TRY", "0") != "0"]
    for name in tried if slot not in slots else [name for name in tried if name == slot]:
        yield "the system in slot {} of RAUC is on trial ({}_TRY={})".format(name, name, variables[name + "_TRY"])
    fit = [name for name in slots if name not in tried and variables.get(name + "_OK") == "1"]
    if slot in slots and fit[:1] != [slot]:
        yield "the boot loader would take another slot of RAUC than the running {} (ORDER={})".format(
            slot, variables["ORDER"]
        )


def _in_u_boot(variables: Variables, slot: Optional[str], tries: int) -> Iterator[str]:
    """Judge RAUC's slots in U-Boot: each try takes one from BOOT_X_LEFT, and the system that is good fills it up again."""
    slots = variables["BOOT_ORDER"].split()
    left = {name: _number(variables.get("BOOT_{}_LEFT".format(name), str(tries))) for name in slots}
    for name in slots if slot not in slots else [slot]:
        if left[name] < tries:
            yield "the system in slot {} of RAUC is on trial (BOOT_{}_LEFT={})".format(name, name, left[name])
    if slot in slots and [name for name in slots if left[name] > 0][:1] != [slot]:
        yield "the boot loader would take another slot of RAUC than the running {} (BOOT_ORDER={})".format(
            slot, variables["BOOT_ORDER"]
        )


def _tries(tree: Tree) -> int:
    found = re.findall(r"(?m)^boot-attempts=([1-9]\d?)\s*$", tree.read_text(RAUC_CONFIG, LIMIT) or "")
    return int(found[-1]) if found else TRIES


def _number(text: str) -> int:
    """Return what U-Boot makes of a number, which it reads as hexadecimal; 0 for none, so that the slot is on trial."""
    try:
        return int(text, 16)
    except ValueError:
        return 0
