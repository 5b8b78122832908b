"""Commands about variables: set, export, the environment block on disk, and questions whose answer is not known."""

import re
from pathlib import Path
from typing import List, Optional

from kexec_initd.bootloader import Source
from kexec_initd.bootloader.grub2 import conditions, grubenv
from kexec_initd.bootloader.grub2.disk import FileKind, Spot, is_block_list, split_path
from kexec_initd.bootloader.grub2.interpreter import Action, Interpreter, Status
from kexec_initd.bootloader.grub2.machine import Machine
from kexec_initd.bootloader.grub2.options import Options, split_options
from kexec_initd.bootloader.grub2.statements import Command
from kexec_initd.bootloader.grub2.values import Undecidable, is_unknown, shown, unknown
from kexec_initd.bootloader.grub2.volumes import is_writable
from kexec_initd.errors import Refused

BLOCK_STEPS = 50
OUTSIDE = "what GRUB has saved lies in the blocks {} of the disk, outside of any file (env_block), and cannot be read"
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


def load_env(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`load_env [--file FILE] [NAME...]`: set variables from an environment block."""
    options, names = split_options(arguments, ("file", "-f"), ("skip-sig", "-s"))
    spot = _block(run, options)
    try:
        found = grubenv.parse(_read_block(run, spot))
    except Refused:
        return False
    for name, variable in found.items():
        if not names or name in names:
            run.machine.set(name, variable.value)
            run.machine.loaded[name] = variable.value
            run.machine.sources[name] = Source(Path(spot.path), variable.line)
    return True


def save_env(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`save_env [--file FILE] NAME...`: note what GRUB would write, where it can; nothing is written."""
    machine = run.machine
    options, names = split_options(arguments, ("file", "-f"), ("skip-sig", "-s"))
    spot = _block(run, options)
    if not names or spot.kind is not FileKind.FILE or not is_writable(machine.disk.volumes.of(spot.path)):
        return False
    writes = {name: value for (path, name), value in machine.writes.items() if path == spot.path}
    writes.update((name, machine.variables.get(name)) for name in names)
    try:
        known = {name: value for name, value in writes.items() if value is None or not is_unknown(value)}
        grubenv.with_changes(_read_block(run, spot), known)
    except Refused:
        return False
    machine.writes.update(((spot.path, name), writes[name]) for name in names)
    return True


def _read_block(run: Interpreter, spot: Spot) -> bytes:
    data = run.machine.disk.tree.read_bytes(spot.path) if spot.kind is FileKind.FILE else None
    run.machine.budget.spend(len(data or b"") // 64)
    return data or b""


def _block(run: Interpreter, options: Options) -> Spot:
    run.machine.budget.spend(BLOCK_STEPS)
    named = options.values("file", "-f")
    path = named[-1] if named else run.machine.variables.get("prefix", "") + "/grubenv"
    spot = run.machine.look(path)
    if spot.kind is FileKind.UNKNOWN:
        blocks = split_path(path)[1]
        if is_block_list(blocks):
            raise Undecidable(OUTSIDE.format(blocks))
        raise Undecidable("the environment block: {}".format(spot.obstacle))
    return spot


def set_parameters(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`setparams WORD...`: change the parameters of the function or entry that runs."""
    if run.machine.parameters is None:
        return False
    run.machine.parameters = arguments
    return True


def shift(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`shift [COUNT]`: drop the first parameters."""
    number = arguments[0] if arguments else "1"
    if is_unknown(number):
        raise Undecidable("shift {}".format(shown(number)))
    if run.machine.parameters is None:
        return True
    if len(arguments) > 1 or not number.isdigit() or int(number[:9]) > len(run.machine.parameters):
        return False
    run.machine.parameters = run.machine.parameters[int(number[:9]) :]
    return True


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

    def size(path: str) -> Optional[int]:
        spot = run.machine.look(path)
        if spot.kind is FileKind.UNKNOWN:
            return None
        return len(run.machine.disk.tree.read_bytes(spot.path) or b"") if spot.kind is FileKind.FILE else 0

    return conditions.evaluate(arguments, conditions.Sight(lambda path: _look_as_test(run.machine, path), size))


def _look_as_test(machine: Machine, path: str) -> Spot:
    """Find a file as get_fileinfo() of grub-core/commands/test.c does: a bare name lies at the top, no name is the top."""
    device, inside = split_path(path)
    before = path[: len(path) - len(inside)]
    name = inside.rstrip("/")
    if is_unknown(name) or name.startswith("/"):
        return machine.look(before + name)
    top = machine.look(before + "/")
    if top.kind is FileKind.UNKNOWN or not name:
        return top
    return Spot(FileKind.MISSING, "") if "/" in name else machine.look(before + "/" + name)


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
