"""The modules that grub-install has laid down beside the configuration, and the list of the commands that they have.

GRUB looks up a word that it does not know in command.lst of its platform. One that is not there either is no command:
GRUB says so and goes on, with success (grub_script_execute_cmdline() in grub-core/script/execute.c).
"""

from typing import FrozenSet, List, Optional

from kexec_initd.bootloader.grub2.disk import FileKind
from kexec_initd.bootloader.grub2.machine import Machine
from kexec_initd.bootloader.grub2.values import is_unknown

MAX_BYTES = 1024 * 1024
X86 = ("i386", "x86_64")


def platforms(machine: Machine) -> List[str]:
    """Return the directories of modules in `prefix`: that of the platform that GRUB runs on, else all of them."""
    prefix = machine.variables.get("prefix", "")
    cpu, firmware = (machine.variables.get(name, "") for name in ("grub_cpu", "grub_platform"))
    found = [name for name in machine.disk.names(machine.look(prefix)) if "-" in name]
    ours = "{}-{}".format(cpu, firmware)
    return [prefix + "/" + name for name in ([ours] if ours in found else found)]


def is_x86(machine: Machine) -> bool:
    """Tell whether GRUB runs on an x86 processor; false where that is not known."""
    return machine.variables.get("grub_cpu") in X86


def has_command(machine: Machine, name: str) -> Optional[bool]:
    """Tell whether GRUB has the command `name`, by its lists; None where they do not tell."""
    if is_unknown(name):
        return None
    lists = [_commands(machine, directory) for directory in platforms(machine)]
    answers = {None if names is None else name in names for names in lists}
    return answers.pop() if len(answers) == 1 else None


def _commands(machine: Machine, directory: str) -> Optional[FrozenSet[str]]:
    path = directory + "/command.lst"
    if path not in machine.disk.commands:
        spot = machine.look(path)
        text = machine.disk.tree.read_text(spot.path, MAX_BYTES) if spot.kind is FileKind.FILE else None
        lines = [line.partition(":") for line in (text or "").split("\n")]
        names = frozenset(name.lstrip("*").strip() for name, colon, _ in lines if colon)
        machine.disk.commands[path] = names or None
    return machine.disk.commands[path]
