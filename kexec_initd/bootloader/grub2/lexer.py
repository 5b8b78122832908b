"""GRUB script as words: quoting, variables, comments and the tokens between them.

See "Writing configuration files directly" in the manual of GNU GRUB. Where the manual is silent the behaviour of the
program decides: `#` begins a comment only where a word could begin, a line feed can be quoted.
"""

import itertools
import re
from typing import Dict, List, Match, NamedTuple, Optional, Tuple, Union

from kexec_initd.bootloader.grub2.values import HEXADECIMAL, Undecidable, unknown

MAX_TOKENS = 600000
MAX_WORD = 1024 * 1024
MAX_PIECES = 65536  # of a word
MAX_LINE = 65536
TEXT, GLOB, QUOTED, VARIABLE, QUOTED_VARIABLE = range(5)

Part = Tuple[int, str]
# A word without variables is its text; any other is the list of its parts.
Word = Union[str, Tuple[Part, ...]]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[?#*@]"
_DOUBLE = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_ONE = r"(?:[^{{}}|&$;<> \t\n'\"\\]+|{double}|'[^']*'|\\.|\$(?:{name}|\{{(?:{name})\}}|{double}))".format(
    double=_DOUBLE, name=_NAME
)
_ONE_PIECE = re.compile(_ONE, re.DOTALL)
_TOKEN = re.compile(
    r"[ \t]*(?:(?P<comment>\#[^\n]*|(?<=[ \t])\Z)|(?P<operator>\n|\|\||&&|;;|[|&;<>{{}}])"
    r"|(?P<word>{one}{{1,{most}}})|(?P<bad>.))".format(one=_ONE, most=MAX_PIECES),  # each costs memory while it matches
    re.DOTALL,
)
_PLAIN = re.compile(r"[A-Za-z0-9_./=:,-]+\Z")
_PIECE = re.compile(
    r"(?P<hexadecimal>\\x[0-9A-Fa-f]{{2}})|\\(?P<escaped>.)|\$(?P<translated>{double})|\$\{{(?P<braced>{name})\}}"
    r"|\$(?P<variable>{name})|(?P<double>{double})|'(?P<single>[^']*)'|(?P<text>[^\\$'\"]+)".format(
        double=_DOUBLE, name=_NAME
    ),
    re.DOTALL,
)
_INSIDE = re.compile(
    r"\\(?P<escaped>[$\\\"\n])|\$\{{(?P<braced>{name})\}}|\$(?P<variable>{name})|(?P<text>[^\\$]+|\\)|(?P<bad>\$)".format(
        name=_NAME
    ),
    re.DOTALL,
)


class Token(NamedTuple):
    """One token as it is written; `word` is None for an operator, which ";" and a line feed are as well.

    `bad` says why GRUB would not take it, empty for what it takes; with `limit` it is only too much for us.
    """

    text: str
    word: Optional[Word]
    bad: str = ""
    limit: bool = False


END_OF_LINE = Token("\n", None)
OPERATORS = {text: Token(text, None) for text in ["||", "&&", ";;", "|", "&", ";", "<", ">", "{", "}"]}
OPERATORS["\n"] = END_OF_LINE


class Tokens(NamedTuple):
    """The tokens of a script, for each its line from 1 on; the last one may be bad."""

    tokens: List[Token]
    lines: List[int]


class Lexer:
    """Takes scripts apart, each line and each word only once: most lines stand in every entry of a configuration."""

    def __init__(self, hexadecimal: Optional[bool] = False) -> None:
        """Begin with no lines seen; `hexadecimal` as in parse_word. In `scripts` the parser keeps what whole ones are."""
        self.hexadecimal = hexadecimal
        self.scripts: Dict[Tuple[str, bool], object] = {}
        self._seen: Dict[str, Token] = {}
        self._lines: Dict[str, Optional[List[Token]]] = {}

    def tokenize(self, text: str, at: int = 0, line: int = 1) -> Tokens:
        """Return the tokens of `text` from the offset `at` on, where the line of that number begins."""
        found, lines = [], []  # type: List[Token], List[int]
        size = len(text)
        while at <= size:
            end = text.find("\n", at)
            end = size if end < 0 else end
            known = tokens = self._tokens_of_line(text[at:end])
            if tokens is None:
                end, tokens = self._tokens_over_lines(text, at)
            found += tokens
            lines += [line] * len(tokens)
            if len(found) > MAX_TOKENS:
                found[-1] = tokens[-1]._replace(bad="the end of what is read", limit=True)
            if found[-1] is not END_OF_LINE:
                break
            line += 1 if tokens is known else text.count("\n", at, end) + 1
            at = end + 1
        return Tokens(found, lines)

    def _tokens_of_line(self, line: str) -> Optional[List[Token]]:
        """Return the tokens of a line with its end, None for one that goes on in the next one, and for a very long one."""
        tokens = self._lines.get(line)
        if tokens is None and line not in self._lines:
            tokens = self._lines[line] = self._split_line(line) if len(line) <= MAX_LINE else None
        return tokens

    def _split_line(self, line: str) -> Optional[List[Token]]:
        seen = self._seen
        tokens = []
        for _, operator, word, bad in _TOKEN.findall(line):
            if word:
                token = seen.get(word) or self._word(word)
                if token.bad:
                    return None
                tokens.append(token)
            elif operator:
                tokens.append(OPERATORS[operator])
            elif bad:
                return None
        tokens.append(END_OF_LINE)
        return tokens

    def _tokens_over_lines(self, text: str, at: int) -> Tuple[int, List[Token]]:
        """Return where the statement's last line ends, and its tokens."""
        tokens = []
        for match in itertools.islice(_TOKEN.finditer(text, at), MAX_TOKENS + 1):
            if match.lastgroup == "comment":
                continue
            tokens.append(self._token(match))
            if tokens[-1] is END_OF_LINE or tokens[-1].bad:
                return match.end() - 1, tokens
        return len(text), tokens + [END_OF_LINE]

    def _token(self, match: Match[str]) -> Token:
        kind = match.lastgroup or "bad"
        text = match.group(kind)
        if kind == "word":
            if len(text) >= MAX_PIECES and _ONE_PIECE.match(match.string, match.end()):
                return Token(text[:40], None, "a word of more than {} parts".format(MAX_PIECES), limit=True)
            return self._seen.get(text) or self._word(text)
        if kind == "bad":
            if text == "$" and match.string.startswith('"', match.end()):
                text = '$"'
            return Token(text, None, "{!r} begins no word".format(text))
        return OPERATORS[text]

    def _word(self, raw: str) -> Token:
        if len(raw) > MAX_WORD:
            return Token(raw, ((QUOTED, unknown("a-word-of-more-than-{}-characters".format(MAX_WORD))),))
        try:
            token = Token(raw, raw if _PLAIN.match(raw) else parse_word(raw, self.hexadecimal))
        except Undecidable as error:
            token = Token(raw, None, str(error))
        self._seen[raw] = token
        return token


def parse_word(raw: str, hexadecimal: Optional[bool] = False) -> Word:
    """Take one word apart; whether `\\x41` outside of quotes stays is in `hexadecimal`, None where nobody knows."""
    parts: List[Part] = []
    for match in _PIECE.finditer(raw):
        kind, text = match.lastgroup, match.group(match.lastgroup or 0)
        if kind in ("variable", "braced"):
            parts.append((VARIABLE, text))
        elif kind == "double":
            parts += _parse_double(text[1:-1])
        elif kind == "single":
            parts.append((QUOTED, text))
        elif kind == "translated":
            parts.append((QUOTED, unknown("a-translated-string")))
        elif kind == "hexadecimal":
            parts.append((TEXT, text[0 if hexadecimal else 1 :] if hexadecimal is not None else HEXADECIMAL))
        elif kind == "escaped":
            parts += [(TEXT, text)] if text != "\n" else []
        else:
            parts.append((GLOB if "*" in text or "?" in text else TEXT, text))
    if parts and all(kind in (TEXT, QUOTED) for kind, _ in parts):
        return "".join(text for _, text in parts)
    return tuple(parts)


def _parse_double(inside: str) -> List[Part]:
    """Return the parts of a string in double quotes; it is one even when nothing is in it."""
    parts: List[Part] = [(QUOTED, "")]
    for match in _INSIDE.finditer(inside):
        kind, text = match.lastgroup, match.group(match.lastgroup or 0)
        if kind in ("variable", "braced"):
            parts.append((QUOTED_VARIABLE, text))
        elif kind == "bad":
            raise Undecidable("a dollar sign that names no variable")
        elif not (kind == "escaped" and text == "\n"):
            parts.append((QUOTED, text))
    return parts
