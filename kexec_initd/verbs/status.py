"""What is installed, what is loaded, and what a `reboot` would do and why; as text or as JSON."""

import json
import time
from pathlib import Path
from typing import List, NamedTuple, Optional

from kexec_initd.decision.assess import Present
from kexec_initd.decision.selection import find_copied
from kexec_initd.decision.verdict import Verdict, judge
from kexec_initd.errors import one_line, shortened
from kexec_initd.history import guard, last_cold
from kexec_initd.history.running_boot import read_uptime
from kexec_initd.install.boot_end import find_missed_preload, was_preload_called
from kexec_initd.install.outdated import list_deviations
from kexec_initd.kexec import panic, stamp, watchdog
from kexec_initd.settings.kexec_tools import list_replaced
from kexec_initd.settings.reader import Settings
from kexec_initd.state import store
from kexec_initd.state.store import Damaged, Volatile
from kexec_initd.system import drivers, hooks
from kexec_initd.system.hand_made import describe_hand_made
from kexec_initd.system.host import Host


class Status(NamedTuple):
    """The answer, flat: every field is a JSON value. `reboot` is "kexec" or "cold"; the reason has a stable `code`.

    `installed` is false, too, where a reboot cannot go through what is left of an installation. `deviations` are all things
    that are not as `install` would have them, a sentence each.
    `loaded_stale`: a kernel package or an initramfs has changed since, and a reboot will load again.
    `loaded_unpacked`: kexec was given what the initrd unpacks to, see UNPACK_INITRD.
    `last_attempt` is the id of the last kexec, `last_outcome` "arrived", "lost", "failed", "replaced" or "under-way",
    `last_time` in seconds since 1970, `kexecs` how many have led to a boot since the last one through firmware,
    `kexecs_total` how many ever have arrived, `firmware_days` how many days ago that boot was. `guard` says why the guard is
    closed; it is None where it is open.
    `last_reboot` is "kexec" or "cold", with the code and the sentence of a cold one; None before the first.
    `next_kernel` is the release of the kernel that a reboot starts either way, `next_entry` the title of its entry, None for
    unknown.
    `preload_called` tells whether the step at the end of the boot was, and `preload` what that load has said.
    `panic_kernel` says whether one is loaded, and why not; it is None where none is wanted.
    `watchdog` says whether one will watch the jump, and why not; it is None where none is wanted.
    """

    installed: bool
    deviations: List[str]
    init: str
    distribution: str
    running_kernel: Optional[str]
    loaded: bool
    loaded_by_us: bool
    loaded_kernel: Optional[str]
    loaded_cmdline: Optional[str]
    loaded_unpacked: bool
    loaded_stale: bool
    attempt: Optional[str]
    last_attempt: Optional[str]
    last_outcome: Optional[str]
    last_time: Optional[int]
    kexecs: int
    kexecs_total: int
    firmware_days: float
    guard: Optional[str]
    panic_kernel: Optional[str]
    watchdog: Optional[str]
    last_reboot: Optional[str]
    last_code: Optional[str]
    last_reason: Optional[str]
    reboot: str
    code: str
    reason: str
    next_kernel: Optional[str]
    next_entry: Optional[str]
    preload_called: bool
    preload: Optional[str]
    warnings: List[str]


def gather_status(host: Host, settings: Settings, warnings: List[str]) -> Status:
    """Return the status of `host`; reads the kernel and the initrd when a reboot would still have to load them."""
    verdict = judge(host, settings)
    found, loaded = verdict.found, verdict.loaded
    record, last, cold = found.record, found.record.last, last_cold.find(host.root, found.record)
    return Status(
        installed=verdict.installed,
        deviations=list_deviations(host, found.deviations) if verdict.manifest else [],
        init=host.init.value,
        distribution="{} {}".format(host.distribution, host.release).strip(),
        running_kernel=host.kernel_release,
        loaded=found.present is not Present.NOTHING,
        loaded_by_us=found.present.is_ours,
        loaded_kernel=loaded.release if loaded else None,
        loaded_cmdline=loaded.cmdline if loaded else None,
        loaded_unpacked=loaded is not None and loaded.unpacked,
        loaded_stale=found.present.is_ours and stamp.is_overtaken(host.root),
        attempt=loaded.attempt if loaded else None,
        last_attempt=last.attempt.id if last else None,
        last_outcome=last.outcome.value if last else None,
        last_time=last.attempt.time if last else None,
        kexecs=record.kexecs,
        kexecs_total=record.total,
        firmware_days=round(guard.days_since_firmware(record, time.time(), read_uptime(host.root)), 1),
        guard=found.guard,
        panic_kernel=panic.describe(host, settings),
        watchdog=watchdog.describe_watch(host.root, settings.watchdog),
        last_reboot="cold" if cold else "kexec" if last else None,
        last_code=cold.code if cold else None,
        last_reason=cold.reason if cold else None,
        reboot="kexec" if verdict.decision.kexec else "cold",
        code=verdict.decision.code.value,
        reason=verdict.decision.reason,
        next_kernel=verdict.kernel,
        next_entry=verdict.name,
        preload_called=was_preload_called(host),
        preload=_read_log(host.root),
        warnings=warnings + _list_warnings(host, settings, verdict),
    )


def _list_warnings(host: Host, settings: Settings, verdict: Verdict) -> List[str]:
    menu = verdict.found.menu
    missed = find_missed_preload(host) if verdict.installed else None
    copied = [] if menu is None else find_copied(menu)
    by_hand = [*describe_hand_made(host.root), *list_replaced(host.root, settings)]
    warnings = [*hooks.list_left_out(host.root), *copied, *by_hand]
    if verdict.decision.kexec:
        warnings += drivers.list_faulty(host.root, host.kernel_release, settings.remove_modules)
    return warnings + ([] if missed is None else [missed])


def _read_log(root: Path) -> Optional[str]:
    """Return what the preload at the end of the boot has said."""
    try:
        data = store.read(root, Volatile.PRELOAD_LOG)
    except Damaged as error:
        return str(error)
    return None if data is None else data.decode("utf-8", "surrogateescape").rstrip("\n")


def as_json(status: Status) -> str:
    """Return the status as one JSON object."""
    return json.dumps(status._asdict(), indent=2)


def as_text(status: Status) -> str:
    """Return the status for a person, a line for each thing that is worth one."""
    lines = [
        "installed:  {}".format(_describe_installed(status)),
        "host:       {}, {}, running kernel {}".format(
            status.distribution, status.init, status.running_kernel or "unknown"
        ),
        "loaded:     {}".format(_describe_loaded(status)),
        *_describe_next(status),
    ]
    told = [
        ("held back:  ", status.guard if status.guard and status.guard != status.reason else None),
        ("panic kernel: ", status.panic_kernel),
        ("watchdog:   ", status.watchdog),
        ("last reboot: ", _describe_last_reboot(status)),
        ("at boot:    ", None if status.loaded else status.preload),
    ]
    lines += [label + text for label, text in told if text]
    lines += ["problem:    " + text for text in status.deviations]
    return "\n".join(one_line(line) for line in lines + ["warning:    " + text for text in status.warnings])


def _describe_installed(status: Status) -> str:
    if status.installed:
        return "yes" if not status.deviations else "yes, with the problems below; kexec-initd install puts them right"
    return "not as a whole, see the problems below; kexec-initd install" if status.deviations else "no"


def _describe_loaded(status: Status) -> str:
    if not status.loaded:
        return "nothing"
    loaded = "kernel {}".format(status.loaded_kernel or "unknown") if status.loaded_by_us else "a kernel by hand (kept)"
    if status.loaded_unpacked:
        loaded += ", its initrd unpacked"
    if status.loaded_stale:
        loaded += " (stale: a kernel package or an initramfs has changed since)"
    return loaded


# How people reboot, beside `reboot`, under each init system that is hooked.
ALIKE = {
    "sysvinit": "shutdown -r, init 6",
    "upstart": "shutdown -r, init 6",
    "systemd": "systemctl reboot, shutdown -r",
    "openrc": "shutdown -r",
}


def _describe_next(status: Status) -> List[str]:
    """Return the lines about the next reboot, by each way to reboot."""
    through = "through kexec" if status.reboot == "kexec" else "through firmware"
    lines = ["reboot:     {}: {}".format(through, status.reason)]
    start = _describe_start(status)
    if start:
        lines.append("starts:     {}".format(start))
    if status.installed and status.init in ALIKE:
        lines.append("likewise:   " + ALIKE[status.init])
        lines.append("unchanged:  reboot -f, poweroff, halt")
    return lines


def _describe_start(status: Status) -> str:
    kernel = "kernel {}".format(status.next_kernel) if status.next_kernel else ""
    named = status.next_entry if status.next_entry != status.reason else None
    entry = 'the entry "{}"'.format(shortened(named)) if named else ""
    return ", ".join(part for part in (kernel, entry) if part)


def _describe_last_reboot(status: Status) -> Optional[str]:
    counted = "{} since the last firmware boot {:.1f} days ago, {} in all".format(
        status.kexecs, status.firmware_days, status.kexecs_total
    )
    if status.last_reboot == "kexec":
        return "through kexec: {} ({})".format(_describe_last_attempt(status), counted)
    return "through firmware: {} ({})".format(status.last_reason, status.last_code) if status.last_reboot else None


def _describe_last_attempt(status: Status) -> str:
    return "{}, {}".format(guard.describe_time(status.last_time or 0), guard.FATES[guard.Outcome(status.last_outcome)])
