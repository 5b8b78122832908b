"""`blscfg`, of the GRUB of Fedora, RHEL and openSUSE: entries after the Boot Loader Specification, from their files.

GRUB makes of each file in loader/entries a menu entry with a script of its own, in an order of its own: by name, version
and release of the file's name, the newest first. Its reading has peculiarities that are followed here: a file ends at
the first line that is no "key value", for one.

GRUB 2.14 has a command of the same name of its own, see `blsuki`. Which of them a host has is told by its modules.
"""

from typing import Dict, List, Optional, Tuple

from kexec_initd.bootloader.grub2 import blsuki
from kexec_initd.bootloader.grub2.disk import FileKind, Spot
from kexec_initd.bootloader.grub2.fragments import DIRECTORY, Fragment, expand, identity, item, newest_first, read_text
from kexec_initd.bootloader.grub2.interpreter import Interpreter, Status
from kexec_initd.bootloader.grub2.start import FEDORA, distribution
from kexec_initd.bootloader.grub2.statements import Command
from kexec_initd.bootloader.grub2.values import Undecidable
from kexec_initd.bootloader.versions import rpm_key

_TRIES = 10


def blscfg(run: Interpreter, arguments: List[str], node: Command) -> Status:
    """`blscfg`, and `bls_import` as Fedora's was called first: add an entry for each file, by the rules of its make."""
    if _is_upstream(run):
        return blsuki.blscfg(run, arguments, node)
    if arguments:
        raise Undecidable("blscfg with an argument")
    variables = run.machine.variables
    root, boot = variables.get("root", ""), variables.get("boot")
    if boot is not None and boot != root and variables.get("grub_platform") != "efi":
        raise Undecidable("blscfg with `boot` on another device than `root`")
    spot = _find(run, variables.get("blsdir"))
    if spot is None:
        return False
    paths = [spot.path + "/" + name for name in run.machine.disk.names(spot) if _is_fragment(name)]
    for path in newest_first(paths, lambda path: _order(identity(path))):
        fragment = Fragment(identity(path), path, parse(read_text(run, path)))
        if "linux" in fragment.fields:
            run.machine.add(item(run, fragment, _script(run, fragment, root)))
    return True


def _is_upstream(run: Interpreter) -> bool:
    """Tell whether `blscfg` is 2.14's own, by the module that grub-install has laid down, and not that of Fedora.

    Fedora's images for EFI hold all of their modules. Raises Undecidable where that does not say whose it is.
    """
    prefix = run.machine.variables.get("prefix", "")
    platforms = [name for name in run.machine.disk.names(run.machine.look(prefix)) if "-" in name]
    modules = [_has_module(run, prefix, platforms, name) for name in ("blsuki", "blscfg")]
    names = distribution(run.machine.disk.tree)
    is_fedora = any(name in FEDORA for name in names)
    if modules == [True, False] and not is_fedora and "suse" not in names:
        return True
    if modules == [False, True] or (modules == [False, False] and is_fedora):
        return False
    raise Undecidable("whose blscfg this GRUB has cannot be known")


def _has_module(run: Interpreter, prefix: str, platforms: List[str], name: str) -> bool:
    paths = ["{}/{}/{}.mod".format(prefix, platform, name) for platform in platforms]
    return any(run.machine.look(path).kind is FileKind.FILE for path in paths)


def _find(run: Interpreter, named: Optional[str]) -> Optional[Spot]:
    for directory in [named] if named else [DIRECTORY, "/boot" + DIRECTORY]:
        spot = run.machine.look(directory)
        if spot.kind is FileKind.UNKNOWN:
            raise Undecidable("blscfg: {}".format(spot.obstacle))
        if spot.kind is FileKind.DIRECTORY:
            return spot
    return None


def _is_fragment(name: str) -> bool:
    return name.endswith(".conf") and len(name) > len(".conf") and not name.startswith(".")


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
