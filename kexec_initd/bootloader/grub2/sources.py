"""Commands that read more script, and the search for a device."""

from typing import List, Optional

from kexec_initd.bootloader.devices import on_same_disk
from kexec_initd.bootloader.grub2.disk import FileKind, Spot
from kexec_initd.bootloader.grub2.interpreter import Action, Interpreter, Leave, Status
from kexec_initd.bootloader.grub2.machine import Machine, MenuShown
from kexec_initd.bootloader.grub2.options import split_options
from kexec_initd.bootloader.grub2.script import GrubScript, read_script
from kexec_initd.bootloader.grub2.start import is_fedora
from kexec_initd.bootloader.grub2.statements import Command
from kexec_initd.bootloader.grub2.values import Undecidable, is_unknown, shown, unknown
from kexec_initd.bootloader.grub2.volumes import Volume

MAX_BYTES = 16 * 1024 * 1024
_HINTS = ("hint", "hint-bios", "hint-efi", "hint-baremetal", "hint-ieee1275", "hint-arc")
_BY = {"fs-uuid": "uuid", "-u": "uuid", "label": "label", "-l": "label", "part-uuid": "partuuid", "-p": "partuuid"}
_KINDS = ("file", "-f", *_BY)
_SET = {"--set": "--set=root", "-s": "--set=root"}


def load_script(machine: Machine, path: str, text: Optional[str] = None) -> Optional[GrubScript]:
    """Read a configuration of the host, or `text` in its name; None where there is no such file."""
    if text is None:
        text = machine.disk.tree.read_text(path, MAX_BYTES)
    if text is None:
        return None
    if "\0" in text:
        raise Undecidable("{} is not text".format(path))
    machine.budget.read(path, len(text))
    return read_script(path, text, machine.lexer)


def run_script(run: Interpreter, script: GrubScript) -> None:
    """Run all of a script that GRUB runs. Raises Undecidable where there is more than can be read here."""
    run.run(script.parsed.block)
    rejected, limit = script.parsed.rejected, script.parsed.limit
    if rejected and run.machine.lost is None:
        run.machine.lost = rejected.reason, script.source(rejected.line)
    if limit:
        where = script.source(limit.line)
        raise Undecidable("{}:{}: {}".format(where.path, where.line, limit.reason))


def source(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`source FILE` and `. FILE`: it fails without a name only, not for a file that is missing."""
    spot = _find(run, arguments)
    script = load_script(run.machine, spot.path) if spot.kind is FileKind.FILE else None
    if script is not None:
        run_script(Interpreter(run.machine, script, run.actions), script)
    return bool(arguments)


def configfile(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`configfile FILE` and `normal [FILE]`: if that defines a menu, it is the one that is shown."""
    if run.machine.in_entry:
        run.machine.fail("configfile")
        return None
    prefix = run.machine.variables.get("prefix", "")
    spot = _find(run, arguments or [prefix + "/grub.cfg"])
    script = load_script(run.machine, spot.path) if spot.kind is FileKind.FILE else None
    if script is None:
        return True
    machine = run.machine.open(nested=True)
    machine.shown = (*run.machine.shown, spot.path)
    enter(machine, spot.path)
    machine.depth += 1
    try:
        run_script(Interpreter(machine, script, run.actions), script)
    except Undecidable as error:
        machine.problems.append((str(error), run.source(node)))
    if machine.items or machine.problems:
        raise MenuShown(machine, spot.path)
    return True


def enter(machine: Machine, path: str) -> None:
    """Set what GRUB sets when it begins to read a configuration."""
    directory = machine.disk.prefix(path.rpartition("/")[0])[1]
    for name, value in (("config_directory", directory), ("config_file", directory + "/" + path.rpartition("/")[2])):
        machine.set(name, value)
        machine.exported.add(name)


def _find(run: Interpreter, arguments: List[str]) -> Spot:
    spot = run.machine.look(arguments[0] if arguments else "")
    if spot.kind is FileKind.UNKNOWN:
        raise Undecidable("another configuration: {}".format(spot.obstacle))
    return spot


def evaluate(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`eval TEXT...`: run text as script."""
    text = " ".join(arguments)
    if is_unknown(text):
        raise Undecidable("eval of {}".format(shown(text)[:60]))
    run.machine.budget.spend(len(text) // 16)
    where = run.source(node)
    script = read_script(str(where.path), text, run.machine.lexer, where.line - 1, recover=False)
    inner = Interpreter(run.machine, script, run.actions)
    run_script(inner, script)
    return True if script.parsed.rejected else inner.status


def search(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`search --fs-uuid|--label|--file [--set[=NAME]] WHAT`, with Fedora's `--root-dev-only`."""
    confining = ("root-dev-only", "-r") if run.machine.disk.tree.once(is_fedora) else ()
    flags = ("no-floppy", "-n", "efidisk-only", "cryptodisk-only", *_KINDS, *confining)
    # The name behind --set is only taken with an equals sign between them.
    options, rest = split_options([_SET.get(word, word) for word in arguments], (*_HINTS, "set"), flags)
    kinds = ["file" if name in ("file", "-f") else _BY[name] for name, _ in options.given if name in _KINDS]
    if not kinds or not rest:
        return False
    names = options.values("set")
    return _search(run, kinds[-1], rest[0], names[-1] if names else None, options.has("root-dev-only", "-r"))


def search_by(kind: str) -> Action:
    """Make `search.fs_uuid`, `search.fs_label` and `search.file`: WHAT [NAME [HINT...]]."""

    def action(run: Interpreter, arguments: List[str], node: Command) -> Status:
        return _search(run, kind, arguments[0] if arguments else "", arguments[1] if len(arguments) > 1 else None)

    return action


def _search(run: Interpreter, kind: str, what: str, name: Optional[str], confined: bool = False) -> Status:
    """Set `name` to the device that is found, with `confined` on root's disk. One that is not mounted may be there."""
    if is_unknown(what):
        raise Undecidable("a search for {}".format(shown(what)))
    volumes = run.machine.disk.volumes
    volume = _with_file(run, what) if kind == "file" else volumes.by_id(kind, what)
    root = volumes.by_device(run.machine.variables.get("root", "")) if confined else None
    if volume and root and on_same_disk(volume.device, root.device) is False:
        return False
    if name is not None:
        run.machine.set(name, volumes.device(volume) if volume else unknown("{}={}".format(kind, what)))
    return True if volume else None


def _with_file(run: Interpreter, path: str) -> Optional[Volume]:
    """Return the volume that alone has a file; None where none or several have it."""
    found = {}
    for volume in run.machine.disk.volumes.all:
        device = run.machine.disk.volumes.device(volume)
        if run.machine.look("({}){}".format(device, path)).kind in (FileKind.FILE, FileKind.DIRECTORY):
            found[volume.device] = volume
    return next(iter(found.values())) if len(found) == 1 else None


def leave(again: bool) -> Action:
    """Make `break` and `continue`."""

    def action(run: Interpreter, arguments: List[str], node: Command) -> Status:
        count = arguments[0] if arguments else "1"
        if not count.isdigit() or int(count[:9]) == 0 or run.loops == 0:
            return False
        raise Leave(min(int(count[:9]), run.loops), again)

    return action


def leave_function(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`return [STATUS]`."""
    if run.machine.parameters is None:
        return False
    if not arguments:
        raise Leave(0, status=run.status)
    raise Leave(0, status=None if is_unknown(arguments[0]) else arguments[0].strip("0") == "")
