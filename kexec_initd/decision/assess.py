"""What a `reboot` would do now: the facts gathered, the entry found, the decision made, nothing changed.

The early shutdown step, the preload at boot and `status` all start from here.
"""

import time
from pathlib import Path
from typing import NamedTuple, Optional, Tuple

from kexec_initd.boot_entry import BootEntry
from kexec_initd.bootloader import LoaderWrite
from kexec_initd.codes import Decision, cold
from kexec_initd.decision.policy import Facts, decide
from kexec_initd.decision.selection import Selection, find_again, find_next
from kexec_initd.errors import Error
from kexec_initd.history import attempts, guard
from kexec_initd.history.running_boot import read_uptime
from kexec_initd.install import deviations
from kexec_initd.kexec import load, program, stamp
from kexec_initd.settings.reader import Settings
from kexec_initd.state import checksum, store
from kexec_initd.state.store import Damaged, Volatile
from kexec_initd.system import hooks, quirks
from kexec_initd.system.files import exists
from kexec_initd.system.host import Host, find_unhooked

COLD_ONCE = "no-kexec-reboot"
ATTENTION = 3600.0  # seconds for which the call of `trial` holds


class Assessment(NamedTuple):
    """The decision and what it rests on: is something loaded, by us, and is it still what would be loaded?

    `config` are the stamp's lines of what the decision rests on. `changes` are to be carried out before a jump into it;
    there are none for a kernel that the admin has loaded or named himself; `chosen` says what he named, as in
    stamp.Loaded. `guard` says why the guard is closed for it, `record` is what that rests on.
    """

    decision: Decision
    entry: Optional[BootEntry]
    config: Tuple[str, ...]
    is_loaded: bool
    is_ours: bool
    is_fresh: bool
    changes: Tuple[LoaderWrite, ...]
    guard: Optional[str]
    chosen: Optional[Tuple[str, ...]]
    record: guard.Record

    @property
    def needs_no_load(self) -> bool:
        """Tell whether what is loaded may stay: it was loaded by hand, or is still what would be loaded."""
        return self.is_loaded and (self.is_fresh or not self.is_ours)


def assess(host: Host, settings: Settings, named: Optional[Selection] = None) -> Assessment:
    """Gather the facts about `host` and decide, for what is `named` now in place of all that was loaded before.

    The entry's files are not read: loading does, or `with_files_read`.
    """
    is_loaded = named is None and program.is_loaded(host.root)
    is_ours = is_loaded and stamp.exists(host.root)
    wish = named or _find_wish(host, settings, is_ours)
    record, problem = _read_record(host, settings)
    if problem is None and wish.entry is not None:
        problem = guard.obstacle(record, attempts.target_key(host, wish.entry), settings.guard_boots)
    uptime = read_uptime(host.root)
    facts = Facts(
        incomplete=deviations.find_obstacle(host.root),
        cold_once=_is_cold_once(host.root),
        switched_off=None if settings.kexec else "KEXEC=no in the settings",
        settings=settings.ignored,
        container=host.container,
        chroot=host.chroot,
        platform=None if settings.force_platform else quirks.find_unfit(host.root),
        unsupported=program.unsupported(host.root, host.kernel_release),
        hooks=hooks.find(host.root, hooks.PRE_JUMP).doubt,
        loaded_by_hand=is_loaded and not is_ours,
        pending=wish.pending,
        no_target=wish.problem,
        target=wish.name,
        guard=problem,
        limit_kexecs=guard.kexecs_reached(record, settings.max_kexecs),
        limit_days=guard.days_reached(guard.days_since_firmware(record, time.time(), uptime), settings.max_days),
        trial=None if is_attended(host.root, uptime) else guard.trial_left(record, settings.trial),
        init=find_unhooked(host),
    )
    config = wish.config + tuple(stamp.lines_for(host.root, deviations.watched(host.root)))
    if settings.max_days or record.total < settings.trial:
        config += (stamp.UNSEEN,)  # time passes without a trace on the disk
    is_fresh = is_ours and wish.entry is not None and load.is_loaded_already(host, settings, wish.entry)
    changes = () if facts.loaded_by_hand else wish.changes
    return Assessment(
        decide(facts), wish.entry, config, is_loaded, is_ours, is_fresh, changes, problem, wish.chosen, record
    )


def _is_cold_once(root: Path) -> bool:
    flag = root / COLD_ONCE
    return exists(flag) or flag.is_symlink()


def _read_record(host: Host, settings: Settings) -> Tuple[guard.Record, Optional[str]]:
    """Return the record with the running boot judged; an empty one, and why the guard is closed, where it is damaged."""
    try:
        return attempts.look(host, settings.guard_boots), None
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
    if not assessment.decision.kexec or assessment.needs_no_load:
        return assessment
    try:
        assert assessment.entry is not None
        with load.checked(host, assessment.entry):
            return assessment
    except Error as error:
        return assessment._replace(decision=cold(error.cold_code, str(error)))


def _find_wish(host: Host, settings: Settings, is_ours: bool) -> Selection:
    """Return what is to be loaded: what the admin has named, else what the boot loader would boot."""
    try:
        loaded = stamp.read_loaded(host.root) if is_ours else None
        return find_next(host, settings) if loaded is None else find_again(host, settings, loaded)
    except Error as error:
        return Selection(None, (), "", str(error))
