"""How an input is made: a fixture host, and what is changed in it. The same number gives the same input."""

import random
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Sequence

from tests.bootloader import hosts
from tests.fuzz.grammar import make_script

CONFIGS = ("*.conf", "*.cfg", "menu.lst", "default", "ldlinux.sys", "Loader*", "grubenv", "*.efi")
PLACES = ("proc", "etc", "boot/loader/entries", "usr/lib/os-release", "sys")
LARGEST = 200000  # bytes of most inputs
WORDS = [
    *b"title root kernel initrd default fallback savedefault chainloader module configfile lock saved".split(),
    *b"options linux efi version sort-key machine-id architecture @saved * ? [a-z] +3 +0-3 .conf".split(),
    *b"label append include menu begin end hide passwd ui ontimeout prompt text endtext - , ^ ..".split(),
    *b"if then elif else fi for in do done while until function { } ; ! [ ] [[ ]] && || | & < > # \\ ' \" $ ${".split(),
    *b"menuentry submenu set unset export source search --set=root --fs-uuid --label load_env save_env --file".split(),
    *b"blscfg return break continue eval regexp test -f -e -d -s -n -z -a -o ( ) = != -eq $default ${saved_entry}".split(),
    *b"$root $prefix $1 $@ $# $? (hd0,1) (hd0,gpt2) () 0 1 1>2 > >> x=$x$x next_entry= superusers=a $kernelopts".split(),
    *b"/ // ../ (hd0,0) (hd1,1) 99999999999999999999 -1 0x1 \\ \\\n \0 \xff \x80 \n \r \t".split(b" "),
]
NESTS = [
    (b"if true; then\n", b"\nfi\n"),
    (b"submenu a {\n", b"\n}\n"),
    (b"menu begin a\n", b"\nmenu end\n"),
    (b"while false; do\n", b"\ndone\n"),
    (b"function f {\n", b"\n}\nf\n"),
    (b"( ", b" )"),
    (b"include ", b"\n"),
    (b'"', b'"'),
    (b"{", b"}"),
]


class Input(NamedTuple):
    """A host, and the files that differ there: their new content, or None for a file that something else replaces."""

    host: str
    files: Dict[str, bytes]
    odd: Dict[str, str]


class Fixture(NamedTuple):
    """A host of tests/bootloader: every file that an input may change, and its content."""

    name: str
    files: Dict[str, bytes]


def read_fixtures() -> List[Fixture]:
    """Return all fixture hosts that have something to be changed."""
    found = []
    for host in sorted([*hosts.names(), *hosts.names("grub2")]):
        files = hosts.read(host).items()
        contents = {path: file.content for path, file in sorted(files) if file.link is None and _is_config(path)}
        if contents:
            found.append(Fixture(host, contents))
    return found


def _is_config(path: str) -> bool:
    return any(map(Path(path).match, CONFIGS)) or path.startswith(PLACES)


def make_input(fixtures: Sequence[Fixture], seed: str, number: int) -> Input:
    """Return the input `number` of a run."""
    rng = random.Random("{} {}".format(seed, number))
    fixture = rng.choice(fixtures)
    names = sorted(fixture.files)
    name = rng.choice(names)
    scripts = [one for one in names if one.endswith("grub.cfg")]
    if scripts and rng.random() < 0.3:
        return Input(fixture.name, {scripts[0]: make_script(rng).encode("utf-8", "surrogateescape")}, {})
    if rng.random() < 0.03:
        return Input(fixture.name, {}, {name: rng.choice(sorted(ODD))})
    data = fixture.files[name]
    for _ in range(rng.randint(1, 4)):
        data = rng.choice(CHANGES)(data, rng, fixtures)[: LARGEST * rng.choice([1, 1, 1, 10])]
    return Input(fixture.name, {name: data}, {})


def _cut(data: bytes, rng: random.Random) -> List[int]:
    return sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))


def change_bytes(data: bytes, rng: random.Random, fixtures: Sequence[Fixture]) -> bytes:
    """Cut something off or out, write it twice, or put another byte in its place."""
    at, to = _cut(data, rng)
    byte = bytes((rng.randrange(256),))
    near = data[min(to, at + 40) :]
    return rng.choice([data[:at], data[:at] + near, data[:to] + data[at:], data[:at] + byte + data[at + 1 :]])


def change_words(data: bytes, rng: random.Random, fixtures: Sequence[Fixture]) -> bytes:
    """Put words in, glued to what is there or by themselves."""
    at, _ = _cut(data, rng)
    word = b" ".join(rng.choice(WORDS) for _ in range(rng.choice([1, 1, 2, 5])))
    return rng.choice([data[:at] + word + data[at:], data[:at] + b" " + word + b" " + data[at:]])


def change_lines(data: bytes, rng: random.Random, fixtures: Sequence[Fixture]) -> bytes:
    """Leave a line out, or put another one in its place."""
    lines = data.split(b"\n")
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    return b"\n".join(lines[:first] + rng.choice([[], lines[second : second + 1]]) + lines[first + 1 :])


def splice(data: bytes, rng: random.Random, fixtures: Sequence[Fixture]) -> bytes:
    """Put in a piece of another fixture's file."""
    other = rng.choice(sorted(rng.choice(fixtures).files.values()))
    start, end = _cut(other, rng)
    at, to = _cut(data, rng)
    return data[:at] + other[start : min(end, start + 2000)] + data[rng.choice([at, to]) :]


def nest(data: bytes, rng: random.Random, fixtures: Sequence[Fixture]) -> bytes:
    """Put a piece into many levels of something."""
    begin, end = rng.choice(NESTS)
    levels = rng.choice([1, 3, 30, 100, 1000])
    at, to = _cut(data, rng)
    return data[:at] + begin * levels + data[at:to] + end * levels + data[to:]


def repeat(data: bytes, rng: random.Random, fixtures: Sequence[Fixture]) -> bytes:
    """Write a piece or a word very often."""
    at, to = _cut(data, rng)
    piece = rng.choice([data[at:to], data[at : at + 20], rng.choice(WORDS), rng.choice(WORDS) + b" "]) or b" "
    most = LARGEST // len(piece) + 1  # the rest would be cut off again
    times = min(rng.choice([3, 300, most]), most)
    return data[:at] + piece * times + data[at:]


CHANGES: List[Callable[[bytes, random.Random, Sequence[Fixture]], bytes]] = [
    *[change_bytes, change_bytes, change_words, change_words, change_words, change_lines, change_lines],
    *[splice, splice, nest, repeat],
]
# Something else in the place of a file.
ODD = ("directory", "fifo", "dangling link", "link to itself", "missing")
