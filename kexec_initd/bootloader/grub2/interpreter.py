"""Runs GRUB script on a Machine: statements, expansion of words, functions; the commands are in `commands`.

Every loop, every call and every step is bounded. A condition with an unknown value is run both ways.
"""

import re
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from kexec_initd.bootloader import Source
from kexec_initd.bootloader.grub2 import lexer
from kexec_initd.bootloader.grub2.disk import expand_glob
from kexec_initd.bootloader.grub2.machine import COPIED, READ, Function, Machine, MenuShown
from kexec_initd.bootloader.grub2.modules import has_command
from kexec_initd.bootloader.grub2.script import GrubScript
from kexec_initd.bootloader.grub2.statements import Block, Command, For, If, Node, While
from kexec_initd.bootloader.grub2.statements import FunctionDefinition as Definition
from kexec_initd.bootloader.grub2.values import Undecidable, is_unknown, shown, unknown, why_unknown

MAX_DEPTH = 60
BUILT_IN = ("insmod", "ls", "set", "unset")  # command.lst does not name them all
TAKING_BLOCKS = ("menuentry", "submenu", "hiddenentry")
_SPACE = re.compile(r"[ \t\n\v\f\r]+")

Status = Optional[bool]
Action = Callable[["Interpreter", List[str], Command], Status]
Actions = Dict[str, Action]


class Leave(Exception):
    """`break`, `continue` or `return` on its way out; `count` loops to leave, 0 for a function."""

    def __init__(self, count: int, again: bool = False, status: Status = True) -> None:
        super().__init__(count)
        self.count = count
        self.again = again
        self.status = status


class Interpreter:
    """Runs the statements of one script; functions and sourced files get an interpreter of their own."""

    def __init__(self, machine: Machine, script: GrubScript, actions: Actions) -> None:
        self.machine = machine
        self.actions = actions
        self.script = script
        self.loops = 0
        self.status: Status = True

    def run(self, block: Block) -> Status:
        """Run statements in order; the status is that of the last one."""
        if self.machine.depth >= MAX_DEPTH:
            raise Undecidable("scripts and functions are nested too deep")
        self.machine.budget.spend(len(block))
        self.machine.depth += 1
        status: Status = True
        try:
            for node in block:
                status = self.status = self._run_command(node) if isinstance(node, Command) else self._run_other(node)
        finally:
            self.machine.depth -= 1
        return status

    def source(self, node: Node) -> Source:
        """Return where a statement stands."""
        return self.script.source(node.line)

    def _run_other(self, node: Node) -> Status:
        if isinstance(node, If):
            return self._run_if(node, 0)
        if isinstance(node, For):
            return self._run_for(node)
        if isinstance(node, While):
            return self._run_while(node)
        if isinstance(node, Definition):
            self.machine.functions[node.name] = Function(self.script, node.body)
        return self.status

    def _run_command(self, node: Command) -> Status:
        arguments = self.expand(node.words)
        invert = bool(arguments) and arguments[0] == "!"
        if invert:
            del arguments[0]
        if not arguments:
            return self.status
        if node.block is not None and arguments[0] not in TAKING_BLOCKS:
            # GRUB passes its text on as one more word, which the parser has not kept.
            raise Undecidable("a block in braces behind {}".format(shown(arguments[0])))
        name = arguments.pop(0)
        action = self._find_action(name)
        if action is None and name not in self.machine.functions:
            return self._call_nothing(name, node)  # `!` makes no difference then
        status = action(self, arguments, node) if action else self._call_function(name, arguments)
        return status if not invert else None if status is None else not status

    def _find_action(self, name: str) -> Optional[Action]:
        """Return what a command does; None for a function, which may have the name of a command of another GRUB."""
        is_absent = name in self.machine.functions and name not in BUILT_IN and has_command(self.machine, name) is False
        return None if is_absent else self.actions.get(name)

    def _call_nothing(self, name: str, node: Command) -> Status:
        """Take what is neither a command nor a function: GRUB makes an assignment of a word with `=`."""
        variable, equals, value = name.partition("=")
        if is_unknown(variable):
            raise Undecidable("the command {}".format(shown(name)))
        if equals:
            self.assign(variable, value, node)
            return True
        if has_command(self.machine, name) is False:
            return True
        self.machine.fail("the command {}".format(shown(name)[:40]))
        if not self.machine.in_entry:
            self.machine.problems.append(("what the command {} does is not known".format(name[:40]), self.source(node)))
        return None

    def assign(self, name: str, value: str, node: Command) -> None:
        """Set a variable, and remember where the value comes from: from there on, if it is another's whole value."""
        word = node.words[-1]
        parts = [] if isinstance(word, str) else [part for part in word if part != (lexer.QUOTED, "")]
        names = [text for kind, text in parts if kind in (lexer.VARIABLE, lexer.QUOTED_VARIABLE)]
        origin = self.machine.sources.get(names[0]) if len(names) == 1 else None
        self.machine.sources[name] = origin or self.source(node)
        self.machine.set(name, value)

    def _call_function(self, name: str, arguments: List[str]) -> Status:
        function = self.machine.functions[name]
        if function is None:
            raise Undecidable("which function {} is".format(name))
        outer, self.machine.parameters = self.machine.parameters, arguments
        try:
            return Interpreter(self.machine, function.script, self.actions).run_body(function.body)
        finally:
            self.machine.parameters = outer

    def run_body(self, block: Block) -> Status:
        """Run the body of a function or an entry; a `return` ends it."""
        try:
            return self.run(block)
        except Leave as leave:
            return leave.status

    def _run_if(self, node: If, branch: int) -> Status:
        while branch < len(node.branches):
            condition, body = node.branches[branch]
            status = self.run(condition)
            if status is None:
                return self._fork(node, branch)
            if status:
                return self.run(body)
            branch += 1
        return self.run(node.otherwise)

    def _fork(self, node: If, branch: int) -> Status:
        """Try both ways from here; entries that only one of them adds may be in the menu or not."""
        machine, reason = self.machine, self._reason(node.branches[branch][0])
        parameters, start = machine.parameters, len(machine.items)
        before = machine.save()
        try:
            first = self.run(node.branches[branch][1])
            taken, added = machine.save(), machine.items[start:]
            del machine.items[start:]
            machine.restore(before)
            second = self._run_if(node, branch + 1)
        except (Leave, MenuShown):
            raise Undecidable("whether this is left depends on {}".format(reason))
        added += machine.items[start:]
        machine.items[start:] = [item._replace(certain=False) for item in added]
        machine.merge(taken, reason)
        machine.parameters = parameters
        return first if first == second else None

    def _reason(self, condition: Block) -> str:
        """Name what a condition depends on: an unknown value in it, else its command."""
        last = condition[-1]
        if not isinstance(last, Command):
            return "a condition"
        words = self.expand(last.words) or ["nothing"]
        reasons = [why_unknown(word) for word in words if is_unknown(word)]
        # A device without a name is marked by its mount point, see Volumes; that is no reason.
        named = [reason for reason in reasons if not reason.startswith("/")]
        return (named or ["the-result-of-" + shown(words[0])])[0]

    def _run_for(self, node: For) -> Status:
        status: Status = True
        values = self.expand(node.words)
        if any(is_unknown(value) for value in values):
            raise Undecidable("a loop over {}".format(shown(" ".join(values))[:60]))
        for value in values:
            self.machine.set(node.name, value)
            status, done = self._round(node.body, status)
            if done:
                break
        return status

    def _run_while(self, node: While) -> Status:
        status: Status = True
        while True:
            self.machine.budget.spend(1)
            going = self.run(node.condition)
            if going is None:
                raise Undecidable("a loop whose condition is not known")
            if going == node.until:
                return status
            status, done = self._round(node.body, status)
            if done:
                return status

    def _round(self, body: Block, status: Status) -> Tuple[Status, bool]:
        """Run a loop's body once; tell whether the loop is then over."""
        self.loops += 1
        try:
            return self.run(body), False
        except Leave as leave:
            if leave.count == 0 or (leave.count > 1 and self.loops > 1):
                leave.count = max(leave.count - 1, 0)
                raise
            return status, not leave.again
        finally:
            self.loops -= 1

    def expand(self, words: Sequence[lexer.Word]) -> List[str]:
        """Return the arguments that `words` are with the variables' values."""
        arguments: List[str] = []
        for word in words:
            if isinstance(word, str):
                arguments.append(word)
            else:
                self._expand_word(word, arguments)
        self.machine.budget.spend(len(words) // COPIED + sum(map(len, arguments)) // READ)
        return arguments

    def _expand_word(self, word: Tuple[lexer.Part, ...], arguments: List[str]) -> None:
        current: Optional[str] = None
        pattern = False
        for kind, text in word:
            if kind == lexer.VARIABLE:
                values = [piece for value in self._values(text, False) for piece in _split(value)]
                pattern = pattern or any("*" in value or "?" in value for value in values)
            elif kind == lexer.QUOTED_VARIABLE:
                values = self._values(text, True) or [""]
            else:
                values = [text]
                pattern = pattern or kind == lexer.GLOB
            for number, value in enumerate(values):
                if number and current is not None:
                    arguments.append(current)
                    current = None
                current = (current or "") + value
        if current is not None:
            self.machine.budget.spend(len(current) // 64)
            arguments.append(self._glob(current) if pattern else current)

    def _values(self, name: str, quoted: bool) -> List[str]:
        """Return the value of a variable, or the parameters that a special one stands for."""
        if name == "?":
            return [unknown("the-last-status") if self.status is None else "0" if self.status else "1"]
        if name not in ("#", "*", "@") and not name.isdigit():
            value = self.machine.variables.get(name)
            return [value] if value else []
        parameters = self.machine.parameters
        if parameters is None:
            return [""]
        if name.isdigit():
            position = int(name[:9])
            return parameters[position - 1 : position] if position else []
        if name == "#":
            return [str(len(parameters))]
        return [" ".join(parameters)] if name == "*" and quoted else list(parameters)

    def _glob(self, pattern: str) -> str:
        machine = self.machine
        relative = bool(machine.variables.get("btrfs_relative_path"))
        found = expand_glob(machine.disk, pattern, machine.variables.get("root"), relative)
        if found is None:
            return pattern
        if "regexp" not in machine.modules:
            raise Undecidable("whether {} is taken for a pattern".format(shown(pattern)))
        return found


def _split(value: str) -> List[str]:
    return [piece for piece in _SPACE.split(value) if piece]
