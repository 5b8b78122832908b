"""The front door: arguments, exit codes, text or JSON. `main` tells the story; every verb is one short function.

What writes the host's scripts is imported by the verbs that need it: jinja2 takes longer to load than a decision to
make, and a shutdown waits for that.
"""

import argparse
import functools
import gc
import os
import sys
from pathlib import Path
from typing import Callable, NoReturn, Optional, Sequence

from kexec_initd import (
    __version__,
    attempts,
    kexec,
    loading,
    platforms,
    reboot_into,
    settings,
    shutdown,
    stamp,
    state,
    status,
    wishes,
)
from kexec_initd.bootloader import BootEntry, listing, target
from kexec_initd.bootloader.menu import find_menu
from kexec_initd.encoding import arguments, decode, escape_output, name_of
from kexec_initd.errors import Error, Refused, UsageError, one_line, tell
from kexec_initd.host import Host, InitSystem, gather
from kexec_initd.surroundings import confinement

DONE, FAILED, USAGE, REFUSED = 0, 1, 2, 3
# Next to nothing of a large menu becomes garbage, and looking for that takes a tenth of the time.
COLLECT_AFTER = 200000
INITS = [init.value for init in InitSystem if init is not InitSystem.UNKNOWN]
Run = Callable[[argparse.Namespace, Host], None]
EPILOG = "Exit status: 0 done, 1 failed, 2 usage, 3 refused: the host or a file is not fit, and nothing was changed."


class Parser(argparse.ArgumentParser):
    """Reports bad usage as every other error: one line."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError, which `main` reports."""
        raise UsageError(message, "see {} --help".format(self.prog))


@functools.lru_cache(maxsize=None)
def make_parser() -> Parser:
    """Return the parser of the command line; kexec-initd(8) documents what it accepts."""
    parser = Parser(prog="kexec-initd", description="Make the plain `reboot` go through kexec.", epilog=EPILOG)
    parser.add_argument("--version", action="version", version="kexec-initd " + __version__)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    verbs.required = True

    def add(name: str, run: Run, text: str) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=text, description=text + ".", epilog=EPILOG)
        verb.set_defaults(run=run)
        return verb

    verb = add_root(add("render", run_render, "write what install would write for this host"))
    verb.add_argument("--out", metavar="DIR", help="write the files below DIR, not to standard output")
    verb.add_argument("--for", dest="target", metavar="FAMILY[:RELEASE]", help="for another machine, as ubuntu:12.04")
    verb.add_argument("--init", choices=INITS, help="the init system there (default: what that release came with)")
    verb.add_argument("--standalone", action="store_true", help="plain shell with its own installer: no Python there")
    verb = add_dry_run(add_root(add("install", run_install, "hook the init system, so that reboot goes through kexec")))
    verb.add_argument("--force", action="store_true", help="also where the platform is known not to bear a kexec")
    add_dry_run(add_root(add("uninstall", run_uninstall, "give every file back as it was")))
    verb = add_dry_run(add("load", run_load, "validate a kernel and its initrd, and load them now"))
    text = "an entry of the boot loader, or a kernel file (default: what the boot loader would boot)"
    verb.add_argument("name", nargs="?", metavar="ENTRY|KERNEL", help=text)
    verb = add_dry_run(add("reboot-into", run_reboot_into, "reboot now, through kexec and once, into another entry"))
    text = "its position, id or title as entries prints them, or the version of its kernel"
    verb.add_argument("name", metavar="ENTRY", help=text)
    add("unload", run_unload, "unload the kernel that is loaded")
    verb = add_root(add("status", run_status, "tell what is installed and loaded, what a reboot would do and why"))
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb = add_root(add("entries", run_entries, "list what the boot loader offers, and what it would boot next"))
    verb.add_argument("--json", action="store_true", help="print one JSON list")
    verb = add_root(add("target", run_target, "tell what the boot loader would boot next, and where that comes from"))
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    add("trust", run_trust, "go through kexec again although an attempt never arrived")
    add("trial", run_trial, "on trial, make the next reboot go through kexec: you are watching")
    add("preload", run_preload, "load what a reboot will start (called at the end of the boot)")
    add("prepare", run_prepare, "decide the reboot that is under way (called early in a shutdown)")
    return parser


def add_root(verb: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Give `verb` the option --root."""
    verb.add_argument("--root", default="/", metavar="DIR", help="the host is below DIR (default: /)")
    return verb


def add_dry_run(verb: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Give `verb` the option --dry-run."""
    verb.add_argument("--dry-run", action="store_true", help="only say what would be done")
    return verb


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
    try:
        args = make_parser().parse_args(arguments() if argv is None else argv)
        host = gather(root_directory(getattr(args, "root", "/")))
        args.run(args, host)
        sys.stdout.flush()
    except Error as error:
        return fail(str(error), error.exit_code)
    except BrokenPipeError:
        os.dup2(open_nothing(), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        return fail(tell(error), FAILED)
    except KeyboardInterrupt:
        return fail("interrupted", FAILED)
    return DONE


def open_standard_files() -> None:
    """Have all three descriptors open that a caller may have closed: what is opened next would take their places."""
    fd = open_nothing()
    while fd <= 2:
        os.set_inheritable(fd, True)
        fd = open_nothing()
    os.close(fd)
    sys.stdout = sys.stdout or os.fdopen(os.dup(1), "w")
    sys.stderr = sys.stderr or os.fdopen(os.dup(2), "w")


def open_nothing() -> int:
    """Return a descriptor of /dev/null; where that is missing, as in a chroot, of a directory, which takes no output."""
    try:
        return os.open(os.devnull, os.O_RDWR)
    except OSError:
        return os.open("/", os.O_RDONLY)


def fail(text: str, code: int) -> int:
    """Report an error on standard error and return `code`."""
    print("kexec-initd: {}".format(one_line(text)), file=sys.stderr)
    return code


def read_settings(host: Host) -> settings.Settings:
    """Return the settings of `host`; what is wrong with them is said on standard error."""
    found, warnings = settings.read(host.root, host.family)
    for warning in warnings:
        print("kexec-initd: warning: {}".format(one_line(warning)), file=sys.stderr)
    return found


def require_root() -> None:
    """Raise Refused for anyone but root."""
    if os.geteuid() != 0:
        raise Refused("only root can do this")


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
        sys.stdout.write(render.as_listing(files))


def render_for(args: argparse.Namespace) -> None:
    """Write the files for another machine below a directory."""
    from kexec_initd.integration import elsewhere, standalone

    if args.out is None or args.root != "/":
        raise UsageError("--for needs --out DIR, and takes no --root")
    rendition = elsewhere.render_for(args.target, args.init, args.standalone)
    write = standalone.write_standalone if args.standalone else elsewhere.write_rendition
    write(rendition, Path(args.out))


def run_install(args: argparse.Namespace, host: Host) -> None:
    """Hook the host's init system."""
    from kexec_initd.integration import plan, transaction

    unfit, found = platforms.find_unfit(host.root), read_settings(host)
    if unfit and not args.force and not found.force_platform:
        raise Refused(unfit)
    changes = plan.plan_install(host)
    print(plan.describe(changes))
    if not args.dry_run:
        transaction.execute(changes)


def run_uninstall(args: argparse.Namespace, host: Host) -> None:
    """Give the host back as it was."""
    from kexec_initd.integration import plan, transaction

    changes = plan.plan_uninstall(host)
    print(plan.describe(changes))
    if args.dry_run:
        return
    transaction.execute(changes)
    if host.root == Path("/") and confinement(host.container, host.chroot) is None:
        # A halt or kexec-tools' own script that we gave back would still execute what is loaded.
        loading.drop(host.root)


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
            print("would load kernel {} ({}){}".format(files.release, entry.kernel, _with(entry)))
        return
    with shutdown.lock(host.root):
        # A load by the admin is no decision: the early step shall ask for one, not take the stamp for it.
        config = (*wish.config, stamp.UNSEEN)
        loaded = loading.load_entry(host, found, entry, wish.chosen, config)
    print("loaded kernel {} ({}){}".format(loaded.release, entry.kernel, _with(entry)))


def run_reboot_into(args: argparse.Namespace, host: Host) -> None:
    """Load an entry of the boot loader and reboot into it."""
    if not args.dry_run:
        refuse_unfit(host)
    found = read_settings(host)
    plan = reboot_into.plan(host, found, args.name)
    with loading.checked(host, plan.entry) as files:
        what = "kernel {} ({}){}".format(files.release, plan.entry.kernel, _with(plan.entry))
    if args.dry_run:
        print("would reboot into {}".format(what))
        return
    print("rebooting into {}".format(what), flush=True)
    reboot_into.execute(host, found, plan)


def _with(entry: BootEntry) -> str:
    return " with " + ", ".join(str(path) for path in entry.initrds) if entry.initrds else " without an initrd"


def run_unload(args: argparse.Namespace, host: Host) -> None:
    """Unload what is loaded, whoever loaded it; a panic kernel stays."""
    refuse_unfit(host)
    was_loaded = kexec.is_loaded(host.root)
    kexec.unload(host.root)
    stamp.remove(host.root)
    print("unloaded" if was_loaded else "nothing was loaded")


def run_trust(args: argparse.Namespace, host: Host) -> None:
    """Open the guard, and say what was lifted."""
    require_root()
    with shutdown.lock(host.root):
        print(attempts.trust(host, read_settings(host).guard_boots))


def run_trial(args: argparse.Namespace, host: Host) -> None:
    """Let the admin watch the next reboot through kexec."""
    refuse_unfit(host)
    print(shutdown.attend(host, read_settings(host)))


def run_status(args: argparse.Namespace, host: Host) -> None:
    """Tell what is installed, what is loaded, what a reboot would do."""
    state.refuse_unreadable(host.root)
    found, warnings = settings.read(host.root, host.family)
    answer = status.gather_status(host, found, warnings)
    print(status.as_json(answer) if args.json else status.as_text(answer))


def run_entries(args: argparse.Namespace, host: Host) -> None:
    """List the entries of the boot loader."""
    menu = find_menu(host.root)
    print(listing.as_json(menu) if args.json else listing.as_text(menu))
    if menu.problem:
        print("kexec-initd: warning: no default: {}".format(one_line(menu.problem)), file=sys.stderr)


def run_target(args: argparse.Namespace, host: Host) -> None:
    """Tell what a cold boot would take next; Refused where that cannot be said or cannot be loaded."""
    found = target.find_target(host.root, attempts.firmware_began(host))
    print(target.as_json(found) if args.json else target.as_text(found))
    if found.problem is not None:
        raise Refused(found.problem)


def run_preload(args: argparse.Namespace, host: Host) -> None:
    """Load at the end of the boot; called by the init script."""
    refuse_unfit(host)
    print(shutdown.preload(host, read_settings(host)))


def run_prepare(args: argparse.Namespace, host: Host) -> None:
    """Decide the reboot that is under way, or settle how this boot came when it is to go off; called by the init script."""
    require_root()
    if host.runlevel == "0":
        shutdown.settle(host, read_settings(host))
        return
    if host.runlevel != "6":
        raise Refused("the runlevel is {}, not 6".format(host.runlevel or "unknown"))
    decision = shutdown.prepare(host, read_settings(host))
    if not decision.kexec:
        print("kexec-initd: reboot will go through firmware: {}".format(one_line(decision.reason)))
