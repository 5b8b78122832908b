"""`menuentry` and `submenu`: what a script adds to the menu."""

from typing import List

from kexec_initd.bootloader.grub2.interpreter import Action, Interpreter, Status
from kexec_initd.bootloader.grub2.machine import Item
from kexec_initd.bootloader.grub2.options import split_options
from kexec_initd.bootloader.grub2.statements import Command

_VALUED = ("class", "users", "hotkey", "id", "source", "-c", "-u", "-h", "-s")


def define(submenu: bool, certain: bool = True) -> Action:
    """Make `menuentry` or `submenu`; with `certain` false SUSE's `hiddenentry`, whose place in the menu varies."""

    def action(run: Interpreter, arguments: List[str], node: Command) -> Status:
        if run.machine.in_entry:
            run.machine.fail("an entry that defines an entry")
            return None
        options, rest = split_options(arguments, _VALUED, ("unrestricted",))
        sources = options.values("source", "-s")
        if not rest or (node.block is None and not sources):
            return False
        if sources:
            run.machine.problems.append(("an entry that is defined by --source", run.source(node)))
        ids = options.values("id")
        run.machine.add(
            Item(
                title=rest[0],
                id=ids[-1] if ids else rest[0],
                parameters=tuple(rest),
                submenu=submenu,
                unrestricted=options.has("unrestricted"),
                certain=certain,
                script=run.script,
                body=node.block or (),
                line=node.line,
            )
        )
        return True

    return action
