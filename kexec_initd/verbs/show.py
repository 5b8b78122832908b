"""The verbs that change nothing: status, settings, entries, target. Each imports what it needs when it is called."""

import argparse
import sys

from kexec_initd.errors import Error, Refused
from kexec_initd.system.host import Host
from kexec_initd.system.stdio import emit, warn


def run_status(args: argparse.Namespace, host: Host) -> None:
    """Tell what is installed, what is loaded, what a reboot would do."""
    from kexec_initd.settings import reader
    from kexec_initd.state import store
    from kexec_initd.verbs import status

    store.refuse_unreadable(host.root)
    found, warnings = reader.read(host.root, host.family)
    answer = status.gather_status(host, found, warnings)
    emit(status.as_json(answer) if args.json else paint_labels(status.as_text(answer)))


def paint_labels(text: str) -> str:
    """Return the status with the beginning of each line that matters in a colour, on a terminal."""
    if not sys.stdout.isatty():
        return text
    from kexec_initd.system import colour

    colours = {
        "installed:  yes": colour.GOOD,
        "installed:  no": colour.BAD,
        "reboot:     through kexec": colour.GOOD,
        "reboot:     through firmware": colour.CAUTION,
        "problem:": colour.BAD,
        "warning:": colour.CAUTION,
    }
    lines = text.split("\n")
    for number, line in enumerate(lines):
        for begin in [begin for begin in colours if line.startswith(begin)]:
            lines[number] = colour.paint(begin, colours[begin], sys.stdout) + line[len(begin) :]
    return "\n".join(lines)


def run_settings(args: argparse.Namespace, host: Host) -> None:
    """List the settings that hold; an Error where a line of them is not understood."""
    from kexec_initd.settings import listing, reader

    found = reader.read_all(host.root, host.family)
    emit(listing.as_json(found) if args.json else listing.as_text(found))
    for warning in found.warnings:
        warn(warning)
    if found.settings.ignored is not None:
        raise Error(found.settings.ignored)


def run_entries(args: argparse.Namespace, host: Host) -> None:
    """List the entries of the boot loader."""
    from kexec_initd.bootloader import output
    from kexec_initd.bootloader.menu import find_menu

    menu = find_menu(host.tree)
    if args.names:
        emit(output.as_names(menu))
        return
    emit(output.as_json(menu) if args.json else output.as_text(menu))
    if menu.problem:
        warn("no default: {}".format(menu.problem))


def run_target(args: argparse.Namespace, host: Host) -> None:
    """Tell what a cold boot would take next; Refused where that cannot be said or cannot be loaded."""
    from kexec_initd.bootloader import target
    from kexec_initd.history import attempts

    found = target.find_target(host.tree.again(), attempts.firmware_began(host))
    emit(target.as_json(found) if args.json else target.as_text(found))
    if found.problem is not None:
        raise Refused(found.problem)
