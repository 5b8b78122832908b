"""Hosts whose boot loader is read. NAME.txt in `hosts` says what lies in the tree of one, NAME.json what is to be found there.

A line "=== PATH" begins a file of the tree; its text follows, up to the next such line. What stands before the first one is a
note. "=== PATH -> TARGET" is a link, "=== PATH like HOST" the same as on another host, and
"=== PATH changed HOST" that with the lines of a diff; "(base64)" behind the path tells how
the content is written, "(no newline)" that its last line has no end.

`python3 -m tests.bootloader.hosts NAME DIRECTORY` writes NAME.txt from a directory.
"""

import atexit
import base64
import functools
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from tests import diffs

HERE = Path(__file__).resolve().parent / "hosts"
HEAD = re.compile(
    r"=== (?P<path>\S+)(?: -> (?P<link>\S+)| (?P<how>like|changed) (?P<other>\S+)| \((?P<form>base64|no newline)\))?\n"
)
WIDTH = 120


class File(NamedTuple):
    """A file of a tree: its content, or where a link leads."""

    content: bytes
    link: Optional[str] = None


def names(group: str = "") -> List[str]:
    """Return the hosts of a group, which is a directory, in their order."""
    return sorted(str(path.relative_to(HERE).with_suffix("")) for path in (HERE / group).glob("*.txt"))


def expected(name: str) -> Path:
    """Return the file that has what is to be found on a host."""
    return HERE / (name + ".json")


def check_expected(name: str, found: Dict[str, object]) -> None:
    """Fail unless a host's boot loader says what is expected; with UPDATE_GOLDEN=1 in the environment that is written first."""
    path = expected(name)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(_format(found), encoding="utf-8")
    assert path.exists(), _format(found)
    assert found == json.loads(path.read_text(encoding="utf-8"))


def _format(found: Dict[str, object]) -> str:
    """Return JSON with a line for each fact, and for each entry of a menu."""
    facts = ((json.dumps(key), json.dumps(value)) for key, value in found.items() if key != "entries")
    lines = ["{}: {}".format(*fact) for fact in facts]
    if "entries" in found:
        entries = found["entries"]
        assert isinstance(entries, list)
        lines.append('"entries": [\n{}\n]'.format(",\n".join(map(json.dumps, entries))))
    return "{{\n{}\n}}\n".format(",\n".join(lines))


@functools.lru_cache(maxsize=None)
def read(name: str) -> Dict[str, File]:
    """Return the tree of a host, each path without its first slash."""
    text = (HERE / (name + ".txt")).read_text(encoding="utf-8")
    heads = list(re.finditer("^=== .*\n", text, re.MULTILINE))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return dict(_parse(head.group(), text[head.end() : end]) for head, end in zip(heads, ends))


def _parse(line: str, text: str) -> Tuple[str, File]:
    head = HEAD.fullmatch(line)
    assert head is not None, line
    path = head.group("path")
    if head.group("link"):
        return path, File(b"", head.group("link"))
    if head.group("how"):
        other = read(head.group("other"))[path]
        return path, File(diffs.apply(other.content, text.encode("utf-8"))) if head.group("how") == "changed" else other
    if head.group("form") == "base64":
        return path, File(base64.b64decode(text))
    return path, File((text[:-1] if head.group("form") else text).encode("utf-8"))


def unpack(name: str, root: Path) -> Path:
    """Make the tree of a host below `root`, and return that."""
    for path, file in read(name).items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.link is not None:
            place.symlink_to(file.link)
        else:
            place.write_bytes(file.content)
    return root


@functools.lru_cache(maxsize=None)
def root_of(name: str) -> Path:
    """Return the root of a host, which is made once for all tests, and is not to be changed."""
    return unpack(name, _directory() / name)


@functools.lru_cache(maxsize=None)
def _directory() -> Path:
    directory = tempfile.mkdtemp(prefix="hosts.")
    atexit.register(_remove, directory, os.getpid())
    return Path(directory)


def _remove(directory: str, owner: int) -> None:
    if os.getpid() == owner:  # and no process that a test has forked off
        shutil.rmtree(directory, ignore_errors=True)


def pack(name: str, directory: Path) -> None:
    """Write the file of a host from a directory, and what is the same on a host before it only once; a note stays."""
    target = HERE / (name + ".txt")
    note = target.read_text(encoding="utf-8").partition("=== ")[0] if target.exists() else ""
    known: Dict[Tuple[str, bytes], str] = {}
    for other in names(str(Path(name).parent)):
        if other < name:
            for path, file in read(other).items():
                known.setdefault((path, file.content), other)
    parts = [
        _describe(str(path.relative_to(directory)), path, known)
        for path in sorted(directory.rglob("*"))
        if path.is_symlink() or path.is_file()
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(note + "".join(parts), encoding="utf-8")


def _describe(name: str, path: Path, known: Dict[Tuple[str, bytes], str]) -> str:
    if path.is_symlink():
        return "=== {} -> {}\n".format(name, os.readlink(str(path)))
    content = path.read_bytes()
    if len(content) > WIDTH and (name, content) in known:
        return "=== {} like {}\n".format(name, known[name, content])
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if re.search("[\0\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]|^=== ", text, re.MULTILINE):
        code = base64.b64encode(content).decode()
        lines = [code[start : start + WIDTH] + "\n" for start in range(0, len(code), WIDTH)]
        return "=== {} (base64)\n{}".format(name, "".join(lines))
    if text and not text.endswith("\n"):
        return "=== {} (no newline)\n{}\n".format(name, text)
    nearest = diffs.find_nearest(
        content, ((host, old) for (path_there, old), host in known.items() if path_there == name)
    )
    if nearest is not None:
        return "=== {} changed {}\n{}".format(name, nearest[0], nearest[1].decode("utf-8"))
    return "=== {}\n{}".format(name, text)


if __name__ == "__main__":
    pack(sys.argv[1], Path(sys.argv[2]))
