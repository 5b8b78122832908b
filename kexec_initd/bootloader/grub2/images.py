"""Commands that load something: a kernel with its initrds, which we can load too, or anything else, which we cannot."""

import re
from pathlib import Path
from typing import List, Match, Optional

from kexec_initd.bootloader.grub2.disk import FileKind
from kexec_initd.bootloader.grub2.interpreter import Action, Interpreter, Leave, Status
from kexec_initd.bootloader.grub2.machine import BootState
from kexec_initd.bootloader.grub2.modules import is_x86
from kexec_initd.bootloader.grub2.options import split_options
from kexec_initd.bootloader.grub2.statements import Command
from kexec_initd.bootloader.grub2.values import HEXADECIMAL, is_unknown, shown, why_unknown
from kexec_initd.system.sysroot import not_linux

_KEYS = ("-u", "uuid", "-p", "password", "-k", "key-file", "-d", "header", "-P", "protector", "-O", "-o", "keyfile")
_ESCAPED = re.compile(r"(\\x[0-9A-Fa-f]{2})|([\\'\"])")


def command_line(arguments: List[str], hexadecimal: Optional[bool] = False) -> str:
    """Return the kernel's command line as GRUB writes it: the words with one space between them.

    A word with a space in it is put in double quotes, quotes and backslashes get a backslash; with `hexadecimal`
    `\\x41` stays, and None says that nobody knows.
    """
    return " ".join(_quoted(word, hexadecimal) for word in arguments)


def _quoted(word: str, hexadecimal: Optional[bool]) -> str:
    def escape(match: Match[str]) -> str:
        if match.group(1) and hexadecimal is not False:
            return match.group(1) if hexadecimal else HEXADECIMAL
        return "\\" + match.group()

    text = _ESCAPED.sub(escape, word)
    return '"{}"'.format(text) if " " in word else text


def load_linux(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`linux`, `linux16` and `linuxefi`: the first argument is the kernel, all of them are its command line."""
    machine = run.machine
    name = arguments[0] if arguments else ""
    spot = machine.look(name)
    # A kernel takes the place of the one before, with its initrds.
    machine.boot = BootState(obstacle=machine.boot.obstacle, gone=machine.boot.gone)
    stranger = not_linux(name)
    if stranger:
        machine.fail(stranger)
    if spot.kind is not FileKind.FILE:
        path = spot.path or shown(name)
        machine.fail(
            spot.obstacle or "the kernel {} is {}".format(path, spot.kind.value), spot.kind is FileKind.MISSING
        )
        return None if spot.kind is FileKind.UNKNOWN else False
    cmdline = "BOOT_IMAGE=" + command_line(arguments, machine.lexer.hexadecimal)
    if is_unknown(cmdline):
        machine.fail(_unknown_cmdline(cmdline))
    machine.boot = machine.boot._replace(kernel=spot.path, cmdline=cmdline)
    return True


def _unknown_cmdline(cmdline: str) -> str:
    why = why_unknown(cmdline)
    if why.startswith("/"):
        return "GRUB's name of the device of {} is not known (it is in BOOT_IMAGE)".format(Path(why))
    return "the command line depends on {}".format(why)


def load_initrd(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`initrd FILE...`: they take the place of the ones before."""
    machine = run.machine
    if machine.boot.kernel is None:
        return False
    paths = []
    for argument in arguments:
        spot = machine.look(argument)
        if argument.startswith("newc:"):
            machine.fail("an initrd that GRUB itself packs (newc:)")
        elif spot.kind is not FileKind.FILE:
            machine.fail(spot.obstacle or "the initrd {} is {}".format(spot.path, spot.kind.value))
        paths.append(spot.path)
    if not paths:
        machine.fail("initrd without a file")
    machine.boot = machine.boot._replace(initrds=tuple(paths))
    return True


def devicetree(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`devicetree`: another than the running one cannot be handed on; GRUB on x86 has no such command."""
    return True if is_x86(run.machine) else refuse("devicetree")(run, arguments, node)


def refuse(what: str) -> Action:
    """Make a command that loads or does what we cannot: in an entry it is its obstacle, elsewhere a problem."""

    def action(run: Interpreter, arguments: List[str], node: Command) -> Status:
        run.machine.fail(what)
        if not run.machine.in_entry:
            run.machine.problems.append(("{} outside of an entry".format(what), run.source(node)))
        return None

    return action


def boot(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`boot`, which an entry that has loaded a kernel does not need."""
    if run.machine.in_entry and run.machine.boot.kernel is not None:
        raise Leave(0)
    return refuse("boot")(run, arguments, node)


def firmware_setup(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`fwsetup`; with `--is-supported` only a question to the firmware."""
    return None if "--is-supported" in arguments else refuse("fwsetup")(run, arguments, node)


def decrypt(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`cryptomount -u UUID`: in an entry, what is behind it can only be loaded where it is what is mounted here."""
    if not run.machine.in_entry:
        return None
    options, _ = split_options(arguments, _KEYS, ("-a", "all", "-b", "boot"))
    uuids = options.values("uuid", "-u")
    volumes = run.machine.disk.volumes
    known = bool(uuids) or options.has("-a", "all", "-b", "boot")
    if not known or not any(volumes.is_on_luks(volume, uuids[-1] if uuids else None) for volume in volumes.all):
        run.machine.fail("encrypted (cryptomount)")
    return None
