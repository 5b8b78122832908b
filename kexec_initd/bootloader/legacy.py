"""GRUB legacy (0.9x): menu.lst, or grub.conf as RHEL calls it, with the saved default beside it.

See the GNU GRUB Manual 0.97, "Commands". The kernel gets what follows its path on the line, with tabs as spaces and
nothing added: there is no BOOT_IMAGE. Which entries are this system's is decided in `legacy_partition`.
"""

import re
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Set, Tuple, Union

from kexec_initd.boot_entry import BootEntry
from kexec_initd.bootloader import Menu, Offered, Source
from kexec_initd.bootloader.legacy_partition import Claim, find_obstacles, find_root
from kexec_initd.bootloader.legacy_search import CONFIGS
from kexec_initd.errors import Refused
from kexec_initd.system.sysroot import Tree, not_linux

LOADER = "grub-legacy"
OWN_PARTITION = re.compile(r"^# *groot=(\S+)", re.MULTILINE)
COMMAND = re.compile(r"([^ =]*)[ =]*(.*)", re.DOTALL)
KERNEL_OPTION = re.compile(r"(--type=(?P<type>\S*)|--no-mem-option)\S* *")
DEVICE = re.compile(r"\(([^)]*)\)(.*)", re.DOTALL)
NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]{1,9}")
MAX_BYTES = 1024 * 1024
MAX_ENTRIES = 10000
LONGEST = 1500  # NEW_HEAPSIZE: the loader cuts longer lines
LINUX_TYPES = (None, "linux", "biglinux")
HARMLESS = frozenset(
    ("savedefault", "makeactive", "quiet", "boot", "color", "splashimage", "fallback", "default", "timeout")
)
OBSTACLES = {
    "chainloader": "it starts another boot loader",
    "configfile": "it leads to another menu",
    "module": "it loads modules, as Xen and other multiboot kernels do",
    "modulenounzip": "it loads modules, as Xen and other multiboot kernels do",
    "lock": "it is locked with a password",
    "password": "it is locked with a password",
    "pause": "it waits for a key",
    "halt": "it powers off",
    "reboot": "it reboots",
    "find": "it searches for its partition",
}


class MenuCommand(NamedTuple):
    """One line: what it says, and where."""

    name: str
    argument: str
    line: int


class Wanted(NamedTuple):
    """The result of an entry's commands: its files as the loader names them, or what stands in the way."""

    partition: str
    kernel: str
    initrds: Tuple[str, ...]
    cmdline: str
    obstacle: Optional[str]


class MenuEntry(NamedTuple):
    """An entry of the menu; `fails` when the loader cannot boot it either, and goes on to the fallback."""

    offered: Offered
    wanted: Wanted
    fails: bool


def read_menu(tree: Tree) -> Optional[Menu]:
    """Return GRUB legacy's menu; None where it is not configured. Raises Refused."""
    files = {tree.resolve(path): path for path in reversed(CONFIGS) if tree.is_file(path)}
    paths = sorted(files.values())
    if len(paths) > 1:
        return Menu(LOADER, (), "there are both {} and {}".format(paths[0], paths[1]))
    if not paths:
        return None
    text = tree.read_text(paths[0], MAX_BYTES) or ""
    head, entries = split_entries(list(commands(text)))
    own = OWN_PARTITION.search(text)
    if len(entries) > MAX_ENTRIES:
        raise Refused("{} has more than {} entries".format(paths[0], MAX_ENTRIES))
    wanted = [gather(body) for _, body in entries]
    claims = [Claim(entry.partition, find_root(entry.cmdline)) for entry in wanted]
    strange = find_obstacles(tree, own.group(1).strip("()") if own else None, claims)
    choices = []
    for number, ((title, _), entry, obstacle) in enumerate(zip(entries, wanted, strange)):
        choices.append(offer(tree, Source(Path(paths[0]), title.line), number, title, entry, obstacle))
    bodies = [body for _, body in entries]
    return with_default(tree, Path(paths[0]), head, choices, bodies)


def commands(text: str) -> Iterator[MenuCommand]:
    """Return the lines that say something; a backslash at the end of one joins it to the next."""
    parts: List[str] = []
    first = 0
    for number, line in enumerate(text.replace("\r", "").replace("\t", " ").split("\n"), 1):
        first = first if parts else number
        if line.endswith("\\"):
            parts += [line[:-1] + " "] if parts or line[:-1].strip(" ") else []
            continue
        stripped = "".join(parts + [line]).lstrip(" ").split("\0")[0]
        parts = []
        found = COMMAND.match(stripped)
        if found and stripped and not stripped.startswith("#"):
            yield MenuCommand(found.group(1), found.group(2), first)


def split_entries(lines: List[MenuCommand]) -> Tuple[List[MenuCommand], List[Tuple[MenuCommand, List[MenuCommand]]]]:
    """Return what stands before the first title, and each title with its commands; a title without any is none."""
    head: List[MenuCommand] = []
    entries: List[Tuple[MenuCommand, List[MenuCommand]]] = []
    for command in lines:
        if command.name == "title":
            entries.append((command, []))
        elif entries:
            entries[-1][1].append(command)
        else:
            head.append(command)
    return head, [entry for entry in entries if entry[1]]


def gather(body: List[MenuCommand]) -> Wanted:
    """Run an entry's commands, as far as they name files."""
    partition, kernel, cmdline, obstacle = "", "", "", None
    initrds: List[str] = []
    for name, argument, _ in body:
        if name in ("root", "rootnoverify", "uuid"):
            partition = argument.split(" ")[0].strip("()")
        elif name == "kernel":
            kernel, cmdline, problem = parse_kernel(argument)
            obstacle = obstacle or problem
        elif name == "initrd":
            initrds.append(argument.rstrip(" "))
        elif name not in HARMLESS:
            obstacle = obstacle or OBSTACLES.get(name, "it has the command {}, which is not known here".format(name))
    found = [DEVICE.match(path) for path in [kernel] + initrds]
    partitions = {match.group(1) if match else partition for match in found}
    plain = [match.group(2) if match else path for match, path in zip(found, [kernel] + initrds)]
    obstacle = obstacle or what_is_odd(plain[0], initrds, partitions, body)
    return Wanted(
        partitions.pop() if len(partitions) == 1 else partition, plain[0], tuple(plain[1:]), cmdline, obstacle
    )


def parse_kernel(argument: str) -> Tuple[str, str, Optional[str]]:
    """Return path and command line of a kernel command, and what speaks against it."""
    obstacle = None
    option = KERNEL_OPTION.match(argument)
    while option:
        if option.group("type") not in LINUX_TYPES:
            obstacle = "it starts a kernel of type {}".format(option.group("type"))
        argument = argument[option.end() :]
        option = KERNEL_OPTION.match(argument)
    path, _, rest = argument.partition(" ")
    return path, rest.lstrip(" "), obstacle


def what_is_odd(kernel: str, initrds: List[str], partitions: Set[str], body: List[MenuCommand]) -> Optional[str]:
    """Say what in an entry the loader takes in a way that is not followed here."""
    if not kernel:
        return "it starts no kernel"
    if not_linux(kernel):
        return not_linux(kernel)
    if len(initrds) > 1 or any(" " in path for path in initrds):
        return "it has several initrds, of which the loader takes one"
    if len(partitions) > 1:
        return "it takes its files from several partitions"
    if any(len(command.argument) > LONGEST for command in body):
        return "it has a line of more than {} bytes".format(LONGEST)
    return None


def offer(
    tree: Tree, source: Source, number: int, title: MenuCommand, wanted: Wanted, strange: Optional[str]
) -> MenuEntry:
    """Find an entry's files on the host; `strange` says why they are not this system's."""
    name, place = title.argument.strip(" "), str(number)
    obstacle = wanted.obstacle or strange
    if obstacle is not None:
        return MenuEntry(Offered(name, place, place, obstacle, source), wanted, False)
    located = [tree.locate(path, "/boot") for path in (wanted.kernel,) + wanted.initrds]
    missing = next((file.obstacle for file in located if file.obstacle), None)
    entry = BootEntry(name, place, located[0].path, tuple(file.path for file in located[1:]), wanted.cmdline)
    return MenuEntry(Offered(name, place, place, missing or entry, source), wanted, missing is not None)


def with_default(
    tree: Tree, config: Path, head: List[MenuCommand], choices: List[MenuEntry], bodies: List[List[MenuCommand]]
) -> Menu:
    """Take the default as the loader does: it, or a fallback for one that is not there or does not boot."""
    offered = tuple(choice.offered for choice in choices)
    index, source = find_default(tree, config, head)
    if isinstance(index, str):
        return Menu(LOADER, offered, index, source)
    if not offered:
        return Menu(LOADER, offered, "{} has no entries".format(config), source)
    fallbacks = [(number, line) for number, line in find_fallbacks(head) if number < len(choices)]
    if index >= len(choices):
        index, line = fallbacks.pop(0) if fallbacks else (0, source.line)
        source = Source(config, line)
    first = index, source
    while choices[index].fails and fallbacks:
        index, line = fallbacks.pop(0)
        source = Source(config, line)
    if choices[index].fails:
        index, source = first
    if any(command.name == "savedefault" and command.argument.strip(" ") for command in bodies[index]):
        problem = "the entry {} makes another one the default when it boots".format(offered[index].title)
        return Menu(LOADER, offered, problem, source)
    return Menu(LOADER, offered, index, source)


def find_default(tree: Tree, config: Path, head: List[MenuCommand]) -> Tuple[Union[int, str], Source]:
    """Return the number of the default entry, or why it is unknown, and where that stands."""
    given = [command for command in head if command.name == "default"]
    if not given:
        return 0, Source(config, 0)
    value, source = given[-1].argument.strip(" "), Source(config, given[-1].line)
    if value == "saved":
        saved = config.parent / "default"
        text = tree.read_text(str(saved)) or ""
        found = NUMBER.match(text)
        return to_number(found.group()) if found else 0, Source(saved, 1)
    if not NUMBER.fullmatch(value):
        return "the default {} is not a number".format(value), source
    return to_number(value), source


def to_number(text: str) -> int:
    """Return what NUMBER has matched as a number."""
    return int(text, 16 if text[1:2] in ("x", "X") else 10)


def find_fallbacks(head: List[MenuCommand]) -> List[Tuple[int, int]]:
    """Return the entries of the last fallback command, as numbers with the line that they stand in."""
    given = [command for command in head if command.name == "fallback"]
    words = given[-1].argument.split() if given else []
    return [(to_number(word), given[-1].line) for word in words if NUMBER.fullmatch(word)]
