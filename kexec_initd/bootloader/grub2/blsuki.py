"""`blscfg` of GRUB 2.14 and newer (grub-core/commands/blsuki.c): the files in /loader/entries on `root` make the entries.

It differs from the command of Fedora's GRUB that it was made of: the newest file is the first by filevercmp of the whole
name, kernels are named without a device, an entry without options gets none, and of the variables only those in
`options` and `grub_users` matter. Both stop reading a file at the first line that is no "key value".
"""

from typing import Dict, List, Optional, Tuple

from kexec_initd.bootloader.grub2.disk import FileKind, Spot, split_path
from kexec_initd.bootloader.grub2.fragments import DIRECTORY, Fragment, expand, identity, item, newest_first, read_text
from kexec_initd.bootloader.grub2.interpreter import Interpreter, Status
from kexec_initd.bootloader.grub2.options import split_options
from kexec_initd.bootloader.grub2.statements import Command
from kexec_initd.bootloader.grub2.values import Undecidable, is_unknown
from kexec_initd.bootloader.versions import filevercmp_key

SAVE_DEFAULT = "blsuki_save_default"
_FILTERS = ("show-default", "-d", "show-non-default", "-n", "entry", "-e")
_NO = ("", "0", "false", "disable", "no")


def blscfg(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`blscfg [--path DIR] [--enable-fallback]`: add an entry for each file."""
    options, rest = split_options(arguments, ("path", "-p", "entry", "-e"), ("enable-fallback", "-f", *_FILTERS))
    if options.has(*_FILTERS):
        raise Undecidable("blscfg that shows some of its entries only")
    if rest:
        return False
    device, directory = _place((options.values("path", "-p") or [""])[-1])
    paths = _fragments(run, device + directory)
    if not paths and options.has("enable-fallback", "-f"):
        paths = _fragments(run, device + DIRECTORY)
    for path in newest_first(paths, lambda path: filevercmp_key(path.rpartition("/")[2])):
        fragment = Fragment(identity(path), path, parse(read_text(run, path)))
        if "linux" in fragment.fields:
            run.machine.add(item(run, fragment, _script(fragment, run.machine.variables)))
    return True


def _place(path: str) -> Tuple[str, str]:
    """Return "(device)", or nothing for `root`, and the directory; a path that does not begin at one is ignored."""
    if path.endswith(".conf"):
        raise Undecidable("blscfg with a file")
    device, directory = split_path(path)
    if path.startswith("(") and (device is None or not directory):
        raise Undecidable("blscfg with the path {}".format(path))
    return "({})".format(device) if device else "", directory if directory.startswith("/") else DIRECTORY


def _fragments(run: Interpreter, directory: str) -> List[str]:
    """Return the host's paths of the files; none where there is no such directory.

    Raises Undecidable for what is no regular file: GRUB fails to open it, and then leaves out what happens to follow it
    on the disk.
    """
    spot = _look(run, directory)
    names = run.machine.disk.names(spot) if spot.kind is FileKind.DIRECTORY else []
    found = [name for name in names if name.endswith(".conf")]
    for name in found:
        if _look(run, directory + "/" + name).kind is not FileKind.FILE:
            raise Undecidable("blscfg: {}/{} is no regular file".format(spot.path, name))
    return [spot.path + "/" + name for name in found]


def _look(run: Interpreter, path: str) -> Spot:
    spot = run.machine.look(path)
    if spot.kind is FileKind.UNKNOWN:
        raise Undecidable("blscfg: {}".format(spot.obstacle))
    return spot


def parse(text: str) -> Dict[str, List[str]]:
    """Return the values of each key, in order, up to the first line that GRUB would stop at."""
    fields: Dict[str, List[str]] = {}
    for line in text.split("\n"):
        key, value = _split(line.lstrip(" \t"))
        if key.startswith("#"):
            continue
        if not value:
            break
        fields.setdefault(key, []).append(value)
    return fields


def _split(line: str) -> Tuple[str, str]:
    key = line.replace("\t", " ").partition(" ")[0]
    return key, line[len(key) :].lstrip(" \t")


def _script(fragment: Fragment, variables: Dict[str, str]) -> str:
    """Write the script that GRUB makes of a file; its values go into it as they are."""
    fields = fragment.fields
    save = variables.get(SAVE_DEFAULT, "")
    if is_unknown(save):
        raise Undecidable("the value of {}".format(SAVE_DEFAULT))
    options: Optional[str] = expand(fields["options"][0], variables) if "options" in fields else None
    lines = ["savedefault"] if save not in _NO else []
    lines.append("linux {} {}".format(fields["linux"][0], options or ""))
    if "initrd" in fields:
        lines.append("initrd " + " ".join(fields["initrd"]))
    if "devicetree" in fields:
        lines.append("devicetree")
    return "\n".join(lines)
