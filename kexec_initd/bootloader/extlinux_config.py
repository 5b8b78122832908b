"""The lines of extlinux.conf and syslinux.cfg: labels, menus and settings, included files in their place.

Written from SYSLINUX's doc/syslinux.txt and doc/menu.txt, and U-Boot's doc/README.pxe. What a boot loader makes of
them is in `extlinux`.
"""

import re
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from kexec_initd.bootloader import Source
from kexec_initd.errors import Refused
from kexec_initd.system.sysroot import Tree

MAX_DEPTH = 8
MAX_FILES = 200
MISSING = "missing include"
MAX_LINES = 50000
MAX_LABELS = 10000
MAX_BYTES = 1024 * 1024  # of all files together
WORD = re.compile(r"[^\0- ]+")
BLANKS = "".join(map(chr, range(33)))
KERNELS = ("linux", "kernel", "boot", "bss", "pxe", "fdimage", "comboot", "com32", "config", "localboot", "fit")
SETTINGS = ("default", "ontimeout", "prompt", "timeout", "ui", "menu save", "menu start", MISSING)
EITHER = ("sysappend", "ipappend")  # before the first label for all labels


class ConfigLine(NamedTuple):
    """A line that says something: its first word in lower case, the rest, and where it stands."""

    word: str
    rest: str
    source: Source


class Label(NamedTuple):
    """One entry: what its lines say, by their first word (or "menu WORD"), each with all its values in order."""

    name: str
    place: str
    said: Dict[str, List[str]]
    append: Optional[str]
    source: Source


class SyslinuxConfig(NamedTuple):
    """All labels in order, and the settings by their word; a setting holds as it was given last."""

    labels: Tuple[Label, ...]
    settings: Dict[str, ConfigLine]


def read_lines(tree: Tree, path: str, mount: str) -> List[ConfigLine]:
    """Return the lines of a file and of what it includes. Raises Refused for too many, or too deep."""
    lines: List[ConfigLine] = []
    for line in _Files(tree, path.rpartition("/")[0], mount).lines(path, 0):
        lines.append(line)
        if len(lines) > MAX_LINES:
            raise Refused("{} and what it includes have more than {} lines".format(path, MAX_LINES))
    return lines


class _Files:
    """Reads files that include each other; names are relative to the directory of the first."""

    def __init__(self, tree: Tree, base: str, mount: str) -> None:
        self._tree, self._base, self._mount = tree, base, mount
        self._count = self._bytes = 0

    def lines(self, path: str, depth: int) -> Iterator[ConfigLine]:
        """Return the lines of a file, with those of the files that it includes in their place."""
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_FILES:
            raise Refused("{}: too many files include each other".format(path))
        text = self._tree.read_text(path, MAX_BYTES)
        self._bytes += len(text or "")
        if self._bytes > MAX_BYTES:
            raise Refused("{}: files that include each other are larger than {} bytes".format(path, MAX_BYTES))
        if text is None:
            yield ConfigLine(MISSING, path, Source(Path(path), 0))
        helping = False
        for number, raw in enumerate((text or "").split("\n"), 1):
            line = _parse(raw.split("\r")[0].split("\0")[0], Source(Path(path), number)) if raw else None
            if line is None or helping:
                helping = helping and not (line and line.word == "endtext")
            elif line.word in ("include", "menu include"):
                yield from self._included(line, depth)
            else:
                helping = line.word == "text"
                yield line

    def _included(self, line: ConfigLine, depth: int) -> Iterator[ConfigLine]:
        """Return the lines of an included file; with a title after its name they are a submenu."""
        name, _, title = line.rest.partition(" ")
        submenu = line.word == "menu include" and title.strip(BLANKS)
        if submenu:
            yield line._replace(word="menu begin", rest=title)
        yield from self.lines(find_file(self._tree, name, self._base, self._mount), depth + 1)
        if submenu:
            yield line._replace(word="menu end", rest="")


def _parse(text: str, source: Source) -> Optional[ConfigLine]:
    """Return what a line says; the two words of a `menu` line count as one."""
    word, rest = _split(text)
    if word == "menu":
        second, rest = _split(rest)
        word += " " + second
    return ConfigLine(word, rest, source) if word and not word.startswith("#") else None


def _split(text: str) -> Tuple[str, str]:
    stripped = text.lstrip(BLANKS)
    found = WORD.match(stripped)
    return (found.group().lower(), stripped[found.end() :].lstrip(BLANKS)) if found else ("", "")


def find_file(tree: Tree, value: str, base: str, mount: str) -> str:
    """Return where the host sees a file that the configuration in `base` names, on the partition of `mount`."""
    path = str(tree.locate(value, mount).path) if value.startswith("/") else base + "/" + value
    return tree.resolve(path) or path if ".." in value.split("/") else path


class _Reader:
    """Goes through the lines and collects; a menu is the list of its place, and how many entries it has so far."""

    def __init__(self) -> None:
        self.labels: List[Label] = []
        self.settings: Dict[str, ConfigLine] = {}
        self._menus: List[int] = [0]
        self._append: Optional[str] = None
        self._label: Optional[Label] = None

    def take(self, line: ConfigLine) -> None:
        """Take one line."""
        word = line.word
        if word == "label":
            self._open(line)
        elif word in ("menu begin", "menu end", "menu separator"):
            self._turn(line)
        elif word == "append" and self._label is None:
            self._append = line.rest
        elif word in SETTINGS or (word in EITHER and self._label is None):
            self.settings[word] = line
        elif self._label is not None:
            self._say(self._label.said, line)
        elif word == "menu default" and len(self._menus) > 1:
            self.settings["submenu default"] = line

    def _turn(self, line: ConfigLine) -> None:
        """Go into a submenu or out of it, or past a separator, which has a place of its own."""
        self._close()
        if line.word != "menu end":
            self._menus[-1] += 1
        if line.word == "menu begin":
            self._menus.append(0)
        if line.word == "menu end" and len(self._menus) > 1:
            self._menus.pop()
        if len(self._menus) > MAX_DEPTH:
            raise Refused("{}: menus are more than {} deep".format(line.source.path, MAX_DEPTH))

    @staticmethod
    def _say(said: Dict[str, List[str]], line: ConfigLine) -> None:
        """Note what a label says; of the ways to name its kernel the last one holds."""
        if line.word in KERNELS:
            for word in KERNELS:
                said.pop(word, None)
        said.setdefault(line.word, []).append(line.rest)

    def _open(self, line: ConfigLine) -> None:
        self._close()
        place = ">".join(str(count - 1) for count in self._menus[:-1]) + (">" if len(self._menus) > 1 else "")
        self._label = Label(line.rest, place + str(self._menus[-1]), {}, None, line.source)

    def _close(self) -> None:
        """Record the label that was open; only now is it known whether a common `append` holds for it."""
        label, self._label = self._label, None
        if label is None:
            return
        hidden = "menu hide" in label.said
        append = label.said.get("append", [self._append])[-1]
        self.labels.append(label._replace(append=append, place="" if hidden else label.place))
        self._menus[-1] += not hidden


def parse_config(lines: List[ConfigLine]) -> SyslinuxConfig:
    """Collect labels and settings."""
    reader = _Reader()
    for line in lines:
        reader.take(line)
    reader.take(ConfigLine("menu end", "", Source(Path("/"), 0)))
    if len(reader.labels) > MAX_LABELS:
        raise Refused("{} has more than {} labels".format(lines[0].source.path, MAX_LABELS))
    return SyslinuxConfig(tuple(reader.labels), reader.settings)
