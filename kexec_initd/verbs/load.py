"""The verbs that load and unload a kernel by hand: load, reboot-into, unload, trust, trial."""

import argparse
from typing import Optional

from kexec_initd.boot_entry import BootEntry
from kexec_initd.decision import selection
from kexec_initd.decision.assess import assess
from kexec_initd.errors import Error, Refused, one_line, shortened
from kexec_initd.history import attempts
from kexec_initd.install.manifest import is_installed
from kexec_initd.kexec import load, lock, program, stamp
from kexec_initd.settings import reader
from kexec_initd.stages import reboot_into, shutdown
from kexec_initd.system.host import Host
from kexec_initd.system.stdio import warn
from kexec_initd.verbs.common import read_settings, refuse_unfit, require_root, tell, tell_more, under_way


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
        with under_way(args, "validating {}".format(entry.title)), load.checked(host, entry) as files:
            tell(args, "would load {}".format(_describe_entry(files.release, entry)))
        tell_more(args, _describe_more(selected))
        warn_of_cold(host, found, selected)
        return
    with under_way(args, "validating and loading {}".format(entry.title)), lock.lock_to_load(host.root):
        # A load by the admin is no decision: the early step shall ask for one, not take the stamp for it.
        config = (*selected.config, stamp.UNSEEN)
        loaded = load.load_entry(host, found, entry, selected.chosen, config)
    tell(args, "loaded {}".format(_describe_entry(loaded.release, entry)))
    tell_more(args, _describe_more(selected))
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
    entry = plan.selected.entry
    with under_way(args, "validating {}".format(entry.title)), load.checked(host, entry) as files:
        what = _describe_entry(files.release, entry)
    tell(args, "{} {}".format("would reboot into" if args.dry_run else "rebooting into", what))
    tell_more(args, _describe_more(plan.selected))
    if not args.dry_run:
        with under_way(args, "loading {}".format(entry.title)):
            reboot_into.execute(host, found, plan)


def _describe_entry(release: str, entry: BootEntry) -> str:
    """Return what an entry starts, and its title."""
    initrds = "with " + ", ".join(str(path) for path in entry.initrds) if entry.initrds else "without an initrd"
    id_text = " (id {})".format(shortened(entry.id)) if entry.id and entry.id != entry.title else ""
    name = "" if entry.running else ': the entry "{}"{}'.format(entry.title, id_text)
    return one_line("kernel {} ({}) {}{}".format(release, entry.kernel, initrds, name))


def _describe_more(selected: selection.Selected) -> str:
    """Return the command line, and what has chosen the entry."""
    lines = ("command line: {}".format(selected.entry.cmdline), "chosen: {}".format(selected.name))
    return "\n".join(one_line(line) for line in lines)


def run_unload(args: argparse.Namespace, host: Host) -> None:
    """Unload what is loaded, whoever loaded it; a panic kernel stays."""
    refuse_unfit(host)
    with lock.lock(host.root):
        was_loaded = program.is_loaded(host.root)
        tell_more(args, _describe_loaded(host))
        program.unload(host.root)
        load.forget(host.root)
    kept = "; the kernel for a panic stays" if program.is_loaded(host.root, program.PANIC) else ""
    tell(args, ("unloaded" if was_loaded else "nothing was loaded") + kept)


def _describe_loaded(host: Host) -> str:
    """Return what is loaded, as far as our record tells."""
    try:
        loaded = stamp.read_loaded(host.root) if program.is_loaded(host.root) else None
    except Error as error:
        return str(error)
    return one_line("was loaded: {}".format("kernel " + loaded.release if loaded else "nothing of kexec-initd's"))


def run_trust(args: argparse.Namespace, host: Host) -> None:
    """Open the guard, and say what was lifted."""
    require_root()
    with lock.lock(host.root):
        tell(args, attempts.trust(host, read_settings(host).guard_boots))


def run_trial(args: argparse.Namespace, host: Host) -> None:
    """Let the admin watch the next reboot through kexec."""
    refuse_unfit(host)
    with under_way(args, "validating and loading the next kernel"):
        said = shutdown.attend(host, read_settings(host))
    tell(args, said)
    tell_more(args, _describe_loaded(host))
