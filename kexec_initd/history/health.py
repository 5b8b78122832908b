"""Is the system that a kexec has started a good one? The admin's programs, and the default route, have their say.

Asked at the end of a boot that shows the attempt under way, and repeated for a while, since the network may come late.
An arrival that fails is worth no more than one that never came: `guard` closes.
"""

import time
from pathlib import Path
from typing import Callable, Optional

from kexec_initd import sentences
from kexec_initd.settings.reader import Settings
from kexec_initd.system import hooks, process
from kexec_initd.system.files import read_text
from kexec_initd.system.safe_path import below

PROGRAMS = hooks.ARRIVAL
PROGRAM_TIMEOUT = 15.0
PAUSE = 5.0
# linux/route.h and linux/ipv6_route.h
RTF_UP = 0x1
RTF_REJECT = 0x200


def find_failure(
    root: Path, settings: Settings, say: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
) -> Optional[str]:
    """Say why the running system is none that a kexec should have led to; None for a good one.

    Takes CHECK_SECONDS at most, and what one program takes more.
    """
    deadline = time.monotonic() + settings.check_seconds
    for left_out in hooks.find(root, PROGRAMS).left_out:
        say(left_out)
    while True:
        failure = _check(root, settings)
        left = deadline - time.monotonic()
        if failure is None or left <= 0:
            return failure
        sleep(min(PAUSE, left))


def _check(root: Path, settings: Settings) -> Optional[str]:
    for program in hooks.find(root, PROGRAMS).programs:
        try:
            process.run([str(program)], PROGRAM_TIMEOUT)
        except process.CommandError as error:
            return str(error)
    if settings.check_route and not has_default_route(root):
        return sentences.NO_ROUTE
    return None


def has_default_route(root: Path) -> bool:
    """Tell whether the kernel has a default route for IPv4 or IPv6, as /proc/net shows its tables."""
    four = [line.split() for line in (read_text(below(root, "proc/net/route")) or "").split("\n")[1:]]
    six = [line.split() for line in (read_text(below(root, "proc/net/ipv6_route")) or "").split("\n")]
    return any(len(row) > 7 and (row[1], row[7]) == ("0" * 8, "0" * 8) and _is_way(row[3]) for row in four) or any(
        len(row) > 9 and (row[0], row[1]) == ("0" * 32, "00") and row[9] != "lo" and _is_way(row[8]) for row in six
    )


def _is_way(flags: str) -> bool:
    """Tell whether a route of these flags, in hexadecimal, leads anywhere."""
    try:
        return int(flags, 16) & (RTF_UP | RTF_REJECT) == RTF_UP
    except ValueError:
        return False
