"""The verbs that load and unload a kernel by hand: load, reboot-into, unload, trust, trial."""

import argparse
from typing import Optional

from kexec_initd.boot_entry import BootEntry
from kexec_initd.decision import selection
from kexec_initd.decision.assess import assess
from kexec_initd.errors import Refused, one_line
from kexec_initd.history import attempts
from kexec_initd.install.manifest import is_installed
from kexec_initd.kexec import load, lock, program, stamp
from kexec_initd.settings import reader
from kexec_initd.stages import reboot_into, shutdown
from kexec_initd.system.host import Host
from kexec_initd.system.stdio import emit, warn
from kexec_initd.verbs.common import read_settings, refuse_unfit, require_root


def run_load(args: argparse.Namespace, host: Host) -> None:
    """Validate and load a kernel now, in place of what is loaded."""
    if not args.dry_run:
        refuse_unfit(host)
    found = read_settings(host)
    named = args.name is not None
    selected = selection.find_named(host, found, args.name, file=True) if named else selection.find_next(host, found)
    if isinstance(selected, selection.NoTarget):
        raise Refused(selected.problem)
    entry = selected.entry
    if args.dry_run:
        with load.checked(host, entry) as files:
            emit("would load {}".format(_describe_entry(files.release, entry)))
        warn_of_cold(host, found, selected)
        return
    with lock.lock_to_load(host.root):
        # A load by the admin is no decision: the early step shall ask for one, not take the stamp for it.
        config = (*selected.config, stamp.UNSEEN)
        loaded = load.load_entry(host, found, entry, selected.chosen, config)
    emit("loaded {}".format(_describe_entry(loaded.release, entry)))
    warn_of_cold(host, found, None)


def warn_of_cold(host: Host, found: reader.Settings, named: Optional[selection.Selection]) -> None:
    """Warn where a reboot would go through firmware all the same, with `named` loaded, or with what is."""
    decision = assess(host, found, named).decision
    if not is_installed(host.root):
        warn("a reboot goes through firmware all the same: kexec-initd is not installed; kexec-initd install")
    elif not decision.kexec:
        warn("a reboot goes through firmware all the same: {}".format(decision.reason))


def run_reboot_into(args: argparse.Namespace, host: Host) -> None:
    """Load an entry of the boot loader and reboot into it."""
    if not args.dry_run:
        refuse_unfit(host)
    found = read_settings(host)
    plan = reboot_into.plan(host, found, args.name)
    with load.checked(host, plan.selected.entry) as files:
        what = _describe_entry(files.release, plan.selected.entry)
    if args.dry_run:
        emit("would reboot into {}".format(what))
        return
    emit("rebooting into {}".format(what))
    reboot_into.execute(host, found, plan)


def _describe_entry(release: str, entry: BootEntry) -> str:
    """Return what an entry starts, and its title."""
    initrds = "with " + ", ".join(str(path) for path in entry.initrds) if entry.initrds else "without an initrd"
    name = "" if entry.running else ': the entry "{}"'.format(entry.title)
    return one_line("kernel {} ({}) {}{}".format(release, entry.kernel, initrds, name))


def run_unload(args: argparse.Namespace, host: Host) -> None:
    """Unload what is loaded, whoever loaded it; a panic kernel stays."""
    refuse_unfit(host)
    with lock.lock(host.root):
        was_loaded = program.is_loaded(host.root)
        program.unload(host.root)
        load.forget(host.root)
    kept = "; the kernel for a panic stays" if program.is_loaded(host.root, program.PANIC) else ""
    emit(("unloaded" if was_loaded else "nothing was loaded") + kept)


def run_trust(args: argparse.Namespace, host: Host) -> None:
    """Open the guard, and say what was lifted."""
    require_root()
    with lock.lock(host.root):
        emit(attempts.trust(host, read_settings(host).guard_boots))


def run_trial(args: argparse.Namespace, host: Host) -> None:
    """Let the admin watch the next reboot through kexec."""
    refuse_unfit(host)
    emit(shutdown.attend(host, read_settings(host)))
