"""The state of a running GRUB script: variables, functions, the menu, what is to be booted; and how much it may still do.

A Machine does not run the script itself, see `interpreter`; it can be copied and compared, so that both ways of a
condition that only the boot loader can decide are tried, and what differs afterwards is unknown.
"""

from typing import Dict, List, NamedTuple, Optional, Set, Tuple, TypeVar

from kexec_initd.bootloader import Source
from kexec_initd.bootloader.grub2.disk import Disk, Spot
from kexec_initd.bootloader.grub2.lexer import Lexer
from kexec_initd.bootloader.grub2.script import GrubScript
from kexec_initd.bootloader.grub2.statements import Block
from kexec_initd.bootloader.grub2.values import Undecidable, unknown

MAX_VALUE = 1024 * 1024
MAX_READ = 64 * 1024 * 1024  # of all files together
MAX_ITEMS = 20000
COPIED = 32  # variables or words are copied in the time of a step
READ = 256  # characters of a command's words are looked at in the time of a step
Key = TypeVar("Key")
Value = TypeVar("Value")
Write = Tuple[str, str]  # path of an environment block, name of the variable


class Function(NamedTuple):
    """A function of the script, and where it was defined."""

    script: GrubScript
    body: Block


class Item(NamedTuple):
    """A line of the menu as the script defines it; its body runs when it is chosen."""

    title: str
    id: str
    parameters: Tuple[str, ...]
    submenu: bool
    unrestricted: bool
    certain: bool
    script: GrubScript
    body: Block
    line: int
    obstacle: Optional[str] = None


class BootState(NamedTuple):
    """The files that an entry has loaded so far; `obstacle` says why we cannot do the same, `gone` that GRUB could not either."""

    kernel: Optional[str] = None
    cmdline: str = ""
    initrds: Tuple[str, ...] = ()
    obstacle: Optional[str] = None
    gone: bool = False


class MenuShown(Exception):
    """Another configuration has taken over and shows its own menu, which `machine` holds."""

    def __init__(self, machine: "Machine", path: str) -> None:
        super().__init__(path)
        self.machine = machine
        self.path = path


class Budget:
    """How many steps all scripts together may still take."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._read: Set[str] = set()
        self._size = 0

    def read(self, path: str, size: int) -> None:
        """Allow more steps for what is in a file, the first time that it is read; then its reading takes some.

        Raises Undecidable where all files together are too large.
        """
        self._size += size
        if self._size > MAX_READ:
            raise Undecidable("the configuration is larger than {} bytes".format(MAX_READ))
        if path in self._read:
            self.spend(size // 16 + 20)
        else:
            self.steps += size // 8
        self._read.add(path)

    def spend(self, steps: int) -> None:
        """Take `steps` off. Raises Undecidable when there are none left."""
        self.steps -= steps
        if self.steps < 0:
            raise Undecidable("the configuration takes too many steps")


class MachineState(NamedTuple):
    """All of a Machine that a script changes."""

    variables: Dict[str, str]
    exported: Set[str]
    functions: Dict[str, Optional[Function]]
    modules: Set[str]
    sources: Dict[str, Source]
    writes: Dict[Write, Optional[str]]
    boot: BootState


class Machine:
    """The state of GRUB while it reads its configuration, or runs an entry."""

    def __init__(self, disk: Disk, budget: Budget, lexer: Lexer) -> None:
        self.disk = disk
        self.budget = budget
        self.lexer = lexer
        self.variables: Dict[str, str] = {}
        self.exported: Set[str] = set()
        self.functions: Dict[str, Optional[Function]] = {}
        self.modules: Set[str] = set()
        self.sources: Dict[str, Source] = {}
        self.writes: Dict[Write, Optional[str]] = {}
        self.loaded: Dict[str, str] = {}
        self.boot = BootState()
        self.items: List[Item] = []
        self.problems: List[Tuple[str, Source]] = []
        self.lost: Optional[Tuple[str, Source]] = None  # the first part of a script that GRUB rejects
        self.parameters: Optional[List[str]] = None
        self.in_entry = False
        self.depth = 0
        self.shown: Tuple[str, ...] = ()  # the configurations whose menus have led here

    def open(self, nested: bool) -> "Machine":
        """Return a machine that goes on from here without changing this one: in a submenu, if `nested`, or an entry.

        Into a submenu or another configuration only exported variables pass.
        """
        self.budget.spend(len(self.variables) // COPIED)
        new = Machine(self.disk, self.budget, self.lexer)
        names = self.exported & set(self.variables) if nested else self.variables
        new.variables = {name: self.variables[name] for name in names}
        new.exported = set(self.exported)
        new.functions = dict(self.functions)
        new.modules = self.modules
        new.sources = dict(self.sources)
        new.writes = dict(self.writes)
        new.loaded = self.loaded
        new.depth = self.depth
        new.lost = self.lost
        return new

    def look(self, path: str) -> Spot:
        """Find a file by GRUB's path."""
        self.budget.spend(2)
        return self.disk.look(path, self.variables.get("root"), bool(self.variables.get("btrfs_relative_path")))

    def set(self, name: str, value: str) -> None:
        """Set a variable; `root` loses its parentheses, as GRUB's own hook takes them off."""
        if len(value) > MAX_VALUE:
            raise Undecidable("the value of {} is too long".format(name))
        if name == "root" and value.startswith("("):
            value = value[1:].rstrip(")")
        self.variables[name] = value

    def fail(self, obstacle: str, gone: bool = False) -> None:
        """Note the first reason why this entry cannot be loaded by us."""
        if self.boot.obstacle is None:
            self.boot = self.boot._replace(obstacle=obstacle, gone=gone)

    def add(self, item: Item) -> None:
        """Add a line to the menu."""
        if len(self.items) >= MAX_ITEMS:
            raise Undecidable("the menu has more than {} entries".format(MAX_ITEMS))
        self.items.append(item)

    def save(self) -> MachineState:
        """Return a copy of what the script can change."""
        self.budget.spend(len(self.variables) // COPIED)
        return MachineState(
            dict(self.variables),
            set(self.exported),
            dict(self.functions),
            set(self.modules),
            dict(self.sources),
            dict(self.writes),
            self.boot,
        )

    def restore(self, state: MachineState) -> None:
        """Go back to a saved state, which is then this machine's own."""
        self.variables, self.exported, self.functions, self.modules, self.sources, self.writes, self.boot = state

    def merge(self, other: MachineState, reason: str) -> None:
        """Make unknown whatever is not here as in `other`."""
        for name in _differing(self.variables, other.variables):
            self.variables[name] = unknown(reason)
        for name in _differing(self.functions, other.functions):
            self.functions[name] = None
        for write in _differing(self.writes, other.writes):
            self.writes[write] = unknown(reason)
        for name in self.exported ^ other.exported:
            self.variables[name] = unknown(reason)
        self.exported |= other.exported
        self.modules &= other.modules
        if self.boot != other.boot:
            self.boot = BootState(obstacle="depends on what only GRUB knows: {}".format(reason))


def _differing(one: Dict[Key, Value], other: Dict[Key, Value]) -> List[Key]:
    """Return the keys whose values are not the same in both; one that is missing has the value None."""
    if one == other:
        return []
    return [key for key in {**one, **other} if one.get(key) != other.get(key)]
