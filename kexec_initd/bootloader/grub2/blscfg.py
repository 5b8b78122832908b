"""`blscfg`, of the GRUB of Fedora, RHEL and openSUSE: entries after the Boot Loader Specification, from their files.

GRUB makes of each file in loader/entries a menu entry with a script of its own, in an order of its own: by name, version
and release of the file's name, the newest first. Its reading has peculiarities that are followed here: a file ends at
the first line that is no "key value", for one.

GRUB 2.14 has a command of the same name of its own, in its module blsuki: it names kernels without a device, sorts in
another way and knows fewer variables. With that one nothing is decided.
"""

import string
from typing import Dict, List, NamedTuple, Optional, Tuple

from kexec_initd.bootloader.grub2.disk import Kind, Spot
from kexec_initd.bootloader.grub2.interpreter import Interpreter, Status
from kexec_initd.bootloader.grub2.machine import Item
from kexec_initd.bootloader.grub2.parser import Command
from kexec_initd.bootloader.grub2.script import read_script
from kexec_initd.bootloader.grub2.values import Undecidable
from kexec_initd.bootloader.grub2.variables import look
from kexec_initd.bootloader.versions import rpm_key

DIRECTORY = "/loader/entries"
MAX_BYTES = 65536
UPSTREAM = "/blsuki.mod"
_TRIES = 10
_NAME = frozenset(string.ascii_letters + string.digits + "_")


class Fragment(NamedTuple):
    """A file in loader/entries: its name without ".conf", the host's path, and the lines by key."""

    id: str
    path: str
    fields: Dict[str, List[str]]


def blscfg(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`blscfg`: add an entry for each file."""
    if arguments:
        raise Undecidable("blscfg with an argument")
    variables = run.machine.variables
    if _is_upstream(run, variables.get("prefix", "")):
        raise Undecidable("blscfg of GRUB 2.14 or newer")
    root, boot = variables.get("root", ""), variables.get("boot")
    if boot is not None and boot != root and variables.get("grub_platform") != "efi":
        raise Undecidable("blscfg with `boot` on another device than `root`")
    spot = _find(run, variables.get("blsdir"))
    if spot is None:
        return False
    fragments = [_read(run, spot.path + "/" + name) for name in run.machine.disk.names(spot) if _is_fragment(name)]
    for fragment in sorted(fragments, key=lambda one: _order(one.id), reverse=True):
        if "linux" in fragment.fields:
            run.machine.add(_item(run, fragment, root))
    return True


def _is_upstream(run: Interpreter, prefix: str) -> bool:
    """Tell whether one of the platforms' modules that grub-install has laid down is 2.14's."""
    platforms = run.machine.disk.names(look(run.machine, prefix))
    return any(look(run.machine, prefix + "/" + name + UPSTREAM).kind is Kind.FILE for name in platforms if "-" in name)


def _find(run: Interpreter, named: Optional[str]) -> Optional[Spot]:
    for directory in [named] if named else [DIRECTORY, "/boot" + DIRECTORY]:
        spot = look(run.machine, directory)
        if spot.kind is Kind.UNKNOWN:
            raise Undecidable("blscfg: {}".format(spot.obstacle))
        if spot.kind is Kind.DIRECTORY:
            return spot
    return None


def _is_fragment(name: str) -> bool:
    return name.endswith(".conf") and len(name) > len(".conf") and not name.startswith(".")


def _read(run: Interpreter, path: str) -> Fragment:
    text = run.machine.disk.tree.read_text(path, MAX_BYTES)
    if text is None or "\0" in text:
        raise Undecidable("{} cannot be read".format(path))
    run.machine.budget.read(path, 8 * len(text))
    return Fragment(path.rpartition("/")[2][: -len(".conf")], path, parse(text))


def parse(text: str) -> Dict[str, List[str]]:
    """Return the values of each key, in order, up to the first line that GRUB would stop at."""
    fields: Dict[str, List[str]] = {}
    for line in text.replace("\r", "").split("\n"):
        line = line.lstrip(" \t")
        if line.startswith("#"):
            continue
        at = line.find(" ") if " " in line else line.find("\t")
        if at < 0 or at + 1 == len(line):
            break
        fields.setdefault(line[:at], []).append(line[at:].lstrip(" \t"))
    return fields


def _order(name: str) -> Tuple[object, ...]:
    """Split NAME-VERSION-RELEASE, with a count of tries behind it: an entry without tries left comes last."""
    front, plus, tries = name.rpartition("+")
    digits = tries.partition("-")[0]
    counted = bool(plus) and digits[:1].isdigit()
    exhausted = counted and digits.isdigit() and int(digits[:_TRIES]) == 0
    parts = (front if counted else name).rsplit("-", 2)
    parts += [""] * (3 - len(parts))
    return (not exhausted, *(rpm_key(part) for part in parts))


def _item(run: Interpreter, fragment: Fragment, root: str) -> Item:
    fields = fragment.fields
    kernel = fields["linux"][0]
    parameters = fields.get("title", [kernel])[:1] + fields.get("grub_arg", [])
    script = read_script(fragment.path, _script(run, fragment, root), run.machine.lexer)
    if script.parsed.rejected:
        raise Undecidable("{}: {}".format(fragment.path, script.parsed.rejected.reason))
    users = expand(fields["grub_users"][0], run.machine.variables) if "grub_users" in fields else None
    return Item(
        title=parameters[0],
        id=fragment.id,
        parameters=tuple(parameters),
        submenu=False,
        unrestricted=users is None,
        certain=True,
        script=script,
        body=script.parsed.block,
        line=0,
    )


def _script(run: Interpreter, fragment: Fragment, root: str) -> str:
    """Write the script that GRUB makes of a file; its values go into it as they are."""
    fields, variables = fragment.fields, run.machine.variables
    device, kernel = "({})".format(root), fields["linux"][0]
    options = expand(fields["options"][0], variables) if "options" in fields else None
    if options is None:
        options = expand(variables.get("default_kernelopts", ""), variables)
    initrds = fields.get("initrd", [])
    beside = (initrds[0] if initrds else kernel).rpartition("/")[0] + "/"
    early = [beside + name for name in variables.get("early_initrd", "").split(" ") if name]
    lines = ["savedefault"] if variables.get("save_default") == "true" else []
    lines.append("linux {}{} {}".format(device, kernel, options or ""))
    if early + initrds:
        lines.append("initrd" + "".join(" " + device + path for path in early + initrds))
    if fields.get("devicetree") or variables.get("devicetree"):
        lines.append("devicetree")
    return "\n".join(lines)


def expand(value: str, variables: Dict[str, str]) -> Optional[str]:
    """Put variables into a value of a file; None where GRUB ends up with nothing.

    Each variable is followed by a space, in place of the one behind its name. A text of a single character is lost, and
    so is all of the value when an unset variable comes first and another variable, or nothing, directly behind it.
    """
    result: Optional[str] = None
    is_name = False
    start = last = 0
    for at, char in enumerate(value):
        if char == "$":
            if start != last:
                result = _append(result, value[start : last + 1], is_name, variables)
                if result is None:
                    return None
            is_name, start = True, at + 1
        elif is_name and char not in _NAME:
            result = _append(result, value[start : last + 1], True, variables)
            is_name, start = False, at + 1 if char == " " else at
        last = at
    if start != last:
        result = _append(result, value[start : last + 1], is_name, variables)
    return result


def _append(result: Optional[str], text: str, is_name: bool, variables: Dict[str, str]) -> Optional[str]:
    if not is_name:
        return (result or "") + text
    found = variables.get(text)
    return result if found is None else (result or "") + found + " "
