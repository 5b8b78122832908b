"""Files in a directory of hooks, for Python's rule and the shell's: what runs, what may have been meant to, what never was."""

import os
import shutil
import stat
from pathlib import Path
from typing import Callable, Dict

SCRIPT = "#!/bin/sh\n"


def put(path: Path, mode: int = 0o755) -> Path:
    """Write a program."""
    path.write_text(SCRIPT)
    path.chmod(mode)
    return path


def put_link(place: Path, name: str, target: str) -> str:
    """Make a link in a directory of hooks."""
    (place / name).symlink_to(target)
    return name


def _put_elsewhere(place: Path) -> str:
    """A link to a program in a directory that others may change."""
    other = place.parent / "elsewhere"
    other.mkdir(exist_ok=True)
    put(other / "program")
    other.chmod(0o777)
    return put_link(place, "10-a", "../elsewhere/program")


def _give_away(place: Path) -> str:
    os.chown(str(put(place / "10-a")), 12345, 12345)
    return "10-a"


def _make_directory(place: Path) -> str:
    (place / "10-a").mkdir()
    return "10-a"


def _make_fifo(place: Path) -> str:
    os.mkfifo(str(place / "10-a"), 0o755)
    return "10-a"


def _named(name: str, mode: int = 0o755) -> Callable[[Path], str]:
    return lambda place: put(place / name, mode).name


def _put_bytes(place: Path) -> str:
    with open(os.fsencode(str(place)) + b"/10-\xff", "w", encoding="ascii") as file:
        file.write(SCRIPT)
    os.chmod(os.fsencode(str(place)) + b"/10-\xff", 0o755)
    return "10-\udcff"


RUNNING: Dict[str, Callable[[Path], object]] = {
    "10-stop-nic": _named("10-stop-nic"),
    "_": _named("_"),
    "Z9": _named("Z9", 0o100),
    "10-link": lambda place: put_link(place, "10-link", "../" + put(place.parent / "program").name),
    "-e": _named("-e"),
}
MEANT: Dict[str, Callable[[Path], str]] = {
    "a dot": _named("10-stop-nic.sh"),
    "a version": _named("10-nic-1.2"),
    "not executable": _named("10-a", 0o644),
    "not executable, a dot": _named("10-a.sh", 0o644),
    "writable by its group": _named("10-a", 0o775),
    "writable by all": _named("10-a", 0o757),
    "of another user": _give_away,
    "a link that leads nowhere": lambda place: put_link(place, "10-a", "nowhere"),
    "a link to itself": lambda place: put_link(place, "10-a", "10-a"),
    "a link into a directory of others": _put_elsewhere,
    "a directory": _make_directory,
    "a FIFO": _make_fifo,
    "a link to a directory": lambda place: put_link(place, "10-a", "/"),
    "a blank": _named("10 a"),
    "a blank at its end": _named("10-a "),
    "a newline": _named("10-a\n"),
    "NBSP": _named("10-a\u00a0"),
    "other letters": _named("10-\u00e9"),
    "no text": _put_bytes,
    "a star": _named("*"),
    "a control sequence": _named("\x1b[2Ja"),
}
LEFTOVERS = (
    *(
        ".placeholder",
        ".10-a.swp",
        "README",
        "README.md",
        "10-a~",
        "10-a.bak",
        "10-a.old",
        "10-a.orig",
        "10-a.disabled",
    ),
    *(
        "10-a.dpkg-old",
        "10-a.dpkg-dist",
        "10-a.dpkg-new",
        "10-a.dpkg-tmp",
        "10-a.dpkg-bak",
        "10-a.ucf-old",
        "10-a.ucf-dist",
    ),
    *("10-a.ucf-new", "10-a.rpmsave", "10-a.rpmnew", "10-a.rpmorig", "a b.dpkg-old"),
)


def _replace(place: Path, make: Callable[[str], object]) -> None:
    shutil.rmtree(str(place))
    make(str(place))


def _replace_parent(place: Path, make: Callable[[str], object]) -> None:
    shutil.rmtree(str(place.parent))
    make(str(place.parent))


def _write(path: str) -> None:
    Path(path).write_text("")


FAULTY_DIRECTORIES: Dict[str, Callable[[Path], None]] = {
    "writable by all": lambda place: place.chmod(0o777),
    "sticky and writable by all": lambda place: place.chmod(0o777 | stat.S_ISVTX),
    "in one that is writable by all": lambda place: place.parent.chmod(0o777),
    "a file": lambda place: _replace(place, _write),
    "a FIFO": lambda place: _replace(place, os.mkfifo),
    "a link that leads nowhere": lambda place: _replace(place, lambda path: os.symlink("nowhere", path)),
    "a link to a file": lambda place: _replace(place, lambda path: os.symlink("/etc/os-release", path)),
    "a link to itself": lambda place: _replace(place, lambda path: os.symlink(path, path)),
    "below a link that leads nowhere": lambda place: _replace_parent(place, lambda path: os.symlink("nowhere", path)),
    "below a file": lambda place: _replace_parent(place, _write),
}
