"""The verbs that write the host's scripts, or those of another one: install, uninstall, render.

What they need is imported when they are called: jinja2 takes longer to load than a decision to make, and a shutdown waits
for that.
"""

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from kexec_initd.errors import Error, Refused, UsageError, describe_error, one_line
from kexec_initd.history import reboot_log
from kexec_initd.install.manifest import is_standalone
from kexec_initd.kexec import lock
from kexec_initd.settings import kexec_tools
from kexec_initd.state import store
from kexec_initd.system import logind, quirks
from kexec_initd.system.hand_made import describe_hand_made
from kexec_initd.system.host import Family, Host
from kexec_initd.system.process import CommandError
from kexec_initd.system.stdio import emit, warn
from kexec_initd.system.virt import confinement
from kexec_initd.verbs.common import read_settings, require_root, tell, tell_more

if TYPE_CHECKING:
    from kexec_initd.install.steps import Plan
    from kexec_initd.settings.reader import Settings

OTHER = {"--deb": "--rpm", "--rpm": "--deb"}


def run_render(args: argparse.Namespace, host: Host) -> None:
    """Write what install would write, to standard output or below a directory."""
    from kexec_initd.install import render

    if args.target is not None:
        render_for(args)
        return
    if args.init is not None or args.standalone or args.deb is not None or args.rpm is not None:
        raise UsageError("--init, --standalone, --deb and --rpm go with --for only")
    files = render.render_all(host)
    if args.out is not None:
        render.write_tree(files, Path(args.out))
    else:
        emit(render.as_listing(files), end="")


def render_for(args: argparse.Namespace) -> None:
    """Write the files for another machine below a directory, or pack them."""
    from kexec_initd.install import offline, standalone

    if [args.out, args.deb, args.rpm].count(None) != 2 or args.root != "/":
        raise UsageError("--for needs one of --out DIR, --deb FILE and --rpm FILE, and takes no --root")
    rendition = offline.render_for(args.target, args.init, args.standalone)
    if args.out is None:
        pack(args, rendition.host.family)
    elif args.standalone:
        standalone.write_directory(rendition, Path(args.out))
        emit("copy {} to the host, and run there as root, in it: sh install.sh".format(args.out))
    else:
        offline.write_rendition(rendition, Path(args.out))


def pack(args: argparse.Namespace, family: Family) -> None:
    """Write a package for all hosts of a family that have no Python."""
    from kexec_initd.install import legacy_package

    option, wanted = ("--deb", Family.DEBIAN) if args.deb is not None else ("--rpm", Family.RHEL)
    if not args.standalone or args.init is not None:
        raise UsageError("{} goes with --standalone, and takes no --init".format(option))
    if family is not wanted:
        raise UsageError("{} is not for {}".format(option, args.target), "take " + OTHER[option])
    package = Path(args.rpm if args.deb is None else args.deb)
    legacy_package.write_package(family, package)
    emit(legacy_package.describe_install(family, package))


def refuse_stranger(args: argparse.Namespace, host: Host) -> None:
    """Raise Refused for a user who could not carry out the plan, or not even see what is installed."""
    if host.root == Path("/") and not args.dry_run:
        require_root()
    store.refuse_unreadable(host.root)


def print_plan(args: argparse.Namespace, changes: "Plan") -> None:
    """Print what would be done, with all that would change; warnings are on standard error, which packages pass on."""
    from kexec_initd.install.steps import describe

    if args.dry_run:
        tell(args, describe(changes._replace(warnings=())))
    for warning in changes.warnings:
        warn(warning)


def print_done(args: argparse.Namespace, changes: "Plan") -> None:
    """Print what was done; with --verbose each step of it."""
    from kexec_initd.install import summary

    if changes.steps:
        tell_more(args, summary.describe_steps(changes))
    tell(args, summary.describe_done(changes))


def run_install(args: argparse.Namespace, host: Host) -> None:
    """Hook the host's init system."""
    from kexec_initd.install import apply, plan_install

    refuse_stranger(args, host)
    unfit, found = quirks.find_unfit(host.root, host.machine), read_settings(host)
    if unfit and not args.force and not found.force_platform:
        raise Refused(unfit)
    if args.take_over and not args.dry_run and host.root == Path("/") and is_standalone(host.root):
        take_over(host)
    changes = plan_install.plan_install(host)
    print_plan(args, changes)
    for told in [*describe_hand_made(host.root), *kexec_tools.list_replaced(host.root, found)]:
        warn(told)
    if args.dry_run:
        return
    apply.execute(changes)
    lock.reopen(host.root)
    print_done(args, changes)
    if not changes.is_empty:
        tell(args, describe_next(host.renewed(), found))


def describe_next(host: Host, found: "Settings") -> str:
    """Return what happens from now on: the last line of an installation, which packages pass on."""
    from kexec_initd.decision.assess import assess

    if host.root != Path("/") or confinement(host.container, host.chroot) is not None:
        return "kexec-initd is installed: once this system has booted, its reboots go through kexec"
    try:
        decision = assess(host, found).decision
    except (Error, OSError) as error:
        return "kexec-initd is installed, but a reboot goes through firmware: {}".format(describe_error(error))
    if not decision.kexec:
        return "kexec-initd is installed, but a reboot goes through firmware: {}".format(one_line(decision.reason))
    told = "kexec-initd is installed: reboot goes through kexec; the kernel is loaded "
    if logind.find_refusal(host) is not None:
        return told + "early in the shutdown"
    when = "at the end of the next boot" if found.preload else "early in the shutdown"
    return told + when + ", `kexec-initd load` does it now"


def take_over(host: Host) -> None:
    """Take away what install.sh has installed, unless something else speaks against installing in its place."""
    from kexec_initd.install import apply, plan_install

    plan_install.plan_install(host, over_standalone=True)
    with reboot_log.kept_over(host.root):
        try:
            apply.uninstall_standalone(host.root)
        except CommandError as error:
            warn(describe_error(error))


def run_uninstall(args: argparse.Namespace, host: Host) -> None:
    """Restore the host as it was."""
    from kexec_initd.install import apply, plan_uninstall

    refuse_stranger(args, host)
    changes = plan_uninstall.plan_uninstall(host)
    print_plan(args, changes)
    if args.dry_run:
        return
    with contextlib.ExitStack() as stack:
        if host.root == Path("/") and confinement(host.container, host.chroot) is None:
            # A halt or kexec-tools' own script that we restore would still execute what is loaded.
            stack.enter_context(lock.lock_to_remove(host.root))
        apply.execute(changes)
    print_done(args, changes)
    if not changes.is_empty:
        tell(args, "kexec-initd is uninstalled: reboots are the distribution's own again")
