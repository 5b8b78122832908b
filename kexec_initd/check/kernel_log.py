"""Messages of the running kernel that foretell trouble: what firmware would reset or test, and a kexec leaves as it is."""

import contextlib
import os
import re
from pathlib import Path
from typing import Iterator, List, NamedTuple, Tuple

from kexec_initd.check.findings import Finding, Gathered, Origin, Severity
from kexec_initd.errors import shortened
from kexec_initd.system.encoding import name_of
from kexec_initd.system.raw import read_bytes
from kexec_initd.system.safe_path import below

# What the kernel tells whoever reads (its Documentation/ABI/testing/dev-kmsg), from 3.5 on; before, what init has kept.
DEVICE, KEPT = "/dev/kmsg", "/var/log/dmesg"
RECORDS, RECORD, LIMIT = 20000, 8192, 1 << 21
ONCE = "go through firmware once: touch /no-kexec-reboot"


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
        "look what hangs; SHUTDOWN_LIMIT ends a shutdown that does",
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


def check_kernel_log(gathered: Gathered) -> Iterator[Finding]:
    """Yield each kind of trouble that the kernel's messages foretell, with the first of them."""
    place, lines = read_log(gathered.host.root)
    if not lines:
        yield Finding("kernel-log", Severity.OK, "no messages of the kernel are to be had")
        return
    text, found = "\n".join(lines), False
    for trouble in TROUBLES:
        match = re.search(trouble.pattern, text, re.MULTILINE)
        if match is not None:
            found = True
            message = text[text.rfind("\n", 0, match.start()) + 1 :].split("\n", 1)[0]
            fact = '{}: "{}"'.format(trouble.meaning, shortened(message, 120))
            yield Finding("kernel-log", Severity.WARNING, fact, place, trouble.advice)
    if not found:
        fact = "none of the kernel's {} messages foretells trouble".format(len(lines))
        yield Finding("kernel-log", Severity.OK, fact, place)


def read_log(root: Path) -> Tuple[Origin, List[str]]:
    """Return the kernel's messages, without time and level, and where they were read; none where they are not to be had."""
    messages = _read_device(below(root, DEVICE))
    if messages:
        return Origin(DEVICE), messages
    text = (read_bytes(below(root, KEPT), LIMIT) or b"").decode("utf-8", "replace")
    return Origin(KEPT), [re.sub(r"^\[ *[0-9.]+\] ", "", line) for line in text.splitlines()]


def _read_device(path: Path) -> List[str]:
    """Return the messages that the device has now, one a read; none where it, or this kernel's, cannot be read."""
    records: List[bytes] = []
    with contextlib.suppress(OSError):
        fd = os.open(name_of(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
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
    lines = b"".join(records).decode("utf-8", "replace").split("\n")
    return [line.partition(";")[2] for line in lines if ";" in line and not line.startswith(" ")]
