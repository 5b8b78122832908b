"""The reboots that have been, with their phases in seconds, medians by kind and the time that kexec has saved.

A phase whose border nothing has shown is measured together with its neighbour. From the early step to the next kernel's start is
a difference of two times by the clock; where that was set in between, the phases are left out: never guessed.
"""

import enum
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from kexec_initd.history import reboot_log
from kexec_initd.history.boot_clocks import Clocks
from kexec_initd.history.reboot_log import Entry, Kind

LONGEST = 1800  # seconds, as SHUTDOWN_LIMIT is where nothing is set: firmware takes its time, too
TOLERANCE = 2.0  # of a clock that is kept by a server
STEPPED = "the clock was set meanwhile"
UNSEEN = "its beginning was not written down: no reboot, or no room in /var"
UNFINISHED = "its end was not seen"


class Phase(enum.Enum):
    """A part of a reboot, in its order."""

    STOPPING = "stopping"
    FILE_SYSTEMS = "file_systems"
    JUMP = "jump"
    FIRMWARE = "firmware"
    LOADER = "loader"
    KERNEL = "kernel"
    STARTING = "starting"


LABELS = {
    Phase.STOPPING: "services stopping",
    Phase.FILE_SYSTEMS: "file systems",
    Phase.JUMP: "jump",
    Phase.FIRMWARE: "firmware",
    Phase.LOADER: "boot loader",
    Phase.KERNEL: "kernel and initrd",
    Phase.STARTING: "services starting",
}
_LEAVING, _COMING = (Phase.STOPPING, Phase.FILE_SYSTEMS), (Phase.KERNEL, Phase.STARTING)
ORDER = {
    Kind.KEXEC: (*_LEAVING, Phase.JUMP, *_COMING),
    Kind.COLD: (*_LEAVING, Phase.FIRMWARE, Phase.LOADER, *_COMING),
}


class Stretch(NamedTuple):
    """One phase, or several whose borders are not known, and the seconds; None where they are not known either."""

    phases: Tuple[Phase, ...]
    seconds: Optional[float]

    @property
    def label(self) -> str:
        """The names of its phases."""
        names = [LABELS[phase] for phase in self.phases]
        return names[0] if len(names) == 1 else "{} and {}".format(", ".join(names[:-1]), names[-1])


class Reboot(NamedTuple):
    """A reboot: its entry, when it began in seconds since 1970, its stretches in order, their seconds, or why there are none."""

    entry: Entry
    time: float
    stretches: Tuple[Stretch, ...]
    total: Optional[float]
    stepped: bool
    note: Optional[str]


class Medians(NamedTuple):
    """Of the reboots of one kind that were measured: how many, the median of all, and of each stretch by its phases."""

    number: int
    total: float
    stretches: Dict[Tuple[Phase, ...], float]


def read_history(root: Path, limit: int = LONGEST) -> Tuple[Reboot, ...]:
    """Return the reboots that are kept, the newest last; a shutdown takes `limit` seconds at most. Raises Damaged, Newer."""
    entries = reboot_log.read(root)
    before: Sequence[Optional[Entry]] = (None, *entries)
    return tuple(measure(entry, previous, limit) for entry, previous in zip(entries, before))


def measure(entry: Entry, previous: Optional[Entry], limit: int = LONGEST) -> Reboot:
    """Return the reboot that `entry` has the moments of; `previous` is the entry of the boot before."""
    clocks = entry.clocks
    began = None if clocks.now is None or clocks.uptime is None else clocks.now - clocks.uptime
    if began is None:
        return Reboot(entry, 0.0, (Stretch(ORDER[entry.kind], None),), None, False, UNFINISHED)
    stepped = clocks.left is not None and (
        not 0 <= began - clocks.left <= max(limit, LONGEST) or _was_set(clocks, _met(entry, previous))
    )
    left = None if stepped else clocks.left
    marks = [left, *_find_borders(entry, left, began), began, *_list_uptimes(clocks, began)]
    end = marks[-1]
    total = None if left is None or end is None else end - left
    note = STEPPED if stepped else UNSEEN if left is None else UNFINISHED if end is None else None
    return Reboot(
        entry, began if clocks.left is None else clocks.left, _part(ORDER[entry.kind], marks), total, stepped, note
    )


def _met(entry: Entry, previous: Optional[Entry]) -> Clocks:
    """Return the clocks of the kernel that ended, as they were at the end of its own boot."""
    return Clocks() if previous is None or previous.boot != entry.boot_before else previous.clocks


def _was_set(clocks: Clocks, before: Clocks) -> bool:
    """Tell whether the clock went other ways than the uptime, while the kernel ran that ended."""
    if clocks.left is None or clocks.left_uptime is None or before.now is None or before.uptime is None:
        return False
    return abs((clocks.left - clocks.left_uptime) - (before.now - before.uptime)) > TOLERANCE


def _find_borders(entry: Entry, left: Optional[float], began: float) -> List[Optional[float]]:
    """Return the borders between the first phases, up to the kernel's start: end of the services, then what is of the jump."""
    clocks = entry.clocks
    reset = None if clocks.kernel is None else began - clocks.kernel
    if reset is not None and left is not None and reset < left:
        reset = None  # it was no reset to the firmware's counter
    over = clocks.over
    if left is None or over is None or not left <= over <= (began if reset is None else reset):
        over = None
    if entry.kind is Kind.KEXEC:
        return [over, None]
    return [over, reset, None if reset is None or clocks.loader is None else reset + clocks.loader]


def _list_uptimes(clocks: Clocks, began: float) -> List[Optional[float]]:
    """Return when the new kernel's init and the end of the boot were."""
    ended = clocks.ended
    init = clocks.init if clocks.init is not None and (ended is None or clocks.init <= ended) else None
    return [None if uptime is None else began + uptime for uptime in (init, ended)]


def _part(phases: Sequence[Phase], marks: Sequence[Optional[float]]) -> Tuple[Stretch, ...]:
    """Return the phases with the time between their marks, those together that no mark parts."""
    stretches: List[Stretch] = []
    first = 0
    for number in range(1, len(marks)):
        end, start = marks[number], marks[first]
        if end is not None or number == len(phases):
            seconds = None if end is None or start is None else end - start
            stretches.append(Stretch(tuple(phases[first:number]), seconds))
            first = number
    return tuple(stretches)


def find_medians(history: Sequence[Reboot], kind: Kind) -> Optional[Medians]:
    """Return the medians of one kind; None where none of it was measured."""
    found = [reboot for reboot in history if reboot.entry.kind is kind and reboot.total is not None]
    totals = [reboot.total for reboot in found if reboot.total is not None]
    if not totals:
        return None
    stretches: Dict[Tuple[Phase, ...], List[float]] = {}
    for stretch in (stretch for reboot in found for stretch in reboot.stretches):
        stretches.setdefault(stretch.phases, []).append(stretch.seconds or 0.0)
    return Medians(len(totals), _median(totals), {phases: _median(each) for phases, each in stretches.items()})


def _median(numbers: Sequence[float]) -> float:
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def find_saved(history: Sequence[Reboot]) -> Optional[float]:
    """Return the seconds that the kexecs took less than as many cold reboots; None where either was never measured."""
    kexec, cold = (find_medians(history, kind) for kind in (Kind.KEXEC, Kind.COLD))
    if kexec is None or cold is None:
        return None
    return sum(cold.total - (reboot.total or 0.0) for reboot in _list_measured(history))


def _list_measured(history: Sequence[Reboot]) -> List[Reboot]:
    return [reboot for reboot in history if reboot.entry.kind is Kind.KEXEC and reboot.total is not None]
