"""What is looked at after each boot of a soak, in the words of the guest's own programs."""

import re
from typing import FrozenSet, NamedTuple

# One call, since each costs as much as all together. /proc/iomem and dmesg show addresses and all lines to root only.
# Free memory is counted without caches. MemAvailable would not do: it leaves out what the kernel holds back at the moment,
# which its watermark boost changes by tens of megabytes from boot to boot (mm/page_alloc.c, si_mem_available).
QUESTION = r"""
sync; echo 3 >/proc/sys/vm/drop_caches
echo meminfo; cat /proc/meminfo
echo iomem; cat /proc/iomem
echo memory; dmesg | grep -o 'Memory: .*'
echo e820; dmesg | grep -c 'BIOS-e820: \[mem'
echo cmdline; cat /proc/cmdline
echo var; find /var/lib/kexec-initd -printf '%y %s %p\n'
echo run; find /run/kexec-initd -printf '%y %s %p\n'
echo kernel; dmesg --level=emerg,alert,crit,err,warn
"""
SECTIONS = ("meminfo", "iomem", "memory", "e820", "cmdline", "var", "run", "kernel")
# What differs in the same message from boot to boot: its time, numbers of more than one digit, addresses.
CHANGING = re.compile(r"^\[ *[0-9.]+\] |\b0x[0-9a-f]+\b|\b[0-9a-f]{8,}\b|[0-9]+(?:\.[0-9]+)?")


class Sample(NamedTuple):
    """One boot: sizes in KiB but for `files_bytes` and `cmdline_bytes`, times in seconds.

    `uptime` is the guest's own when its shell answers, `wall` ours from typing `reboot` to login. `free` is MemFree without
    caches, `reserved` what the kernel's line "Memory:" calls so, `iomem` the sum of the ranges that /proc/iomem calls reserved,
    `ranges` the number of lines of the memory map that the kernel was given. `warnings` are the messages of level warning and
    worse, without numbers.
    """

    uptime: float
    wall: float
    total: int
    free: int
    reserved: int
    iomem: int
    ranges: int
    cmdline_bytes: int
    files: int
    files_bytes: int
    warnings: FrozenSet[str]


def parse_sample(answer: str, uptime: float, wall: float) -> Sample:
    """Return the sample in the `answer` to QUESTION. Raises ValueError for one that is not whole."""
    marks = "".join(r"^{}\n(?P<{}>(?:.*\n)*?)".format(name, name) for name in SECTIONS)
    found = re.match(marks + r"\Z", answer.rstrip("\n") + "\n", re.MULTILINE)
    if found is None:
        raise ValueError("an answer that is not whole:\n" + answer)
    listed = [line.split(" ", 2) for line in (found["var"] + found["run"]).splitlines()]
    return Sample(
        uptime=uptime,
        wall=wall,
        total=number(r"^MemTotal: +(\d+) kB", found["meminfo"]),
        free=number(r"^MemFree: +(\d+) kB", found["meminfo"]),
        reserved=number(r"(\d+)K reserved", found["memory"]),
        iomem=sum_reserved(found["iomem"]),
        ranges=int(found["e820"]),
        cmdline_bytes=len(found["cmdline"].strip()),
        files=len(listed),
        files_bytes=sum(int(size) for kind, size, _ in listed if kind == "f"),
        warnings=frozenset(CHANGING.sub("", line).strip() for line in found["kernel"].splitlines()),
    )


def number(pattern: str, text: str) -> int:
    """Return the number that `pattern` finds in `text`. Raises ValueError where it finds none."""
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise ValueError("nothing like {!r} in {!r}".format(pattern, text[:200]))
    return int(found.group(1))


def sum_reserved(iomem: str) -> int:
    """Return the KiB of all that /proc/iomem calls reserved, also inside of other ranges. Raises ValueError for none."""
    ranges = re.findall(r"^ *([0-9a-f]+)-([0-9a-f]+) : [Rr]eserved$", iomem, re.MULTILINE)
    total = sum(int(end, 16) - int(start, 16) + 1 for start, end in ranges)
    if total == 0:
        raise ValueError("nothing reserved in /proc/iomem, or its addresses are hidden")
    return total // 1024
