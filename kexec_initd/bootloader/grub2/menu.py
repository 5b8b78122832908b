"""GRUB's menu as a whole: its configuration is run, then every entry by itself, then the default is looked up."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Set, Tuple, Union

from kexec_initd.boot_entry import BootEntry
from kexec_initd.bootloader import Menu, Offered, Source
from kexec_initd.bootloader.grub2 import defaults, start
from kexec_initd.bootloader.grub2.commands import actions
from kexec_initd.bootloader.grub2.defaults import Level, MenuLine
from kexec_initd.bootloader.grub2.disk import Disk
from kexec_initd.bootloader.grub2.interpreter import Actions, Interpreter
from kexec_initd.bootloader.grub2.lexer import Lexer
from kexec_initd.bootloader.grub2.machine import BootState, Budget, Item, Machine, MenuShown
from kexec_initd.bootloader.grub2.saving import Write, plan_changes
from kexec_initd.bootloader.grub2.sources import enter, load_script, run_script
from kexec_initd.bootloader.grub2.values import Undecidable, shown
from kexec_initd.errors import Refused
from kexec_initd.system.sysroot import Tree

LOADER = "grub2"
MAX_LEVELS = 20
PASSWORD = "it asks for a password"
STEPS = 20000
CHOSEN = 1024  # characters of a position by names that take a step
WISHES = ("next_entry", "prev_saved_entry")


class GrubReading(NamedTuple):
    """The menu, and what GRUB would write before and while it boots the default."""

    menu: Menu
    writes: Tuple[Write, ...]


def read_menu(tree: Tree) -> Optional[Menu]:
    """Return what the host's GRUB 2 offers, what it would boot and change; None without a configuration.

    What cannot be understood makes the menu's `problem`, or the `obstacle` of an entry. Raises errors.Refused for files
    that cannot be read.
    """
    reading = read(tree)
    if reading is None or reading.menu.default is None:
        return reading.menu if reading else None
    try:
        return reading.menu._replace(changes=plan_changes(tree, reading.writes))
    except Refused as error:
        return reading.menu._replace(boots=str(error))


def read(tree: Tree) -> Optional[GrubReading]:
    """Return the menu, and what GRUB would write to its environment block; see read_menu."""
    try:
        config = tree.once(start.find_config)
    except Undecidable as error:
        return GrubReading(Menu(LOADER, (), str(error)), ())
    if config is None:
        return None
    run = _Run(tree, config)
    run.configure()
    return run.reading()


def _make_lexer(tree: Tree) -> Lexer:
    """Return what takes scripts apart, and remembers them: the next reading finds the same ones."""
    return Lexer(start.keeps_hexadecimal(tree))


class _Run:
    """One way through GRUB: the configuration, then its entries."""

    def __init__(self, tree: Tree, config: str) -> None:
        self._config = config
        self._fedora = start.is_fedora(tree)
        self._actions: Actions = actions()
        self._machine = Machine(Disk(tree), Budget(STEPS), tree.for_good(_make_lexer))
        self._machine.variables.update(start.variables(self._machine.disk, config))
        self._machine.exported.update(self._machine.variables)
        self._offered: List[Offered] = []
        self._gone: Set[int] = set()
        self._writes: Dict[int, Dict[Tuple[str, str], Optional[str]]] = {}

    def configure(self) -> None:
        """Run the configuration; what it leaves in the machine is the menu."""
        try:
            enter(self._machine, self._config)
            script = load_script(self._machine, self._config)
            if script is None:
                raise Undecidable("{} cannot be read".format(self._config))
            run_script(Interpreter(self._machine, script, self._actions), script)
        except Undecidable as error:
            self._machine.problems.append((str(error), Source(Path(self._config), 0)))
        except MenuShown as other:
            self._machine, self._config = other.machine, other.path

    def reading(self) -> GrubReading:
        """Run each entry, and choose."""
        machine = self._machine
        source = machine.sources.get("default", Source(Path(self._config), 0))
        try:
            found = self._find_booted(self._level(machine, "", ""))
            boots = _place(machine.lost, "the menu is empty") if found is None else found  # type: Union[int, str]
        except Undecidable as error:
            boots = str(error)
        writes = self._writes.get(boots, machine.writes) if isinstance(boots, int) else machine.writes
        one_shot = any(
            name in WISHES and machine.loaded.get(name) and value != machine.loaded[name]
            for (_, name), value in machine.writes.items()
        )
        menu = Menu(LOADER, tuple(self._offered), boots, source, isinstance(boots, int) and one_shot)
        return GrubReading(
            menu, tuple(Write(Path(path), name, value) for (path, name), value in sorted(writes.items()))
        )

    def _find_booted(self, level: Level) -> Optional[int]:
        """Return the index of the default, or of what GRUB falls back to when the default's kernel is missing."""
        index = defaults.find_default(level, self._machine.variables.get("default"), self._fedora)
        fallback = self._machine.variables.get("fallback", "")
        if index is None or index not in self._gone or not fallback:
            return index
        if self._fedora:
            raise Undecidable("the default's kernel is missing, and Fedora's GRUB does not always fall back")
        for position in defaults.fallbacks(level, fallback):
            found = defaults.find_default(level, str(position), False) if position < len(level.lines) else None
            if found is not None and found not in self._gone:
                return found
        return index

    def _level(self, machine: Machine, path: str, chosen: str) -> Level:
        """Run the entries of a menu or submenu; raises Undecidable when they are too many."""
        if path.count(">") > MAX_LEVELS:
            raise Undecidable("submenus are nested too deep")
        lines = []
        for number, item in enumerate(machine.items):
            where = "{}{}".format(path, number)
            names = chosen + item.id.replace(">", ">>")
            machine.budget.spend(len(names) // CHOSEN)
            inner = self._submenu(machine, item, where, names) if item.submenu else None
            lines.append(MenuLine(item.title, item.id, item.certain, len(self._offered), inner))
            if inner is None:
                self._offer(machine, item, where, names)
        return Level(tuple(lines), _told(machine))

    def _submenu(self, machine: Machine, item: Item, path: str, chosen: str) -> Level:
        inner = machine.open(nested=True)
        inner.exported.add("chosen")
        if "superusers" in machine.variables and not item.unrestricted:
            inner.problems.append((PASSWORD, item.script.source(item.line)))
        inner.shown = machine.shown
        try:
            inner.set("chosen", chosen)
            self._run_body(inner, item)
        except Undecidable as error:
            inner.problems.append((str(error), item.script.source(item.line)))
        except MenuShown as other:
            inner = _menu_in_menu(other, item.script.source(item.line))
        return self._level(inner, path + ">", chosen + ">")

    def _offer(self, machine: Machine, item: Item, path: str, chosen: str) -> None:
        inner = machine.open(nested=False)
        inner.in_entry = True
        if "superusers" in machine.variables and not item.unrestricted:
            inner.fail(PASSWORD)
        if item.obstacle is not None:
            inner.fail(item.obstacle)
        try:
            inner.set("chosen", chosen)
            self._run_body(inner, item)
        except Undecidable as error:
            inner.fail(str(error))
        boot = inner.boot
        if boot.gone:
            self._gone.add(len(self._offered))
        title, identity = shown(item.title), shown(item.id)
        self._writes[len(self._offered)] = inner.writes
        source = item.script.source(item.line)
        self._offered.append(Offered(title, identity, path, _boots(boot, title, identity), source))

    def _run_body(self, machine: Machine, item: Item) -> None:
        machine.parameters = list(item.parameters)
        Interpreter(machine, item.script, self._actions).run_body(item.body)
        machine.parameters = None


def _boots(boot: BootState, title: str, identity: str) -> Union[BootEntry, str]:
    """Return what an entry boots, or why it cannot be loaded."""
    if boot.obstacle is not None or boot.kernel is None:
        return boot.obstacle or "it loads no kernel"
    return BootEntry(title, identity, Path(boot.kernel), tuple(Path(initrd) for initrd in boot.initrds), boot.cmdline)


def _menu_in_menu(other: MenuShown, source: Source) -> Machine:
    """Return the menu of another configuration that a submenu shows: it has a default and a time limit of its own."""
    machine = other.machine
    if machine.shown.count(other.path) > 1:
        machine.items = []
    machine.problems.insert(0, ("the submenu shows the menu of {}".format(other.path), source))
    return machine


def _told(machine: Machine) -> Optional[str]:
    """Return the first problem of a menu, with the place where it arose."""
    return _place(machine.problems[0], "") if machine.problems else None


def _place(problem: Optional[Tuple[str, Source]], otherwise: str) -> str:
    """Return a problem with its place, `otherwise` for none."""
    if problem is None:
        return otherwise
    text, source = problem
    return "{}:{}: {}".format(source.path, source.line, text) if source.line else text
