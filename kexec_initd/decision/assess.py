"""The answer to what a `reboot` would do now: facts gathered, entry found, decision made, nothing changed.

The early shutdown step, the preload at boot and `status` all start from here.
"""

import enum
import time
from pathlib import Path
from typing import NamedTuple, Optional, Sequence, Tuple

from kexec_initd import sentences
from kexec_initd.bootloader import LoaderWrite, Menu
from kexec_initd.codes import Code, Decision
from kexec_initd.decision.policy import Facts, decide
from kexec_initd.decision.selection import NoTarget, Selected, Selection, find_again, find_next
from kexec_initd.errors import Error, Refused
from kexec_initd.history import attempts, guard
from kexec_initd.history.running_boot import read_uptime
from kexec_initd.install import deviations
from kexec_initd.install.deviations import Deviation
from kexec_initd.kexec import program, stamp
from kexec_initd.kexec.freshness import is_loaded_already
from kexec_initd.settings.reader import Settings
from kexec_initd.state import checksum, store
from kexec_initd.state.store import Damaged, Volatile
from kexec_initd.system import hooks, quirks, rivals
from kexec_initd.system.files import is_there
from kexec_initd.system.host import Host, find_unhooked

COLD_ONCE = "no-kexec-reboot"
ATTENTION = 3600.0  # seconds for which the call of `trial` holds


class Present(enum.Enum):
    """The kernel that is loaded now."""

    NOTHING = "nothing"
    BY_HAND = "a kernel that the admin has loaded"
    STALE = "ours, and not what would be loaded now"
    FRESH = "ours, and what would be loaded"

    @property
    def is_ours(self) -> bool:
        """Tell whether we have loaded it."""
        return self in (Present.STALE, Present.FRESH)


class Assessment(NamedTuple):
    """The decision and what it rests on: what is loaded, and what would be.

    `to_load` has to be loaded before a jump, with the stamp's lines of all that the decision rests on; None where the
    reboot is cold, or what is loaded may stay. `changes` are to be carried out before a jump; there are none for a kernel that
    the admin has loaded or named himself. `guard` says why the guard is closed, `record` is what that rests on. `deviations`
    are those of what is installed, `menu` is the boot loader's where it could be read. `facts` are all that was decided by.
    `release` is that of the kernel to load, known once its file was read.
    """

    decision: Decision
    present: Present
    to_load: Optional[Selected]
    changes: Tuple[LoaderWrite, ...]
    guard: Optional[str]
    record: guard.Record
    deviations: Sequence[Deviation]
    menu: Optional[Menu]
    facts: Facts
    release: Optional[str] = None


def assess(host: Host, settings: Settings, named: Optional[Selection] = None) -> Assessment:
    """Gather the facts about `host` and decide, for what is `named` now in place of all that was loaded before.

    The entry's files are not read: loading does, or `with_files_read`.
    """
    is_loaded = named is None and program.is_loaded(host.root)
    is_ours = is_loaded and stamp.exists(host.root)
    selection = named or _select(host, settings, is_ours)
    present = _find_present(host, settings, selection, is_loaded, is_ours)
    record, problem = _read_record(host, settings)
    if problem is None and isinstance(selection, Selected):
        problem = guard.obstacle(record, attempts.target_key(host, selection.entry), settings.guard_boots)
    deviating = _find_deviations(host.root)
    facts = _gather_facts(host, settings, selection, present, record, problem, deviating)
    decision = decide(facts)
    to_load, changes = None, ()  # type: Optional[Selected], Tuple[LoaderWrite, ...]
    if isinstance(selection, Selected) and decision.code is Code.TARGET:
        changes = selection.changes
        if present is not Present.FRESH:
            to_load = selection._replace(config=selection.config + _lines_of_decision(host, settings, record))
    return Assessment(decision, present, to_load, changes, problem, record, deviating, selection.menu, facts)


def _gather_facts(
    host: Host,
    settings: Settings,
    selection: Selection,
    present: Present,
    record: guard.Record,
    closed: Optional[str],
    deviating: Sequence[Deviation],
) -> Facts:
    """Return what the decision depends on; `closed` says why the guard is."""
    uptime = read_uptime(host.root)
    return Facts(
        incomplete=deviations.find_obstacle(deviating),
        cold_once=is_there(host.root / COLD_ONCE),
        switched_off=None if settings.kexec else sentences.SWITCHED_OFF,
        settings=settings.ignored,
        container=host.container,
        chroot=host.chroot,
        platform=None if settings.force_platform else quirks.find_unfit(host.root, host.machine),
        unsupported=program.unsupported(host.root, host.kernel_release, host.cmdline),
        hooks=hooks.find(host.root, hooks.PRE_JUMP).doubt,
        loaded_by_hand=present is Present.BY_HAND,
        no_target=(selection.code, selection.problem) if isinstance(selection, NoTarget) else None,
        target=selection.name if isinstance(selection, Selected) else "",
        guard=closed,
        limit_kexecs=guard.kexecs_reached(record, settings.max_kexecs),
        limit_days=guard.days_reached(guard.days_since_firmware(record, time.time(), uptime), settings.max_days),
        trial=None if is_attended(host.root, uptime) else guard.trial_left(record, settings.trial),
        init=find_unhooked(host) or rivals.find_rival(host),
    )


def _find_deviations(root: Path) -> Sequence[Deviation]:
    try:
        return deviations.find_deviations(root)
    except Refused:
        return ()  # nobody knows what was installed; what runs now may well be ours


def _find_present(host: Host, settings: Settings, selection: Selection, is_loaded: bool, is_ours: bool) -> Present:
    if not is_ours:
        return Present.BY_HAND if is_loaded else Present.NOTHING
    wanted = isinstance(selection, Selected) and is_loaded_already(host, settings, selection.entry)
    return Present.FRESH if wanted else Present.STALE


def _lines_of_decision(host: Host, settings: Settings, record: guard.Record) -> Tuple[str, ...]:
    """Return the stamp's lines of what the decision rests on, beside what the target was chosen by."""
    lines = (
        *stamp.lines_for(host.root, deviations.watched(host.root) + rivals.watched(host)),
        *rivals.list_generated(host),
    )
    time_decides = settings.max_days or record.total < settings.trial  # it passes without a trace on the disk
    return (*lines, stamp.UNSEEN) if time_decides else lines


def _read_record(host: Host, settings: Settings) -> Tuple[guard.Record, Optional[str]]:
    """Return the record with the running boot judged; an empty one, and why the guard is closed, where it is damaged."""
    try:
        return attempts.read_judged(host, settings.guard_boots), None
    except Error as error:
        return guard.Record(), str(error)


def is_attended(root: Path, uptime: float) -> bool:
    """Tell whether the admin has said within the last hour that he watches the next reboot."""
    try:
        since = float(checksum.single(store.read(root, Volatile.ATTENDED) or b""))
    except (Damaged, ValueError):
        return False
    return 0 <= uptime - since <= ATTENTION


def with_files_read(host: Host, assessment: Assessment) -> Assessment:
    """Read the files that a reboot would still have to load, and decide for cold when they are not fit."""
    if assessment.to_load is None:
        return assessment
    from kexec_initd.kexec import load

    try:
        with load.checked(host, assessment.to_load.entry) as files:
            return assessment._replace(release=files.release)
    except Error as error:
        return assessment._replace(decision=Decision(error.cold_code, str(error)), to_load=None, changes=())


def _select(host: Host, settings: Settings, is_ours: bool) -> Selection:
    """Return what is to be loaded: what the admin has named, else what the boot loader would boot."""
    try:
        loaded = stamp.read_loaded(host.root) if is_ours else None
        return find_next(host, settings) if loaded is None else find_again(host, settings, loaded)
    except Error as error:
        return NoTarget(str(error))
