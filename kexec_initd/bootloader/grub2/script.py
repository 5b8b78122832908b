"""A script with the name of its file, so that a place in it can be told."""

from pathlib import Path
from typing import NamedTuple

from kexec_initd.bootloader import Source
from kexec_initd.bootloader.grub2.lexer import Lexer
from kexec_initd.bootloader.grub2.parser import Parsed, parse


class GrubScript(NamedTuple):
    """A parsed file; `before` counts the lines in front of it, where it is only a part."""

    path: str
    parsed: Parsed
    before: int

    def source(self, line: int) -> Source:
        """Return a line of the script as a place in the file."""
        return Source(Path(self.path), self.before + line)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def read_script(path: str, text: str, lexer: Lexer, before: int = 0, recover: bool = True) -> GrubScript:
    """Parse `text`, which is the file `path` of the host, or a part of it with `before` lines in front."""
    return GrubScript(path, parse(text.replace("\r", ""), lexer, recover), before)
