"""The two moments at which a kernel is loaded: at the end of the boot, and early in a shutdown when something changed.

Both hold a lock, so that a reboot right after the boot waits for the preload and finds its work done.
"""

import contextlib
from pathlib import Path
from typing import Optional, Tuple

from kexec_initd import sentences
from kexec_initd.bootloader import LoaderWrite, firmware_record, firmware_times, writeback
from kexec_initd.codes import Code, Decision
from kexec_initd.decision.assess import Present, assess
from kexec_initd.decision.selection import Selected
from kexec_initd.errors import Error, Refused, describe_error, one_line
from kexec_initd.history import attempts, guard, health, last_cold, reboot_log
from kexec_initd.history.running_boot import read_uptime
from kexec_initd.kexec import load, program, stamp, watchdog
from kexec_initd.kexec.lock import lock, lock_to_load
from kexec_initd.settings import for_shell
from kexec_initd.settings.reader import Settings
from kexec_initd.state import checksum, store
from kexec_initd.state.store import Damaged, Volatile
from kexec_initd.system import logind, syslog
from kexec_initd.system.host import Host

OVERTAKEN = sentences.OVERTAKEN


def preload(host: Host, settings: Settings) -> str:
    """Settle how this boot came, and load what a reboot would load, unless something is loaded already.

    Returns a sentence. Raises Error.
    """
    failure = check_arrival(host, settings)
    with lock_to_load(host.root):
        host = host.renewed()
        firmware_record.keep(host.tree.again())
        record = None
        with contextlib.suppress(Damaged):  # what a damaged record means is the decision's to say
            record = attempts.record_boot(host, settings.guard_boots, failure)
        last_cold.take_over(host.root, record or guard.Record())
        _keep_history(host, record)
        watchdog.take_over(host.root)
        for_shell.write(host.root, settings)
        if not settings.preload:
            return "nothing is loaded at boot: PRELOAD=no in the settings"
        found = assess(host, settings)
        if found.decision.code is Code.INIT:
            load.drop(host.root)  # an init system that is not hooked would execute what is loaded, with no look at it
        if not found.decision.kexec:
            said = "nothing is loaded at boot, reboot goes through firmware: {}".format(found.decision.reason)
            syslog.tell(host.root, said, str(found.decision.code))
            return said
        refusal = logind.find_refusal(host)
        if refusal is not None:
            if found.present.is_ours:
                load.drop(host.root)  # an earlier version has loaded it
            return "nothing is loaded at boot, but early in the shutdown: {}".format(refusal)
        if found.to_load is None:
            return "already loaded: {}".format(found.decision.reason)
        loaded = _load(host, settings, found.to_load)
        watched = watchdog.describe_watch(host.root, settings.watchdog)
        return "loaded kernel {}".format(loaded.release) + ("; " + watched if watched else "")


def _keep_history(host: Host, record: Optional[guard.Record]) -> None:
    """Write down how this boot came, where that is known, and say what has become of a history that was damaged."""
    if record is None:
        return
    told = reboot_log.keep(host, record, firmware_times.find_times(host.tree.again()), at_end=True)
    if told is not None:
        print("kexec-initd: " + one_line(told))


def _load(host: Host, settings: Settings, selected: Selected) -> stamp.Loaded:
    return load.load_entry(host, settings, selected.entry, selected.chosen, selected.config)


def check_arrival(host: Host, settings: Settings) -> Optional[str]:
    """Say why the boot that a kexec has led to is not good; None for a good one, and for any other boot.

    It may take long, so it holds no lock: a shutdown meanwhile settles the boot without these checks.
    """
    with contextlib.suppress(Error):
        if attempts.is_arrival(host):
            return health.find_failure(host.root, settings, lambda text: print("kexec-initd: " + one_line(text)))
    return None


def attend(host: Host, settings: Settings) -> str:
    """Make the next reboot go through kexec although the host is on trial, for an hour. Returns a sentence.

    What the reboot will start is loaded now, so that an obstacle shows now. Raises Error; then nothing has changed.
    """
    with lock_to_load(host.root):
        host = host.renewed()
        record = attempts.record_boot(host, settings.guard_boots)
        if guard.trial_left(record, settings.trial) is None:
            return "nothing to watch for: reboots go through kexec by themselves"
        store.write(host.root, Volatile.ATTENDED, checksum.double(str(read_uptime(host.root))))
        try:
            found = assess(host, settings)
            if not found.decision.kexec:
                raise Refused(found.decision.reason)
            if found.to_load is not None:
                _load(host, settings, found.to_load)
        except Error:
            store.remove(host.root, Volatile.ATTENDED)
            raise
    return "a reboot within the next hour goes through kexec: {} ({} of {} have arrived)".format(
        found.decision.reason, record.total, settings.trial
    )


def prepare(host: Host, settings: Settings) -> Decision:
    """Decide the reboot that is under way, load or unload accordingly, and leave the decision for the last step.

    What the boot loader would write is written last, when all else has succeeded. Raises Error, OSError without a decision.
    """
    changes: Tuple[LoaderWrite, ...] = ()
    try:
        with lock(host.root):
            decision, changes = _prepare(host.renewed(), settings)
    except (Error, OSError) as error:
        decision = Decision(error.cold_code if isinstance(error, Error) else Code.FAILED, describe_error(error))
    try:
        _write(host.root, decision)
        if decision.code is Code.TARGET and stamp.is_overtaken(host.root):
            writeback.restore(host.root, changes)
            decision = _withdraw(host.root)
    except (Error, OSError):
        writeback.restore(host.root, changes)
        _unload(host.root)
        raise
    if not decision.kexec:
        _unload(host.root)
    last_cold.keep(host.root, decision)
    syslog.tell(host.root, describe(decision), str(decision.code))
    return decision


def describe(decision: Decision) -> str:
    """Say how the reboot that is under way goes."""
    return "reboot goes through {}: {}".format("kexec" if decision.kexec else "firmware", one_line(decision.reason))


def _withdraw(root: Path) -> Decision:
    """Make the decision cold that a kernel package or an initramfs has overtaken; later ones do so by themselves."""
    decision = Decision(Code.CHANGED, OVERTAKEN)
    _write(root, decision)
    attempts.withdraw(root)
    return decision


def _prepare(host: Host, settings: Settings) -> Tuple[Decision, Tuple[LoaderWrite, ...]]:
    """Return the decision, and what was written in the boot loader's place; a kernel loaded by hand is no attempt of ours."""
    firmware_record.keep(host.tree.again())  # where nothing is called at the end of a boot
    found = assess(host, settings)
    problem = _record_boot(host, settings)
    for_shell.write(host.root, settings)
    if not found.decision.kexec or found.present is Present.BY_HAND:
        return found.decision, ()
    if problem is not None:
        return Decision(Code.GUARD, problem), ()
    if found.to_load is not None:
        _load(host, settings, found.to_load)
    writeback.consume(host.root, found.changes)
    try:
        attempts.begin(host.root)
    except (Error, OSError):
        writeback.restore(host.root, found.changes)
        raise
    return found.decision, found.changes


def _write(root: Path, decision: Decision) -> None:
    word = "kexec" if decision.kexec else "cold {}".format(one_line(decision.reason))
    store.write(root, Volatile.DECISION, (word + "\n").encode("utf-8", "backslashreplace"))


def _record_boot(host: Host, settings: Settings) -> Optional[str]:
    """Settle how this boot came, where nothing has done it before; say what stands in the way.

    A damaged record, which has sent this reboot through firmware, goes: the next one begins anew. A capture kernel is left out:
    whether the last attempt has come up well before its panic is still to be judged, and the next boot does.
    """
    if program.is_capture(host.root, host.cmdline):
        return None
    try:
        reboot_log.keep(host, attempts.record_boot(host, settings.guard_boots))
    except Damaged:
        with contextlib.suppress(Error):
            attempts.forget(host.root)
    except Error as error:
        return str(error)
    return None


def record_boot(host: Host, settings: Settings) -> None:
    """Settle how this boot came before the machine goes off: it shall not count as lost. Raises Error."""
    if program.is_capture(host.root, host.cmdline):
        return
    with lock(host.root):
        reboot_log.keep(host, attempts.record_boot(host, settings.guard_boots))


def _unload(root: Path) -> None:
    """Leave nothing loaded that a later script could execute; the decision stands even when that fails."""
    with contextlib.suppress(Error, OSError):
        program.unload(root)
        load.forget(root)
