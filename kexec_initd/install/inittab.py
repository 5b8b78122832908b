"""/etc/inittab, by which init itself starts the dead-man: beside rc, and before anything that rc could have to wait for.

init reads it at each change of runlevel, and in its order: what stands behind an entry of `wait` is started when that has
ended. See inittab(5), and read_inittab and start_if_needed in sysvinit's init.c.
"""

import re
from typing import Optional

from kexec_initd.install.managed_block import find_block

# The fields are id, runlevels (none stands for all), action and process; blanks may come before them.
AWAITED = re.compile(rb"^[ \t]*[^#:\s][^:\n]*:(?:[^:\n]*6[^:\n]*)?:(?i:wait):", re.MULTILINE)


def is_behind(text: bytes) -> bool:
    """Say whether our block comes only behind what init waits for; not where there is none."""
    span, awaited = find_block(text), AWAITED.search(text)
    return span is not None and awaited is not None and awaited.start() < span.start


def find_unfitness(text: bytes) -> Optional[str]:
    """Say why the block must not be put into this file, as "holds NUL bytes"; None where it can be."""
    if b"\0" in text:
        return "holds NUL bytes, so it is not text"
    return None if AWAITED.search(text) else "has no entry that init waits for in runlevel 6"
