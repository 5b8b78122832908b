"""The front door: arguments, exit codes, text or JSON. `main` tells the story; every verb is one short function.

What writes the host's scripts is imported by the verbs that need it: jinja2 takes longer to load than a decision to
make, and a shutdown waits for that.
"""

import argparse
import contextlib
import functools
import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Optional, Sequence, Tuple

from kexec_initd import (
    arguments,
    attempts,
    kexec,
    load_lock,
    loading,
    platforms,
    reboot_into,
    settings,
    shell_settings,
    shutdown,
    stamp,
    state,
    status,
    wishes,
)
from kexec_initd.assessment import assess
from kexec_initd.bootloader import BootEntry, listing, target
from kexec_initd.bootloader.menu import find_menu
from kexec_initd.commands import CommandError
from kexec_initd.encoding import decode, escape_output, name_of, read_arguments
from kexec_initd.errors import Error, Refused, UsageError, one_line, tell
from kexec_initd.host import Host, gather
from kexec_initd.integration.manifest import is_installed, is_standalone
from kexec_initd.stdio import drop_output, emit, open_standard_files, say, warn
from kexec_initd.surroundings import confinement
from kexec_initd.ways import SUDO

if TYPE_CHECKING:
    from kexec_initd.integration.changes import Plan

DONE, FAILED, USAGE, REFUSED = 0, 1, 2, 3
# Next to nothing of a large menu becomes garbage, and looking for that takes a tenth of the time.
COLLECT_AFTER = 200000


@functools.lru_cache(maxsize=None)
def make_parser() -> arguments.Parser:
    """Return the parser of the command line."""
    return arguments.make_parser(RUNS)


def root_directory(text: str) -> Path:
    """Return the directory that `--root` names, absolute."""
    path = Path(decode(os.path.abspath(name_of(text))))
    if str(path) != os.fsdecode(name_of(path)):
        raise UsageError("--root {}: this locale has other names for it".format(text), "set LC_ALL=C.UTF-8")
    if not path.is_dir():
        raise UsageError("--root {}: there is no such directory".format(text))
    return path


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command line and return its exit code; an error is one line on standard error."""
    gc.set_threshold(COLLECT_AFTER)
    open_standard_files()
    escape_output()
    code, text = run(argv)
    drop_output()
    return fail(text, code)


def run(argv: Optional[Sequence[str]]) -> Tuple[int, str]:
    """Run the command line; return its exit code, and the error."""
    try:
        args = make_parser().parse_args(read_arguments() if argv is None else argv)
        host = gather(root_directory(getattr(args, "root", "/")))
        args.run(args, host)
    except SystemExit:  # --help and --version
        return DONE, ""
    except Error as error:
        return error.exit_code, str(error)
    except BrokenPipeError:  # who has read enough is told nothing
        return FAILED, ""
    except OSError as error:
        return FAILED, tell(error)
    except KeyboardInterrupt:
        return FAILED, "interrupted"
    return DONE, ""


def fail(text: str, code: int) -> int:
    """Report an error on standard error and return `code`."""
    if text:
        say(text)
    return code


def read_settings(host: Host) -> settings.Settings:
    """Return the settings of `host`; what is wrong with them is said on standard error."""
    found, warnings = settings.read(host.root, host.family)
    for warning in warnings:
        warn(warning)
    return found


def require_root() -> None:
    """Raise Refused for anyone but root."""
    if os.geteuid() != 0:
        raise Refused("only root can do this", SUDO)


def refuse_unfit(host: Host) -> None:
    """Raise Refused where loading a kernel would reach outside of what `host` is."""
    require_root()
    confined = confinement(host.container, host.chroot)
    reason = confined[1] if confined else kexec.unsupported(host.root, host.kernel_release)
    if reason:
        raise Refused(reason)


def run_render(args: argparse.Namespace, host: Host) -> None:
    """Write what install would write, to standard output or below a directory."""
    from kexec_initd.integration import render

    if args.target is not None:
        render_for(args)
        return
    if args.init is not None or args.standalone:
        raise UsageError("--init and --standalone go with --for only")
    files = render.render_all(host)
    if args.out is not None:
        render.write_tree(files, Path(args.out))
    else:
        emit(render.as_listing(files), end="")


def render_for(args: argparse.Namespace) -> None:
    """Write the files for another machine below a directory."""
    from kexec_initd.integration import elsewhere, standalone

    if args.out is None or args.root != "/":
        raise UsageError("--for needs --out DIR, and takes no --root")
    rendition = elsewhere.render_for(args.target, args.init, args.standalone)
    write = standalone.write_standalone if args.standalone else elsewhere.write_rendition
    write(rendition, Path(args.out))


def refuse_stranger(args: argparse.Namespace, host: Host) -> None:
    """Raise Refused for a user who could not carry out the plan, or not even see what is installed."""
    if host.root == Path("/") and not args.dry_run:
        require_root()
    state.refuse_unreadable(host.root)


def print_plan(changes: "Plan") -> None:
    """Print a plan, its warnings on standard error: packages show only that."""
    from kexec_initd.integration import plan

    emit(plan.describe(changes._replace(warnings=())))
    for warning in changes.warnings:
        warn(warning)


def run_install(args: argparse.Namespace, host: Host) -> None:
    """Hook the host's init system."""
    from kexec_initd.integration import plan, transaction

    refuse_stranger(args, host)
    unfit, found = platforms.find_unfit(host.root), read_settings(host)
    if unfit and not args.force and not found.force_platform:
        raise Refused(unfit)
    if args.take_over and not args.dry_run and host.root == Path("/") and is_standalone(host.root):
        plan.plan_install(host, over_standalone=True)  # what speaks against ours leaves the other one in place
        try:
            transaction.give_standalone_back(host.root)
        except CommandError as error:
            warn(tell(error))
    changes = plan.plan_install(host)
    print_plan(changes)
    if not args.dry_run:
        transaction.execute(changes)
        load_lock.reopen(host.root)


def run_uninstall(args: argparse.Namespace, host: Host) -> None:
    """Give the host back as it was."""
    from kexec_initd.integration import plan, transaction

    refuse_stranger(args, host)
    changes = plan.plan_uninstall(host)
    print_plan(changes)
    if args.dry_run:
        return
    with contextlib.ExitStack() as stack:
        if host.root == Path("/") and confinement(host.container, host.chroot) is None:
            # A halt or kexec-tools' own script that we gave back would still execute what is loaded.
            stack.enter_context(load_lock.lock_to_remove(host.root))
        transaction.execute(changes)


def run_load(args: argparse.Namespace, host: Host) -> None:
    """Validate and load a kernel now, in place of what is loaded."""
    if not args.dry_run:
        refuse_unfit(host)
    found = read_settings(host)
    named = args.name is not None
    wish = wishes.find_named(host, found, args.name, file=True) if named else wishes.find_next(host, found)
    entry = wish.entry
    if entry is None or wish.problem is not None:
        raise Refused(wish.problem or "there is nothing to load")
    if args.dry_run:
        with loading.checked(host, entry) as files:
            emit("would load {}".format(_tell_entry(files.release, entry)))
        warn_of_cold(host, found, wish)
        return
    with load_lock.lock_to_load(host.root):
        # A load by the admin is no decision: the early step shall ask for one, not take the stamp for it.
        config = (*wish.config, stamp.UNSEEN)
        loaded = loading.load_entry(host, found, entry, wish.chosen, config)
    emit("loaded {}".format(_tell_entry(loaded.release, entry)))
    warn_of_cold(host, found, None)


def warn_of_cold(host: Host, found: settings.Settings, wish: Optional[wishes.Wish]) -> None:
    """Warn where a reboot would go through firmware all the same, with `wish` loaded, or with what is."""
    decision = assess(host, found, wish).decision
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
    with loading.checked(host, plan.entry) as files:
        what = _tell_entry(files.release, plan.entry)
    if args.dry_run:
        emit("would reboot into {}".format(what))
        return
    emit("rebooting into {}".format(what))
    reboot_into.execute(host, found, plan)


def _tell_entry(release: str, entry: BootEntry) -> str:
    """Return what an entry starts, and its title."""
    initrds = "with " + ", ".join(str(path) for path in entry.initrds) if entry.initrds else "without an initrd"
    name = "" if entry.running else ': the entry "{}"'.format(entry.title)
    return one_line("kernel {} ({}) {}{}".format(release, entry.kernel, initrds, name))


def run_unload(args: argparse.Namespace, host: Host) -> None:
    """Unload what is loaded, whoever loaded it; a panic kernel stays."""
    refuse_unfit(host)
    with load_lock.lock(host.root):
        was_loaded = kexec.is_loaded(host.root)
        kexec.unload(host.root)
        stamp.remove(host.root)
    emit("unloaded" if was_loaded else "nothing was loaded")


def run_trust(args: argparse.Namespace, host: Host) -> None:
    """Open the guard, and say what was lifted."""
    require_root()
    with load_lock.lock(host.root):
        emit(attempts.trust(host, read_settings(host).guard_boots))


def run_trial(args: argparse.Namespace, host: Host) -> None:
    """Let the admin watch the next reboot through kexec."""
    refuse_unfit(host)
    emit(shutdown.attend(host, read_settings(host)))


def run_status(args: argparse.Namespace, host: Host) -> None:
    """Tell what is installed, what is loaded, what a reboot would do."""
    state.refuse_unreadable(host.root)
    found, warnings = settings.read(host.root, host.family)
    answer = status.gather_status(host, found, warnings)
    emit(status.as_json(answer) if args.json else status.as_text(answer))


def run_entries(args: argparse.Namespace, host: Host) -> None:
    """List the entries of the boot loader."""
    menu = find_menu(host.root)
    emit(listing.as_json(menu) if args.json else listing.as_text(menu))
    if menu.problem:
        warn("no default: {}".format(menu.problem))


def run_target(args: argparse.Namespace, host: Host) -> None:
    """Tell what a cold boot would take next; Refused where that cannot be said or cannot be loaded."""
    found = target.find_target(host.root, attempts.firmware_began(host))
    emit(target.as_json(found) if args.json else target.as_text(found))
    if found.problem is not None:
        raise Refused(found.problem)


def run_preload(args: argparse.Namespace, host: Host) -> None:
    """Load at the end of the boot; called by the init script."""
    refuse_unfit(host)
    emit(shutdown.preload(host, read_settings(host)))


def run_prepare(args: argparse.Namespace, host: Host) -> None:
    """Decide the reboot that is under way, or settle how this boot came when it is to go off; called by the init script."""
    require_root()
    if args.settings:
        shell_settings.write(host.root, read_settings(host))
        return
    if host.runlevel == "0":
        shutdown.settle(host, read_settings(host))
        return
    if host.runlevel != "6":
        raise Refused("the runlevel is {}, not 6".format(host.runlevel or "unknown"))
    decision = shutdown.prepare(host, read_settings(host))
    if not decision.kexec:
        emit("kexec-initd: reboot will go through firmware: {}".format(one_line(decision.reason)))


RUNS: Dict[str, arguments.Run] = {
    "render": run_render,
    "install": run_install,
    "uninstall": run_uninstall,
    "load": run_load,
    "reboot-into": run_reboot_into,
    "unload": run_unload,
    "status": run_status,
    "entries": run_entries,
    "target": run_target,
    "trust": run_trust,
    "trial": run_trial,
    "preload": run_preload,
    "prepare": run_prepare,
}
