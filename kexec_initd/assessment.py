"""What a `reboot` would do now: the facts gathered, the entry found, the decision made, nothing changed.

The early shutdown step, the preload at boot and `status` all start from here.
"""

from pathlib import Path
from typing import NamedTuple, Optional, Tuple

from kexec_initd import kexec, loading, stamp
from kexec_initd.bootloader import BootEntry
from kexec_initd.bootloader.naming import entry_for, find_running
from kexec_initd.errors import Error
from kexec_initd.host import Host
from kexec_initd.policy import Decision, Facts, cold, decide
from kexec_initd.settings import Settings

COLD_ONCE = "no-kexec-reboot"


class Assessment(NamedTuple):
    """The decision and what it rests on: is something loaded, by us, and is it still what would be loaded?"""

    decision: Decision
    entry: Optional[BootEntry]
    is_loaded: bool
    is_ours: bool
    is_fresh: bool

    @property
    def needs_no_load(self) -> bool:
        """Tell whether what is loaded may stay: it was loaded by hand, or is still what would be loaded."""
        return self.is_loaded and (self.is_fresh or not self.is_ours)


def assess(host: Host, settings: Settings) -> Assessment:
    """Gather the facts about `host` and decide. The entry's files are not read: loading does, or `with_files_read`."""
    is_loaded = kexec.is_loaded(host.root)
    is_ours = is_loaded and stamp.exists(host.root)
    entry, problem = _find_entry(host, is_ours)
    flag = host.root / COLD_ONCE
    facts = Facts(
        cold_once=flag.exists() or flag.is_symlink(),
        switched_off=settings.ignored if settings.kexec else "KEXEC=no in the settings",
        container=host.container,
        chroot=host.chroot,
        unsupported=kexec.unsupported(host.root, host.kernel_release),
        loaded_by_hand=is_loaded and not is_ours,
        no_target=problem,
    )
    is_fresh = is_ours and entry is not None and stamp.is_fresh(host.root, loading.watched(host, entry))
    return Assessment(decide(facts), entry, is_loaded, is_ours, is_fresh)


def with_files_read(host: Host, assessment: Assessment) -> Assessment:
    """Read the files that a reboot would still have to load, and decide for cold when they are not fit."""
    if not assessment.decision.kexec or assessment.needs_no_load:
        return assessment
    try:
        assert assessment.entry is not None
        with loading.checked(host, assessment.entry):
            return assessment
    except Error as error:
        return assessment._replace(decision=cold("no-target", str(error)))


def _find_entry(host: Host, is_ours: bool) -> Tuple[Optional[BootEntry], Optional[str]]:
    """Return the entry to load, or why there is none: the one that the admin has named, else the running kernel.

    What the boot loader would boot will be asked for here.
    """
    loaded = stamp.read_loaded(host.root) if is_ours else None
    try:
        if loaded is not None and loaded.chosen:
            return entry_for(host, Path(loaded.kernel)), None
        return find_running(host), None
    except Error as error:
        return None, str(error)
