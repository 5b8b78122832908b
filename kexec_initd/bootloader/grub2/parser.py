"""GRUB script as statements, by the grammar that GRUB has: no pipes, no `&&`, no empty blocks.

A line that GRUB would reject it would pass over; what the rest then means is not guessed at, reading ends there.
"""

import re
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple, Union

from kexec_initd.bootloader.grub2.lexer import END_OF_LINE, Lexer, Token, Tokens, Word

MAX_DEPTH = 30
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
END = Token("", None)
RESERVED = "case do done elif else esac fi for if in select then until while function [[ ]]"


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


class Function(NamedTuple):
    """The definition of a function."""

    name: str
    body: Tuple["Node", ...]
    line: int


Node = Union[Command, If, For, While, Function]
Block = Tuple[Node, ...]


class Rejected(Exception):
    """What GRUB would not take as a script: the reason and where it stands."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason, line)
        self.reason = reason
        self.line = line


class Parsed(NamedTuple):
    """The statements of a script up to the first that GRUB would reject, if there is one."""

    block: Block
    rejected: Optional[Rejected]


def parse(text: str, lexer: Lexer) -> Parsed:
    """Return the statements of `text`; the lexer remembers the lines of all scripts that belong together."""
    parser = _Parser(lexer.tokenize(text))
    statements: List[Node] = []
    try:
        parser.skip_lines()
        while not parser.at_end():
            statements.append(parser.statement())
            parser.delimiters(required=True)
    except Rejected as rejected:
        return Parsed(tuple(statements), rejected)
    return Parsed(tuple(statements), None)


class _Parser:
    """Recursive descent, one method for each rule of the grammar."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens.tokens + [END]
        self._lines = tokens.lines + tokens.lines[-1:]
        self._at = 0
        self._depth = 0
        self._reserved = frozenset(RESERVED.split())
        self._rules: Dict[str, Callable[[], Node]] = {
            "if": self._if,
            "for": self._for,
            "while": self._while,
            "until": self._while,
            "function": self._function,
        }

    def at_end(self) -> bool:
        return self._tokens[self._at] is END

    def _next(self) -> Token:
        token = self._tokens[self._at]
        if token is not END:
            self._at += 1
        return token

    def _rejected(self, wanted: str) -> Rejected:
        token = self._tokens[self._at]
        found = token.bad or ("the end of the file" if token is END else repr(token.text[:40]))
        return Rejected("{} where {} should be".format(found, wanted), self._lines[self._at])

    def _expect(self, text: str) -> None:
        if self._tokens[self._at].text != text or self._tokens[self._at].bad:
            raise self._rejected(repr(text))
        self._at += 1

    def _name(self) -> str:
        token = self._tokens[self._at]
        if not NAME.match(token.text) or token.text in self._reserved:
            raise self._rejected("a name")
        return self._next().text

    def skip_lines(self) -> bool:
        start = self._at
        while self._tokens[self._at] is END_OF_LINE:
            self._at += 1
        return self._at > start

    def delimiters(self, required: bool) -> None:
        if self._tokens[self._at].text == ";":
            self._at += 1
            self.skip_lines()
        elif not self.skip_lines() and required and not self.at_end():
            raise self._rejected("the end of the line")

    def statement(self) -> Node:
        token = self._tokens[self._at]
        rule = self._rules.get(token.text)
        if token.word is None or (rule is None and token.text in self._reserved):
            raise self._rejected("a command")
        if rule is None:
            return self._command()
        self._deeper()
        node = rule()
        self._depth -= 1
        return node

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Rejected("more than {} levels of nesting".format(MAX_DEPTH), self._lines[self._at])

    def _block(self, *ends: str) -> Block:
        """Commands up to one of the words `ends`, which is left; at least one."""
        self.skip_lines()
        found = [self.statement()]
        while True:
            self.delimiters(required=self._tokens[self._at].text != "}" or "}" not in ends)
            if self._tokens[self._at].text in ends:
                return tuple(found)
            if self.at_end():
                raise self._rejected(repr(ends[-1]))
            found.append(self.statement())

    def _words(self) -> Tuple[Word, ...]:
        """Take every word up to an operator."""
        start = at = self._at
        tokens = self._tokens
        while tokens[at].word is not None:
            at += 1
        self._at = at
        words = tuple([token.word for token in tokens[start:at] if token.word is not None])
        for token in tokens[start:at] if "[[" in words or "]]" in words else ():
            if token.text in ("[[", "]]"):
                raise Rejected("{!r} is no word".format(token.text), self._lines[start])
        return words

    def _command(self) -> Command:
        line = self._lines[self._at]
        words = self._words()
        block = None
        if self._tokens[self._at].text == "{":
            self._at += 1
            self._deeper()
            block = self._block("}")
            self._depth -= 1
            self._expect("}")
        return Command(words, block, line)

    def _if(self) -> If:
        line = self._lines[self._at]
        self._at += 1
        branches = []
        while True:
            condition = self._block("then")
            self._expect("then")
            branches.append((condition, self._block("elif", "else", "fi")))
            if self._tokens[self._at].text != "elif":
                break
            self._at += 1
        otherwise: Block = ()
        if self._tokens[self._at].text == "else":
            self._at += 1
            otherwise = self._block("fi")
        self._expect("fi")
        return If(tuple(branches), otherwise, line)

    def _for(self) -> For:
        line = self._lines[self._at]
        self._at += 1
        name = self._name()
        self._expect("in")
        words = self._words()
        self.delimiters(required=True)
        self._expect("do")
        body = self._block("done")
        self._expect("done")
        return For(name, words, body, line)

    def _while(self) -> While:
        line = self._lines[self._at]
        until = self._next().text == "until"
        condition = self._block("do")
        self._expect("do")
        body = self._block("done")
        self._expect("done")
        return While(condition, body, until, line)

    def _function(self) -> Function:
        line = self._lines[self._at]
        self._at += 1
        name = self._name()
        self.skip_lines()
        self._expect("{")
        body = self._block("}")
        if self._tokens[self._at - 1].text not in (";", "\n"):
            raise self._rejected("the end of the line")
        self._expect("}")
        return Function(name, body, line)
