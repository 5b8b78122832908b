"""What the next reboot waits for once firmware is gone, each with an estimate. Advice alone: nothing is changed by itself.

Nothing is named whose word turns safety off (`nokaslr`, `tsc=reliable`, shorter time limits of drives or of dracut), see
docs/why/advice.md.
"""

from typing import Callable, Iterable, List, Tuple

from kexec_initd.check.findings import Gathered
from kexec_initd.check.waits import Wait
from kexec_initd.check.waits_boot import list_checks, list_console, list_initrd, list_leftovers
from kexec_initd.check.waits_disks import list_dirty, list_drives, list_fsck
from kexec_initd.check.waits_network import list_network
from kexec_initd.check.waits_scripts import list_clock
from kexec_initd.errors import Error

# In the order of a reboot; what was measured by itself, as the time of each script, has its place here, too.
WAITS: Tuple[Callable[[Gathered], Iterable[Wait]], ...] = (
    list_clock,
    list_dirty,
    list_drives,
    list_checks,
    list_console,
    list_leftovers,
    list_initrd,
    list_fsck,
    list_network,
)


def list_waits(gathered: Gathered) -> List[Wait]:
    """Return all waits that are found; what cannot be read has none."""
    found: List[Wait] = []
    for listing in WAITS:
        try:
            found.extend(listing(gathered))
        except (Error, OSError):
            continue
    return found
