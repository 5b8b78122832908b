"""Is what we have loaded what would be loaded now? By the record of the load alone, without a look into kernel and initrd."""

from pathlib import Path
from typing import List

from kexec_initd.boot_entry import BootEntry
from kexec_initd.cmdline import words
from kexec_initd.history import attempts
from kexec_initd.kexec import stamp
from kexec_initd.settings import sources
from kexec_initd.settings.reader import Settings
from kexec_initd.system.host import Host


def watched(host: Host, entry: BootEntry) -> List[Path]:
    """Return the files whose change makes a load of `entry` stale."""
    settings = sources.watched(host.root, host.family)
    return [entry.kernel, *entry.initrds, *settings, stamp.mark_file(host.root), attempts.PATH]


def is_loaded_already(host: Host, settings: Settings, entry: BootEntry) -> bool:
    """Tell whether what we have loaded is `entry`, from files that have not changed since."""
    loaded = stamp.read_loaded(host.root)
    return (
        loaded is not None
        and (loaded.kernel, loaded.initrds) == (str(entry.kernel), [str(path) for path in entry.initrds])
        and loaded.cmdline == words.with_attempt(entry.cmdline, loaded.attempt, settings.panic)
        and stamp.is_fresh(host.root, watched(host, entry))
    )
