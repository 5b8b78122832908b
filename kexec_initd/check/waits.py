"""The record of a wait: what a reboot waits for once firmware is gone, with an estimate; and the kernel that it starts."""

from typing import List, NamedTuple, Optional

from kexec_initd.check.findings import Gathered, Origin
from kexec_initd.decision.assess import Present

LEAST = 1.0  # seconds: less is not worth a line
MEGABYTE = 1 << 20


class Wait(NamedTuple):
    """One thing that the next reboot waits for: about how long (None: nobody knows), why, where that stands, what shortens it."""

    name: str
    seconds: Optional[float]
    fact: str
    origin: Origin
    advice: str


class NextKernel(NamedTuple):
    """What the next reboot starts, be it through kexec or cold: its files and its command line, and where that stands."""

    cmdline: str
    kernel: str
    initrds: List[str]
    origin: Origin

    @property
    def words(self) -> List[str]:
        """Return the words of the command line."""
        return self.cmdline.split()

    def list_values(self, name: str) -> List[str]:
        """Return the values that the command line has for `name`, in order."""
        return [word[len(name) + 1 :] for word in self.words if word.startswith(name + "=")]


def find_next_kernel(gathered: Gathered) -> Optional[NextKernel]:
    """Return what the next reboot starts, as far as that is known."""
    verdict = gathered.verdict
    found, loaded, menu = verdict.found, verdict.loaded, verdict.found.menu
    offered = None if menu is None or menu.default is None else menu.offered[menu.default]
    origin = Origin(str(offered.source.path), offered.source.line or None) if offered else Origin()
    if found.present is Present.FRESH and loaded is not None:
        return NextKernel(loaded.cmdline, loaded.kernel, loaded.initrds, origin)
    entry = found.to_load.entry if found.to_load else offered.entry if offered else None
    if entry is None:
        return None
    return NextKernel(entry.cmdline, str(entry.kernel), [str(path) for path in entry.initrds], origin)
