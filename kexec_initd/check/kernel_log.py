"""Messages of the running kernel that foretell trouble: what firmware would reset or test, and a kexec leaves as it is."""

import contextlib
import os
import re
from pathlib import Path
from typing import Iterator, List, NamedTuple

from kexec_initd.check.findings import Finding, Gathered, Origin, Severity
from kexec_initd.errors import shortened
from kexec_initd.system.raw import open_to_read, read_bytes
from kexec_initd.system.safe_path import below

# What the kernel tells whoever reads (its Documentation/ABI/testing/dev-kmsg), from 3.5 on; before, what init has kept.
DEVICE, KEPT = "/dev/kmsg", "/var/log/dmesg"
RECORDS, RECORD, LIMIT = 20000, 8192, 1 << 21
TIMED = re.compile(r"\[ *([0-9]+\.[0-9]+)\] (.*)", re.DOTALL)
ONCE = "go through firmware once: kexec-initd cold"


class Trouble(NamedTuple):
    """A message that foretells trouble, what that is, and what to do."""

    pattern: str
    meaning: str
    advice: str = ONCE


TROUBLES = (
    Trouble(
        r"^(?:BUG: |Oops|kernel BUG at |general protection fault|Unable to handle kernel )", "the kernel has failed"
    ),
    Trouble(
        r"soft lockup|hard LOCKUP|blocked for more than [0-9]+ seconds",
        "something hangs, and may hold the shutdown up",
        "find out what hangs; SHUTDOWN_LIMIT ends a shutdown that does",
    ),
    Trouble(r"\[Hardware Error\]|Machine check events logged", "the hardware has failed, which firmware tests"),
    Trouble(
        r"NVRM: Xid|GPU HANG|amdgpu.* ring \S+ timeout", "a graphics card has failed, which a kexec does not reset"
    ),
    Trouble(r"^DMAR: .*[Ff]ault|AMD-Vi: .*IO_PAGE_FAULT", "a device writes where it must not"),
    Trouble(r"NETDEV WATCHDOG|Detected \S+ Unit Hang", "a network card has hung, which a kexec does not reset"),
    Trouble(
        r"EXT[234]-fs error|Remounting filesystem read-only|XFS .*Corruption|BTRFS critical",
        "a file system is damaged, which the next boot may have to mend",
        "have it checked before the reboot is urgent",
    ),
    Trouble(
        r"I/O error, dev (?!fd|sr|loop)|nvme.*: (?:controller is down|I/O .*timeout)",
        "a disk fails, or does not answer",
        "look at the disk before the reboot",
    ),
    Trouble(
        r"watchdog did not stop",
        "a hardware watchdog runs on, and may reset the machine while it boots",
        "stop it, or set WATCHDOG, see kexec-initd(5)",
    ),
    Trouble(r"^Lockdown: .*kexec", "the kernel has refused to load a kernel", "kexec-initd load says why"),
)


class Message(NamedTuple):
    """One line of the kernel's, with its level (7: debug; 6, information, where nothing tells) and the seconds of its clock."""

    level: int
    seconds: float
    text: str


class KernelLog(NamedTuple):
    """The kernel's messages, and where they were read; none where they are not to be had."""

    origin: Origin
    messages: List[Message]


def check_kernel_log(gathered: Gathered) -> Iterator[Finding]:
    """Yield each kind of trouble that the kernel's messages foretell, with the first of them."""
    origin, messages = read_log(gathered.host.root)
    if not messages:
        yield Finding("kernel-log", Severity.OK, "the kernel's messages cannot be read")
        return
    text, found = "\n".join(message.text for message in messages), False
    for trouble in TROUBLES:
        match = re.search(trouble.pattern, text, re.MULTILINE)
        if match is not None:
            found = True
            message = text[text.rfind("\n", 0, match.start()) + 1 :].split("\n", 1)[0]
            fact = '{}: "{}"'.format(trouble.meaning, shortened(message, 120))
            yield Finding("kernel-log", Severity.WARNING, fact, origin, trouble.advice)
    if not found:
        fact = "none of the kernel's {} messages foretells trouble".format(len(messages))
        yield Finding("kernel-log", Severity.OK, fact, origin)


def read_log(root: Path) -> KernelLog:
    """Return the kernel's messages."""
    lines = _read_device(below(root, DEVICE)).split("\n")
    found = [_parse_record(line) for line in lines if ";" in line and not line.startswith(" ")]
    if found:
        return KernelLog(Origin(DEVICE), found)
    lines = (read_bytes(below(root, KEPT), LIMIT) or b"").decode("utf-8", "replace").splitlines()
    return KernelLog(Origin(KEPT), [_parse_line(line) for line in lines])


def _parse_record(line: str) -> Message:
    """Parse "PRIORITY,NUMBER,MICROSECONDS,FLAGS;TEXT"; what is none of these counts as information."""
    head, _, text = line.partition(";")
    fields = head.split(",")
    numbers = [int(field) if field.isdigit() else 0 for field in [*fields, "", "", ""][:3]]
    return Message(numbers[0] & 7, numbers[2] / 1e6, text)


def _parse_line(line: str) -> Message:
    """Parse a line as the console shows it, with or without its time."""
    found = TIMED.match(line)
    return Message(6, float(found.group(1)), found.group(2)) if found else Message(6, 0.0, line)


def _read_device(path: Path) -> str:
    """Return the records that the device has now, which it gives one a read; none where it, or this kernel's, cannot be read."""
    records: List[bytes] = []
    with contextlib.suppress(OSError):
        fd = open_to_read(path)
        try:
            while len(records) < RECORDS:
                with contextlib.suppress(BrokenPipeError):  # what was to be read next is overwritten by now
                    record = os.read(fd, RECORD)
                    if not record:
                        break
                    records.append(record)
        except BlockingIOError:
            pass
        finally:
            os.close(fd)
    return b"".join(records).decode("utf-8", "replace")
