"""The kernel that is loaded, or is still to be: is it what a reboot would take, and is it whole? And what watches the jump."""

import contextlib
from typing import Iterator

from kexec_initd.check.findings import Finding, Gathered, Origin, Severity
from kexec_initd.decision.assess import Present
from kexec_initd.decision.policy import decide
from kexec_initd.errors import Error
from kexec_initd.install.boot_end import was_preload_called
from kexec_initd.kexec import panic, stamp, watchdog
from kexec_initd.state import store
from kexec_initd.state.store import Volatile
from kexec_initd.system import logind

AGAIN = "; the reboot loads again early in the shutdown, which takes longer"


def check_image(gathered: Gathered) -> Iterator[Finding]:
    """Yield whether the files that a reboot would still have to load are fit."""
    found = gathered.verdict.found
    decided = decide(found.facts)
    if decided.kexec and not found.decision.kexec:
        advice = "install the kernel's package again, or make its initrd anew"
        yield Finding("image", Severity.BLOCKS, found.decision.reason, advice=advice)
    elif found.to_load is not None:
        yield Finding(
            "image",
            Severity.OK,
            "kernel {} and its initrd are whole".format(found.release),
            Origin(str(found.to_load.entry.kernel)),
        )


def check_loaded(gathered: Gathered) -> Iterator[Finding]:
    """Yield what is loaded."""
    host, present, loaded = gathered.host, gathered.verdict.found.present, gathered.verdict.loaded
    origin = Origin(str(store.path_of(host.root, Volatile.LOADED)))
    if present is Present.NOTHING:
        yield from _explain_nothing(gathered)
    elif present is Present.BY_HAND:
        yield Finding("loaded", Severity.OK, "a kernel that was loaded by hand, which is executed as it is")
    elif present is Present.FRESH and loaded is not None:
        text = "kernel {}{}, from files that are as they were".format(
            loaded.release, ", its initrd unpacked" if loaded.unpacked else ""
        )
        yield Finding("loaded", Severity.OK, text, origin)
    else:
        changed = stamp.is_overtaken(host.root)
        text = (
            "a kernel package or an initramfs has changed since the load" if changed else "not what would be loaded now"
        )
        yield Finding("loaded", Severity.WARNING, text + AGAIN, origin, "kexec-initd load")


def _explain_nothing(gathered: Gathered) -> Iterator[Finding]:
    """Yield why nothing is loaded: that is a fault where the step at the end of the boot was called, and was to load."""
    refusal = logind.find_refusal(gathered.host)
    if not gathered.settings.preload:
        yield Finding("loaded", Severity.OK, "nothing: PRELOAD=no leaves that to the shutdown")
    elif refusal is not None:
        yield Finding("loaded", Severity.OK, "nothing before the shutdown: {}".format(refusal))
    elif not gathered.verdict.decision.kexec:
        yield Finding("loaded", Severity.OK, "nothing, as the reboot is cold")
    elif was_preload_called(gathered.host):
        origin = Origin(str(store.path_of(gathered.host.root, Volatile.PRELOAD_LOG)))
        yield Finding("loaded", Severity.WARNING, "nothing" + AGAIN, origin, "kexec-initd load")
    else:
        yield Finding("loaded", Severity.OK, "nothing yet; the end of a boot, or the reboot, loads")


def check_watch(gathered: Gathered) -> Iterator[Finding]:
    """Yield whether what was asked for against a kernel that hangs or panics is there."""
    host, settings = gathered.host, gathered.settings
    said, ready = watchdog.describe_watch(host.root, settings.watchdog), None
    if said is not None:
        with contextlib.suppress(Error):
            ready = watchdog.find_ready(host.root)
        yield Finding("watchdog", Severity.OK if ready else Severity.WARNING, said)
    said = panic.describe(host, settings)
    if said is not None:
        yield Finding("panic-kernel", Severity.OK if panic.has_loaded(host.root) else Severity.WARNING, said)
