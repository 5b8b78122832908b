"""One reboot, through kexec, into an entry of the boot loader's menu that the admin names.

It goes through the host's own `reboot`, so that every service is stopped as ever; the early shutdown step finds the
entry loaded and leaves it. The boot loader's choice is not touched, and counts again at the next reboot.
"""

from pathlib import Path
from typing import NamedTuple

from kexec_initd.decision.assess import assess
from kexec_initd.decision.selection import Selected, find_named
from kexec_initd.errors import Refused
from kexec_initd.install.manifest import is_installed
from kexec_initd.kexec import load
from kexec_initd.kexec.lock import lock, lock_to_load
from kexec_initd.settings.reader import Settings
from kexec_initd.system import process
from kexec_initd.system.host import Host

REBOOT_TIMEOUT = 60.0


class RebootPlan(NamedTuple):
    """The entry to load, and the program that reboots then."""

    selected: Selected
    program: Path


def plan(host: Host, settings: Settings, name: str) -> RebootPlan:
    """Return how to reboot into the entry that is called `name`.

    Raises UsageError where none or several are, Refused where that reboot would not go through kexec, Error.
    """
    selection = find_named(host, settings, name)
    if not is_installed(host.root):
        raise Refused("kexec-initd is not installed, and a reboot would not go through kexec", "kexec-initd install")
    found = assess(host, settings, selection)
    if found.to_load is None:
        raise Refused("a reboot would go through firmware: {}".format(found.decision.reason))
    return RebootPlan(found.to_load, process.require(host.root, "reboot"))


def execute(host: Host, settings: Settings, plan: RebootPlan) -> None:
    """Load what was planned and reboot. Raises Error; then nothing of ours is loaded, and no reboot was started by us."""
    with lock_to_load(host.root):
        load.load_entry(host, settings, plan.selected.entry, plan.selected.chosen, plan.selected.config)
    try:
        process.run([str(plan.program)], REBOOT_TIMEOUT)
    except BaseException:
        with lock(host.root):
            load.drop(host.root)
        raise
