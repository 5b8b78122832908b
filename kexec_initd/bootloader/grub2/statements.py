"""The statements that a GRUB script is made of."""

from typing import NamedTuple, Optional, Tuple, Union

from kexec_initd.bootloader.grub2.lexer import Word


class Command(NamedTuple):
    """A command with its arguments, and for an entry or a submenu its body."""

    words: Tuple[Word, ...]
    block: Optional[Tuple["Node", ...]]
    line: int


class If(NamedTuple):
    """`if` with each `elif`: condition and what is then done, in order."""

    branches: Tuple[Tuple[Tuple["Node", ...], Tuple["Node", ...]], ...]
    otherwise: Tuple["Node", ...]
    line: int


class For(NamedTuple):
    """`for NAME in WORDS`."""

    name: str
    words: Tuple[Word, ...]
    body: Tuple["Node", ...]
    line: int


class While(NamedTuple):
    """`while`, or `until` where `until` is set."""

    condition: Tuple["Node", ...]
    body: Tuple["Node", ...]
    until: bool
    line: int


class FunctionDefinition(NamedTuple):
    """The definition of a function."""

    name: str
    body: Tuple["Node", ...]
    line: int


Node = Union[Command, If, For, While, FunctionDefinition]
Block = Tuple[Node, ...]
