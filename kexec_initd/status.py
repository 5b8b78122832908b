"""What is installed, what is loaded, and what a `reboot` would do and why; as text or as JSON."""

import json
from typing import List, NamedTuple, Optional

from kexec_initd import stamp
from kexec_initd.assessment import assess, with_files_read
from kexec_initd.errors import one_line
from kexec_initd.files import read_text
from kexec_initd.host import Host
from kexec_initd.integration.manifest import is_installed
from kexec_initd.settings import Settings

PRELOAD_LOG = "preload.log"


class Status(NamedTuple):
    """The answer, flat: every field is a JSON value. `reboot` is "kexec" or "cold"; the reason has a stable `code`.

    `loaded_stale`: a kernel package or an initramfs has changed since, and a reboot will load again.
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
        reboot="kexec" if goes else "cold",
        code=found.decision.code if installed else "not-installed",
        reason=found.decision.reason if installed else "kexec-initd is not installed: kexec-initd install",
        preload=read_text(stamp.state_dir(host.root) / PRELOAD_LOG),
        warnings=warnings,
    )


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
        "reboot:     {}: {}".format(through, status.reason),
    ]
    if status.preload:
        lines.append("preload:    {}".format(status.preload))
    return "\n".join(one_line(line) for line in lines + ["warning:    " + text for text in status.warnings])
