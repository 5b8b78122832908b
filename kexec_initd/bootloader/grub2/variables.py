"""Commands about variables: set, export, the environment block on disk, and questions whose answer is not known."""

import re
from pathlib import Path
from typing import List

from kexec_initd.bootloader import Source
from kexec_initd.bootloader.grub2 import conditions, grubenv
from kexec_initd.bootloader.grub2.disk import Kind, Spot
from kexec_initd.bootloader.grub2.interpreter import Action, Interpreter, Status
from kexec_initd.bootloader.grub2.machine import Machine
from kexec_initd.bootloader.grub2.options import Options, split_options
from kexec_initd.bootloader.grub2.parser import Command
from kexec_initd.bootloader.grub2.values import Undecidable, is_unknown, shown, unknown
from kexec_initd.bootloader.grub2.volumes import is_writable
from kexec_initd.errors import Refused

BLOCK_STEPS = 50
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def set_variable(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`set NAME=VALUE`; further arguments are ignored, as GRUB does."""
    name, equals, value = arguments[0].partition("=") if arguments else ("", "", "")
    if is_unknown(name):
        raise Undecidable("which variable {} sets".format(shown(arguments[0])))
    if equals:
        run.assign(name, value, node)
    return bool(equals) or not arguments


def unset_variable(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`unset NAME`."""
    for name in arguments[:1]:
        run.machine.variables.pop(name, None)
    return True


def export(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`export NAME...`: what a submenu or another configuration sees."""
    run.machine.exported.update(arguments)
    return True


def ask(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """Forget the variable that a question about the hardware sets."""
    for argument in arguments + ["match"]:
        name = argument.rpartition("=")[2]
        if _NAME.match(name):
            run.machine.variables[name] = unknown(name)
    return None


def look(machine: Machine, path: str) -> Spot:
    """Find a file by GRUB's path."""
    machine.budget.spend(2)
    relative = bool(machine.variables.get("btrfs_relative_path"))
    return machine.disk.look(path, machine.variables.get("root"), relative)


def load_env(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`load_env [--file FILE] [NAME...]`: set variables from an environment block."""
    options, names = split_options(arguments, ("file", "-f"), ("skip-sig", "-s"))
    spot = _block(run, options)
    if spot.kind is not Kind.FILE:
        return False
    try:
        found = grubenv.parse(run.machine.disk.tree.read_bytes(spot.path) or b"")
    except Refused as error:
        raise Undecidable("{}: {}".format(spot.path, error.message))
    for name, variable in found.items():
        if not names or name in names:
            run.machine.set(name, variable.value)
            run.machine.loaded[name] = variable.value
            run.machine.sources[name] = Source(Path(spot.path), variable.line)
    return True


def save_env(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`save_env [--file FILE] NAME...`: note what GRUB would write; nothing is written."""
    options, names = split_options(arguments, ("file", "-f"), ("skip-sig", "-s"))
    spot = _block(run, options)
    if spot.kind is not Kind.FILE or not is_writable(run.machine.disk.volumes.of(spot.path)):
        return False
    for name in names:
        run.machine.writes[spot.path, name] = run.machine.variables.get(name)
    return True


def _block(run: Interpreter, options: Options) -> Spot:
    run.machine.budget.spend(BLOCK_STEPS)
    named = options.values("file", "-f")
    path = named[-1] if named else run.machine.variables.get("prefix", "") + "/grubenv"
    spot = look(run.machine, path)
    if spot.kind is Kind.UNKNOWN:
        raise Undecidable("the environment block: {}".format(spot.obstacle))
    return spot


def count(step: int) -> Action:
    """Make `increment` and `decrement`, commands of Fedora's GRUB."""

    def action(run: Interpreter, arguments: List[str], node: Command) -> Status:
        for name in arguments[:1]:
            value = run.machine.variables.get(name, "")
            new = unknown(name) if is_unknown(value) else str(conditions.number(value) + step)
            run.machine.set(name, new)
        return True

    return action


def test(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`test` and `[ ]`."""

    def size(spot: Spot) -> int:
        return len(run.machine.disk.tree.read_bytes(spot.path) or b"")

    return conditions.evaluate(arguments, conditions.Sight(lambda path: look(run.machine, path), size))


def regexp(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`regexp [--set [N:]NAME] PATTERN STRING` for patterns that mean the same to every engine and run fast."""
    options, rest = split_options(arguments, ("set", "-s"), ())
    wishes = [wish.rpartition(":") for wish in options.values("set", "-s")]
    match = None
    simple = len(rest) == 2 and not is_unknown(rest[0] + rest[1]) and _is_simple(rest[0]) and len(rest[1]) < 256
    if simple:
        run.machine.budget.spend(len(rest[1]) ** 2 // 16)
        match = re.search(rest[0], rest[1])
    for number, _, name in wishes:
        if not simple:
            run.machine.set(name, unknown(name))
        elif match:
            group = int(number) if number.isdigit() else 1 if match.re.groups else 0
            run.machine.set(name, (match.group(group) or "") if group <= match.re.groups else "")
    return bool(match) if simple else None


def _is_simple(pattern: str) -> bool:
    """Tell whether a pattern has at most two repetitions, of single characters, and no alternatives or classes."""
    if len(pattern) > 128 or re.search(r"[|{}]|\)[*+?]|\[:|\\[A-Za-z0-9]|\(\?|[*+?][*+?]|\[.?[^\]]*[\[\\]", pattern):
        return False
    try:
        re.compile(pattern)
    except (re.error, OverflowError):
        return False
    return len(re.findall(r"[*+]", pattern)) <= 2
