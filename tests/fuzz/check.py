"""What an input must not do: raise, take long or much memory, or lead to an entry that is not in it."""

import contextlib
import os
import re
import resource
import shutil
import signal
import time
import traceback
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from kexec_initd.bootloader import Menu
from kexec_initd.bootloader.menu import find_menu
from kexec_initd.bootloader.output import as_json
from kexec_initd.bootloader.target import as_text, read_target
from kexec_initd.errors import Error
from kexec_initd.system.host import gather
from kexec_initd.system.sysroot import Tree
from tests.bootloader.hosts import read, unpack
from tests.bootloader.words import source_of, with_efi_paths
from tests.fuzz.damage import Input
from tests.processor import is_too_long

LONG = 1.0  # seconds of processor time for each of the answers
WAITING = 30  # seconds after which a process that does nothing is waiting for something
MEMORY = 200 << 20
PIECES = 8  # of the input that a script may put together to one word


class Finding(Exception):
    """What is wrong with the answer to an input."""


def limit_memory() -> None:
    """Let this process have no more memory than an answer may take."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


@contextlib.contextmanager
def placed(one: Input, directory: Path) -> Iterator[Path]:
    """Give the root of an input's host below `directory`, and make it what it was afterwards."""
    root = directory / one.host
    if not root.is_dir():
        unpack(one.host, root)
    try:
        for name, data in one.files.items():
            (root / name).write_bytes(data)
        for name, kind in one.odd.items():
            (root / name).unlink()
            _make_odd(root / name, kind)
        yield root
    except Exception:
        shutil.rmtree(str(root))
        raise
    for name in [*one.files, *one.odd]:
        if (root / name).is_dir() and not (root / name).is_symlink():
            (root / name).rmdir()
        elif os.path.lexists(str(root / name)):
            (root / name).unlink()
        (root / name).write_bytes(read(one.host)[name].content)


def _make_odd(path: Path, kind: str) -> None:
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(str(path))
    elif kind != "missing":
        path.symlink_to("nowhere" if kind == "dangling link" else path.name)


def find_fault(one: Input, directory: Path) -> Optional[str]:
    """Read an input's host as the commands do; return what is wrong with that, None for nothing."""
    signal.signal(signal.SIGALRM, _wait_no_longer)
    try:
        with placed(one, directory) as root:
            signal.alarm(WAITING)
            read_all(root, one)
            signal.alarm(0)
    except Finding as finding:
        return str(finding)
    except Exception:  # noqa: BLE001 - every kind of it is a finding
        return traceback.format_exc()
    finally:
        signal.alarm(0)
    return None


def _wait_no_longer(number: int, frame: object) -> None:
    raise Finding("no answer after {} s".format(WAITING))


def read_all(root: Path, one: Input) -> None:
    """Read the host's facts, its menu and its target, each in time, and look at the entries."""
    with _in_time("the facts about the host"):
        gather(root)
    menu: Optional[Menu] = None
    with contextlib.suppress(Error), _in_time("entries"):
        menu = find_menu(Tree(root))
        as_json(menu)
    if menu is not None:
        check(root, menu, one)
    with contextlib.suppress(Error), _in_time("target"):
        as_text(read_target(Tree(root)).target)


@contextlib.contextmanager
def _in_time(what: str) -> Iterator[None]:
    start = time.process_time()
    yield
    spent = time.process_time() - start
    if is_too_long(spent, LONG):
        raise Finding("{} took {:.2f} s of processor time".format(what, spent))


def check(root: Path, menu: Menu, one: Input) -> None:
    """Hold a menu against what it was read from. Raises Finding."""
    if menu.problem == "":
        raise Finding("no default, and no reason")
    if menu.default is not None and not 0 <= menu.default < len(menu.offered):
        raise Finding("the default is none of the entries")
    known = Known(root) if any(offered.entry for offered in menu.offered) else None
    for offered in menu.offered:
        if (offered.entry is None) == (offered.obstacle is None):
            raise Finding("an entry and an obstacle, or neither: {!r}".format(offered))
        if offered.entry is None or known is None:
            continue
        for path in (offered.entry.kernel, *offered.entry.initrds):
            if not os.path.isfile(str(root) + str(path)) and menu.loader != "naming":
                raise Finding("{!r} is no file of the host".format(str(path)))
        for word in offered.entry.cmdline.split():
            by_grub = menu.loader == "grub2"
            source = _without_quoting(word) if by_grub else source_of(word)
            if not known.has(source, PIECES if by_grub else 1):
                raise Finding("{!r} of {!r} is not in the input".format(word, offered.entry.cmdline))


def _without_quoting(word: str) -> str:
    """Take off what GRUB puts around a word with a blank in it, and in front of quotes and backslashes."""
    return re.sub(r"\\(['\"\\])", r"\1", word).strip('"')


class Known:
    """All that stands in the files of a host, and their names."""

    def __init__(self, root: Path) -> None:
        texts: List[bytes] = []
        for path in root.rglob("*"):
            texts.append(os.fsencode("/" + str(path.relative_to(root))))
            if path.is_file() and path.stat().st_size < 4 << 20:
                data = path.read_bytes()
                texts += [data, *_unquoted(data)]
        self._text = with_efi_paths(b"\n".join(texts).decode("utf-8", "surrogateescape"))
        self._seen: Dict[Tuple[str, int], bool] = {}

    def has(self, word: str, pieces: int) -> bool:
        """Tell whether a word is there, or can be put together from at most so many pieces of what is there."""
        if (word, pieces) not in self._seen:
            self._seen[word, pieces] = self._find(
                word[len("BOOT_IMAGE=") :] if word.startswith("BOOT_IMAGE=") else word, pieces
            )
        return self._seen[word, pieces]

    def _find(self, word: str, pieces: int) -> bool:
        for _ in range(pieces):
            if word in self._text:
                return True
            word = word[self._longest(word) :]
        return False

    def _longest(self, word: str) -> int:
        """Return the length of the longest beginning of a word that is there."""
        low, high = 0, len(word)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if word[:middle] in self._text else (low, middle - 1)
        return low


def _unquoted(data: bytes) -> Sequence[bytes]:
    """Return a file's bytes as readers see them: without what they take away."""
    joined = data.replace(b"\\\n", b"").replace(b"\r", b"")
    bare = joined.translate(None, b"\\\"'")
    return [data.replace(b"\0", b""), data.replace(b"\\\n", b" "), joined, bare, bare.replace(b"\0", b"")]
