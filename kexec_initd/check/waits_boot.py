"""What the next kernel's own start waits for: a slow console, words left on its command line, an initrd that takes long.

The figures are those of the kernel's documentation (admin-guide/serial-console.rst, kernel-parameters.txt), and, of initrds, what
77 MB of Debian 13's took to unpack on one core of a Xeon of 2020, by the packed megabyte.
"""

import re
from typing import Dict, Iterator, NamedTuple

from kexec_initd.check.findings import Gathered, Origin, find_setting
from kexec_initd.check.kernel_log import read_log
from kexec_initd.check.waits import LEAST, MEGABYTE, NextKernel, Wait, find_next_kernel
from kexec_initd.images.packing import find_packing
from kexec_initd.system.safe_path import below

SERIAL = re.compile(r"ttyS[0-9]+(?:,([0-9]+))?")
NUMBER = re.compile(r"[0-9]{1,6}\Z")
SLOWEST = 9600  # where the word names no speed
BITS = 10  # a byte on the line, start and stop included
STAMP = 17  # bytes before and behind each message: "[    0.000000] ", and the end of the line
BOOTING = 120.0  # seconds of the kernel's clock: what comes later is not of the boot
LEVEL, QUIET = 7, 4  # of messages that the console does not show
SECONDS_OF_PACKING = {
    "xz": 0.073,
    "lzma": 0.073,
    "bzip2": 0.1,
    "gzip": 0.018,
    "lzop": 0.007,
    "zstd": 0.007,
    "lz4": 0.003,
}
SLOW = ("xz", "lzma", "bzip2")
LARGE = 50 * MEGABYTE  # packed: three times as many unpacked
SECONDS_OF_CHECKS = 0.16  # for a megabyte: some 160 instructions a byte


def list_console(gathered: Gathered) -> Iterator[Wait]:
    """Yield the time that the kernel's messages take on a serial console."""
    kernel = find_next_kernel(gathered)
    found = [match for match in map(SERIAL.match, kernel.list_values("console") if kernel else ()) if match]
    if kernel is None or not found:
        return
    speed = int(found[-1].group(1) or SLOWEST) or SLOWEST
    shown = _find_level(kernel)
    log = read_log(gathered.host.root)
    messages = [message for message in log.messages if message.level < shown and message.seconds < BOOTING]
    count = sum(len(message.text.encode("utf-8", "replace")) + STAMP for message in messages)
    seconds = count * BITS / speed
    if seconds >= LEAST:
        fact = "the kernel prints {} kB to a serial console of {} baud".format(count // 1000, speed)
        advice = 'CMDLINE_APPEND="quiet" leaves errors there, and all of it in the log'
        yield Wait("console", seconds, fact, kernel.origin, advice)


def _find_level(kernel: NextKernel) -> int:
    """Return the level from which on messages are not printed, by the last word that sets it."""
    shown = LEVEL
    for word in kernel.words:
        level = word[len("loglevel=") :] if word.startswith("loglevel=") else ""
        shown = int(level) if level.isdigit() else QUIET if word == "quiet" else 10 if word == "debug" else shown
    return shown


class Leftover(NamedTuple):
    """A word of a command line that makes the kernel wait, and whether its value tells how many seconds."""

    fact: str
    is_timed: bool = True


LEFTOVERS: Dict[str, Leftover] = {
    "rootdelay": Leftover("{} lets the next kernel wait for the root that long, up to it where an initrd looks before"),
    "boot_delay": Leftover("{} is a pause of so many milliseconds behind each of some thousand messages"),
    "scsi_wait_scan": Leftover("{} waits until each SCSI bus was looked through", is_timed=False),
}


def list_leftovers(gathered: Gathered) -> Iterator[Wait]:
    """Yield words on the next command line that are full waits, left over from old trouble."""
    kernel = find_next_kernel(gathered)
    for word in kernel.words if kernel else ():
        name, _, value = word.partition("=")
        leftover, seconds = LEFTOVERS.get(name), float(value) if NUMBER.match(value) else 0.0
        if leftover is not None and kernel is not None and (seconds or not leftover.is_timed):
            advice = 'where nothing needs it any more: CMDLINE_REMOVE="{}"'.format(name)
            known = seconds if leftover.is_timed else None
            yield Wait("cmdline", known, leftover.fact.format(word), kernel.origin, advice)


def list_initrd(gathered: Gathered) -> Iterator[Wait]:
    """Yield an initrd whose compression takes long, or that is large since it has the modules of every machine."""
    kernel, root = find_next_kernel(gathered), gathered.host.root
    for path in kernel.initrds if kernel else ():
        packing = find_packing(below(root, path))
        if packing is None or gathered.settings.unpack_initrd != "no":
            continue
        megabytes = packing.size / MEGABYTE
        seconds = megabytes * SECONDS_OF_PACKING.get(packing.form, 0.0)
        fact = "{} has {:.0f} MB of {} to unpack".format(path, megabytes, packing.form)
        if packing.form in SLOW and packing.size >= MEGABYTE:
            advice = "UNPACK_INITRD=auto, or zstd or lz4 where the initrd is made"
            yield Wait("initrd", seconds, fact, Origin(path), advice)
        elif packing.size >= LARGE:
            yield from _explain_large(gathered, fact, seconds)


ALL_MODULES = (
    ("/etc/initramfs-tools/initramfs.conf", re.compile(r"^[ \t]*MODULES=[\"']?most\b", re.MULTILINE), "MODULES=dep"),
    ("/etc/dracut.conf", re.compile(r"^[ \t]*hostonly=[\"']?no\b", re.MULTILINE), 'hostonly="yes"'),
)


def _explain_large(gathered: Gathered, fact: str, seconds: float) -> Iterator[Wait]:
    tree = gathered.host.tree
    for path, pattern, instead in ALL_MODULES:
        text = tree.read_text(path) or ""
        found = pattern.search(text)
        if found is not None:
            origin = Origin(path, text.count("\n", 0, found.start()) + 1)
            advice = "{} there, and a full one kept for a cold boot on other hardware".format(instead)
            yield Wait("initrd", seconds, fact + ", with modules for every machine", origin, advice)


def list_checks(gathered: Gathered) -> Iterator[Wait]:
    """Yield the time that the purgatory takes to verify what was verified before."""
    kernel, tree = find_next_kernel(gathered), gathered.host.tree
    if kernel is None or not gathered.settings.purgatory_checks:
        return
    megabytes = sum(tree.size(path) or 0 for path in [kernel.kernel, *kernel.initrds]) / MEGABYTE
    fact = "PURGATORY_CHECKS=yes verifies {:.0f} MB once more during the jump".format(megabytes)
    origin = find_setting(gathered, "PURGATORY_CHECKS")
    yield Wait(
        "purgatory", megabytes * SECONDS_OF_CHECKS, fact, origin, "PURGATORY_CHECKS=no: the load has verified them"
    )
