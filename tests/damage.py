"""What can happen to a file of the state: each byte flipped, each cut, something else in its place."""

import contextlib
import os
import resource
import shutil
import signal
import stat
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

from kexec_initd.system.files import is_directory

NOBODY = 65534
MEMORY = 256 << 20


def flips(data: bytes, step: int = 1) -> Iterator[bytes]:
    """Yield `data` with each byte, or each `step`th, changed in several ways."""
    for place in range(0, len(data), step):
        for byte in (data[place] ^ 1, data[place] ^ 0x80, 0, 0xFF, 10):
            if byte != data[place]:
                yield data[:place] + bytes([byte]) + data[place + 1 :]


def cuts(data: bytes, step: int = 1) -> Iterator[bytes]:
    """Yield `data` cut at each length, or each `step`th."""
    return (data[:length] for length in range(0, len(data), step))


def _other_owner(path: Path) -> None:
    path.write_bytes(b"x")
    os.chown(str(path), NOBODY, NOBODY)


def _with_mode(mode: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(b"x")
        path.chmod(mode)

    return make


def _full_directory(path: Path) -> None:
    (path / "in").mkdir(parents=True)


def _large(path: Path) -> None:
    path.touch()
    os.truncate(str(path), 1 << 30)


# Each takes the place of a file, whose content is kept beside it as NAME.aside.
KINDS: Dict[str, Callable[[Path], Any]] = {
    "missing": lambda path: None,
    "empty": lambda path: path.touch(),
    "directory": lambda path: path.mkdir(),
    "full directory": _full_directory,
    "fifo": lambda path: os.mkfifo(str(path)),
    "socket": lambda path: os.mknod(str(path), stat.S_IFSOCK | 0o600),
    "device": lambda path: os.mknod(str(path), stat.S_IFCHR | 0o600, os.makedev(1, 5)),
    "link to a good file": lambda path: path.symlink_to(path.name + ".aside"),
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "1 GiB": _large,
    "of another owner": _other_owner,
    "writable for its group": _with_mode(0o660),
    "writable for all": _with_mode(0o606),
    "unreadable": _with_mode(0o000),
}


def clear(place: Path) -> None:
    """Remove whatever is there."""
    if is_directory(place):
        shutil.rmtree(str(place))
    elif os.path.lexists(str(place)):
        place.unlink()


@contextlib.contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    """Interrupt what waits."""

    def fail(number: int, frame: object) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def with_little_memory(run: Callable[[], Any]) -> Any:
    """Return what `run` does with that much more memory, within seconds."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, before[1]))
    try:
        with no_longer_than(120):
            return run()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
