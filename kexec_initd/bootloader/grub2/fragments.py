"""The files in loader/entries that a GRUB's `blscfg` makes entries of, and what every make of that command does alike."""

import string
from typing import Callable, Dict, List, NamedTuple, Optional

from kexec_initd.bootloader.grub2.interpreter import Interpreter
from kexec_initd.bootloader.grub2.machine import Item
from kexec_initd.bootloader.grub2.script import read_script
from kexec_initd.bootloader.grub2.values import Undecidable
from kexec_initd.bootloader.versions import Key

DIRECTORY = "/loader/entries"
MAX_BYTES = 1024 * 1024
_NAME = frozenset(string.ascii_letters + string.digits + "_")


class Fragment(NamedTuple):
    """A file in loader/entries: its name without ".conf", the host's path, and the lines by key."""

    id: str
    path: str
    fields: Dict[str, List[str]]


def read_text(run: Interpreter, path: str) -> str:
    """Return what is in a file of the host, less the carriage returns. Raises Undecidable for what is not a text file."""
    text = run.machine.disk.tree.read_text(path, MAX_BYTES)
    if text is None or "\0" in text:
        raise Undecidable("{} cannot be read".format(path))
    run.machine.budget.read(path, 8 * len(text))
    return text.replace("\r", "")


def identity(path: str) -> str:
    """Return the id of the entry that the file `path` makes: its name without ".conf"."""
    return path.rpartition("/")[2][: -len(".conf")]


def newest_first(paths: List[str], order: Callable[[str], Key]) -> List[str]:
    """Sort files. Raises Undecidable for two of one version: which of them GRUB drops depends on the directory's order."""
    keyed = sorted(((order(path), path) for path in paths), reverse=True)
    for (key, path), (other, beside) in zip(keyed, keyed[1:]):
        if key == other:
            raise Undecidable("blscfg: {} and {} are the same version".format(beside, path))
    return [path for _, path in keyed]


def item(run: Interpreter, fragment: Fragment, text: str) -> Item:
    """Return the line of the menu that GRUB makes of a file, with `text` as the script of the entry."""
    fields = fragment.fields
    parameters = fields.get("title", fields["linux"])[:1] + fields.get("grub_arg", [])
    script = read_script(fragment.path, text, run.machine.lexer, recover=False)
    rejected = script.parsed.rejected
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
        obstacle=None if rejected is None else "{}: {}".format(fragment.path, rejected.reason),
    )


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
