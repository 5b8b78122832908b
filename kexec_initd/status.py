"""What is installed, what is loaded, and what a `reboot` would do and why; as text or as JSON."""

import json
from typing import List, NamedTuple, Optional

from kexec_initd import attempts, guard, stamp, watchdog
from kexec_initd.assessment import assess, with_files_read
from kexec_initd.errors import Error, one_line
from kexec_initd.files import read_text
from kexec_initd.host import Host
from kexec_initd.integration.manifest import is_installed
from kexec_initd.settings import Settings

PRELOAD_LOG = "preload.log"


class Status(NamedTuple):
    """The answer, flat: every field is a JSON value. `reboot` is "kexec" or "cold"; the reason has a stable `code`.

    `loaded_stale`: a kernel package or an initramfs has changed since, and a reboot will load again.
    `last_attempt` is the id of the last kexec, `last_outcome` "arrived", "lost" or "under-way", `last_time` in seconds
    since 1970, `kexecs` how many have arrived since the last boot without one.
    `guard` says why the guard is closed; it is None where it is open. `watchdog` says whether one will watch the jump, and why
    not; it is None where none is wanted.
    """

    installed: bool
    init: str
    distribution: str
    running_kernel: Optional[str]
    loaded: bool
    loaded_by_us: bool
    loaded_kernel: Optional[str]
    loaded_cmdline: Optional[str]
    loaded_stale: bool
    attempt: Optional[str]
    last_attempt: Optional[str]
    last_outcome: Optional[str]
    last_time: Optional[int]
    kexecs: int
    guard: Optional[str]
    watchdog: Optional[str]
    reboot: str
    code: str
    reason: str
    preload: Optional[str]
    warnings: List[str]


def gather_status(host: Host, settings: Settings, warnings: List[str]) -> Status:
    """Return the status of `host`; reads the kernel and the initrd when a reboot would still have to load them."""
    found = with_files_read(host, assess(host, settings))
    loaded = stamp.read_loaded(host.root) if found.is_ours else None
    installed = is_installed(host.root)
    goes = found.decision.kexec and installed
    record = _read_record(host, settings)
    last = record.last
    return Status(
        installed=installed,
        init=host.init.value,
        distribution="{} {}".format(host.distribution, host.release).strip(),
        running_kernel=host.kernel_release,
        loaded=found.is_loaded,
        loaded_by_us=found.is_ours,
        loaded_kernel=loaded.release if loaded else None,
        loaded_cmdline=loaded.cmdline if loaded else None,
        loaded_stale=found.is_ours and stamp.is_overtaken(host.root),
        attempt=loaded.attempt if loaded else None,
        last_attempt=last.attempt.id if last else None,
        last_outcome=last.outcome.value if last else None,
        last_time=last.attempt.time if last else None,
        kexecs=record.kexecs,
        guard=found.guard,
        watchdog=watchdog.tell(host.root, settings.watchdog),
        reboot="kexec" if goes else "cold",
        code=found.decision.code if installed else "not-installed",
        reason=found.decision.reason if installed else "kexec-initd is not installed: kexec-initd install",
        preload=read_text(stamp.state_dir(host.root) / PRELOAD_LOG),
        warnings=warnings,
    )


def _read_record(host: Host, settings: Settings) -> guard.Record:
    """Return the record of attempts; an empty one where it cannot be read, which the guard says."""
    try:
        return attempts.look(host, settings.guard_boots)
    except Error:
        return guard.Record()


def as_json(status: Status) -> str:
    """Return the status as one JSON object."""
    return json.dumps(status._asdict(), indent=2)


def as_text(status: Status) -> str:
    """Return the status for a person, a line for each thing."""
    loaded = "nothing"
    if status.loaded:
        loaded = "by hand (kept)" if not status.loaded_by_us else "kernel {}".format(status.loaded_kernel or "unknown")
    if status.loaded_stale:
        loaded += " (stale: a kernel package or an initramfs has changed since)"
    through = "through kexec" if status.reboot == "kexec" else "through firmware"
    lines = [
        "installed:  {}".format("yes" if status.installed else "no"),
        "host:       {}, {}, running kernel {}".format(status.distribution, status.init, status.running_kernel),
        "loaded:     {}".format(loaded),
        "attempt:    {}".format(_tell_last(status)),
        "guard:      {}".format("closed: " + status.guard if status.guard else "open"),
        "reboot:     {}: {}".format(through, status.reason),
    ]
    if status.watchdog:
        lines.append("watchdog:   {}".format(status.watchdog))
    if status.preload:
        lines.append("preload:    {}".format(status.preload))
    return "\n".join(one_line(line) for line in lines + ["warning:    " + text for text in status.warnings])


def _tell_last(status: Status) -> str:
    if status.last_attempt is None:
        return "none yet"
    words = {"arrived": "arrived", "lost": "never arrived", "under-way": "under way"}
    when = guard.tell_time(status.last_time or 0)
    return "{} of {} {}".format(status.last_attempt, when, words[status.last_outcome or ""])
