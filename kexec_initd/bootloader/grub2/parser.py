"""GRUB script as statements, by the grammar that GRUB has: no pipes, no `&&`, no empty blocks.

GRUB reads a line, and more as long as a block or a quote is open, before it runs what it has read. Where that is no
script, all of it up to the end of the line with the mistake is lost, and the next line begins anew: the rest of a block
is then run as if it stood alone (grub_script_parse() and yywrap in grub-core/script).
"""

import re
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple, TypeVar

from kexec_initd.bootloader.grub2.lexer import END_OF_LINE, MAX_TOKENS, Lexer, Token, Tokens, Word
from kexec_initd.bootloader.grub2.statements import Block, Command, For, FunctionDefinition, If, Node, While

MAX_DEPTH = 30
MAX_REJECTED = 1000
MAX_TAKEN = 2 * MAX_TOKENS  # where lines are taken apart anew behind mistakes
QUOTES = ("'", '"', '$"')
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
END = Token("", None)
RESERVED = "case do done elif else esac fi for if in select then until while function [[ ]]"
Value = TypeVar("Value")


class Rejected(Exception):
    """What GRUB would not take as a script, or, with `limit`, what is too much for us: the reason and where it stands."""

    def __init__(self, reason: str, line: int, limit: bool = False) -> None:
        super().__init__(reason, line)
        self.reason = reason
        self.line = line
        self.limit = limit


class Parsed(NamedTuple):
    """The statements that GRUB runs, the first part that it rejects, and where we gave up (None: nowhere)."""

    block: Block
    rejected: Optional[Rejected]
    limit: Optional[Rejected] = None


class Place(NamedTuple):
    """The beginning of a line: its offset in the text, and its number."""

    offset: int
    line: int


def parse(text: str, lexer: Lexer, recover: bool = True) -> Parsed:
    """Return the statements of `text`; the lexer remembers it, and the lines of all scripts that belong together.

    Without `recover` they end at the first mistake, as those of `eval` and of the body of an entry do.
    """
    found = lexer.scripts.get((text, recover))
    if not isinstance(found, Parsed):
        found = lexer.scripts[text, recover] = _parse(text, lexer, recover)
    return found


def _parse(text: str, lexer: Lexer, recover: bool) -> Parsed:
    statements: List[Node] = []
    first: Optional[Rejected] = None
    place: Optional[Place] = Place(0, 1)
    left, taken = MAX_REJECTED if recover else 1, 0
    while place is not None:
        parser = _Parser(lexer.tokenize(text, place.offset, place.line))
        taken += parser.size
        while parser.has_more():
            try:
                statements += parser.unit()
            except Rejected as rejected:
                first = first or rejected
                statements += parser.functions
                left -= 1
                if recover and (left == 0 or taken > MAX_TAKEN):
                    rejected = Rejected("too many lines that are no script", rejected.line, True)
                if rejected.limit:
                    return Parsed(tuple(statements), first, rejected)
                if left == 0 or not parser.pass_over():
                    break
        place = _line_behind(text, place, parser.resume_at) if left else None
    return Parsed(tuple(statements), first)


def _line_behind(text: str, place: Place, line: Optional[int]) -> Optional[Place]:
    """Return the beginning of the line with a number, counted from an earlier one; None where there is none."""
    if line is None:
        return None
    offset = place.offset
    for _ in range(line - place.line):
        offset = text.find("\n", offset) + 1
        if offset == 0:
            return None
    return Place(offset, line)


class _Parser:
    """Recursive descent, one method for each rule of the grammar."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens.tokens + [END]
        self._lines = tokens.lines + tokens.lines[-1:]
        self.size = len(self._lines)
        self._at = 0
        self._depth = 0
        self.functions: List[Node] = []  # of the unit: GRUB defines them while it parses
        self.resume_at: Optional[int] = None  # the line from which on the text has to be taken apart anew
        self._reserved = frozenset(RESERVED.split())
        self._rules: Dict[str, Callable[[], Node]] = {
            "if": self._if,
            "for": self._for,
            "while": self._while,
            "until": self._while,
        }

    def at_end(self) -> bool:
        return self._tokens[self._at] is END

    def has_more(self) -> bool:
        self.skip_lines()
        return not self.at_end()

    def unit(self) -> List[Node]:
        """Take the statements of a line, with the lines that its blocks go on in."""
        self._depth, self.functions = 0, []
        found: List[Node] = []
        while True:
            is_function = self._tokens[self._at].text == "function"
            found.append(self._deeper(self._function) if is_function else self.statement())
            self.functions += found[-1:] if is_function else []
            if self._tokens[self._at].text != ";":
                break
            self._at += 1
            if self._tokens[self._at] is END_OF_LINE or self.at_end():
                break
        if not self.skip_lines() and not self.at_end():
            raise self._rejected("the end of the line")
        return found

    def pass_over(self) -> bool:
        """Go to the line behind a mistake; false where the text has to be taken apart anew, from `resume_at` on."""
        first = self._at
        while first > 0 and self._tokens[first - 1] is not END_OF_LINE:
            first -= 1
        begun = self._tokens[first : self._at + 1]
        mistake = begun[-1]
        behind = self._at + 1
        while self._tokens[behind - 1] is not END and self._tokens[behind - 1] is not END_OF_LINE:
            behind += 1
        ahead = self._tokens[self._at + 1 : behind]
        if mistake.bad or any("\n" in token.text for token in ahead if token is not END_OF_LINE):
            # A quote that nothing closes goes on to the end of the text.
            is_open = mistake.bad and mistake.text in QUOTES
            lines = sum(token.text.count("\n") for token in begun if token is not END_OF_LINE)
            self.resume_at = None if is_open else self._lines[self._at] + lines + 1
            return False
        self._at = min(behind, len(self._tokens) - 1)
        return True

    def _next(self) -> Token:
        token = self._tokens[self._at]
        if token is not END:
            self._at += 1
        return token

    def _rejected(self, wanted: str) -> Rejected:
        token = self._tokens[self._at]
        found = token.bad or ("the end of the file" if token is END else repr(token.text[:40]))
        return Rejected("{} where {} should be".format(found, wanted), self._lines[self._at], token.limit)

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
        """Take a command; a function is none, and can only be defined outside of any block."""
        token = self._tokens[self._at]
        if token.word is not None and token.text not in self._reserved:
            return self._command()
        if token.word is None or token.text not in self._rules:
            raise self._rejected("a command")
        return self._deeper(self._rules[token.text])

    def _deeper(self, rule: Callable[[], Value]) -> Value:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            reason = "more than {} levels of nesting".format(MAX_DEPTH)
            raise Rejected(reason, self._lines[self._at], limit=True)
        found = rule()
        self._depth -= 1
        return found

    def _block(self, *ends: str) -> Block:
        """Commands up to one of the words `ends`, which is left; at least one."""
        self.skip_lines()
        found = [self.statement()]
        while True:
            if not self.skip_lines():
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
            block = self._deeper(lambda: self._block("}"))
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

    def _function(self) -> FunctionDefinition:
        line = self._lines[self._at]
        self._at += 1
        name = self._name()
        self.skip_lines()
        self._expect("{")
        body = self._block("}")
        if self._tokens[self._at - 1].text not in (";", "\n"):
            raise self._rejected("the end of the line")
        self._expect("}")
        return FunctionDefinition(name, body, line)
