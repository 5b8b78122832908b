"""Lines that have a kernel loaded or executed by hand: in rc.local, init scripts, units and tables of cron.

What such a line loads is taken for the admin's wish at each reboot, and what it executes was not decided by us. A script may do
so in ways that no reading of it finds: nothing is decided by what is found here, it is only told. See kexec(8) for the options.
"""

import contextlib
import re
from pathlib import Path
from typing import Iterator, List, NamedTuple, Tuple

from kexec_initd.errors import Error, shortened
from kexec_initd.system.encoding import decode, list_names
from kexec_initd.system.files import read_bytes
from kexec_initd.system.host import MARK
from kexec_initd.system.safe_path import below, real

FILES = (
    *("etc/rc.local", "etc/rc.d/rc.local", "sbin/halt.local", "usr/local/sbin/reboot", "usr/local/bin/reboot"),
    *("etc/inittab", "etc/crontab", "etc/anacrontab"),
)
DIRECTORIES = (
    *("etc/init.d", "etc/rc.d/init.d", "etc/local.d", "etc/systemd/system"),
    *("lib/systemd/system-shutdown", "usr/lib/systemd/system-shutdown"),
    *("etc/cron.d", "var/spool/cron", "var/spool/cron/crontabs", "var/spool/cron/tabs"),
)
# Those of packages that have to do with kexec: kexec-tools, kdump, RHEL's initscripts.
PACKAGED = ("kexec", "kexec-load", "kdump", "kdump-tools", "halt")
SET_ASIDE = "/etc/init.d/reboot"
LIMIT = 65536
MOST = 500  # files of one directory
CALL = re.compile(
    rb"(?:(?<![\w./-])|(?<=[=\s]-))(?:/(?:usr/)?(?:local/)?s?bin/)?kexec(?=[ \t])((?:\\\n|[^\n;&|])*)", re.ASCII
)
TELLS = re.compile(rb"[ \t]*(?:echo|printf|logger|:)[ \t]|[ \t]*[#;]|.*[ \t]#", re.ASCII)


class HandMadeLine(NamedTuple):
    """A line of a file, by its path on the host and its number; `loads` a kernel, or else executes the one that is loaded."""

    path: str
    number: int
    loads: bool
    text: str


def describe_hand_made(root: Path) -> List[str]:
    """Return a sentence for each such line, with what to do."""
    return [describe_line(line) for line in find_lines(root)]


def describe_line(line: HandMadeLine) -> str:
    """Say where a line is, what it does and what to do about it."""
    advice = describe_removal(line)
    return "{}, line {}, {}{}".format(line.path, line.number, describe_effect(line), advice and "; " + advice)


def describe_effect(line: HandMadeLine) -> str:
    """Say what a line does, and what is wrong with that."""
    does = "{} by hand".format("loads a kernel" if line.loads else "executes what is loaded")
    if line.path == SET_ASIDE:
        return does + "; under SysV init our script stands in its place"
    return does + (": a reboot starts that one, not the boot loader's" if line.loads else ": nothing is checked before")


def describe_removal(line: HandMadeLine) -> str:
    """Say what to do about a line; nothing where that is done by the installation."""
    return "" if line.path == SET_ASIDE else "remove the line: {}".format(shortened(line.text.strip(), 100))


def find_lines(root: Path) -> List[HandMadeLine]:
    """Return such lines of the host below `root`, in the order of their files; what cannot be read has none."""
    found = {}
    for path in _find_files(root):
        with contextlib.suppress(Error, OSError):
            place = real(root, "/" + path)
            if str(place) not in found:
                found[str(place)] = parse_lines("/" + path, read_bytes(below(root, path), LIMIT) or b"")
    return [line for lines in found.values() for line in lines]


def parse_lines(path: str, data: bytes) -> List[HandMadeLine]:
    """Return the lines of a script, a unit or a table that load or execute a kernel; none in what is ours."""
    lines = []
    for call in CALL.finditer(data) if b"kexec" in data and MARK not in data else ():
        start = data.rfind(b"\n", 0, call.start()) + 1
        loads, executes = _parse_options(call.group(1).replace(b"\\\n", b" ").split())
        if (loads or executes) and not TELLS.match(data[start : call.start()]):
            text = decode(data[start : call.end()].split(b"\n")[0])
            lines.append(HandMadeLine(path, data.count(b"\n", 0, start) + 1, loads, text))
    return lines


def _parse_options(words: List[bytes]) -> Tuple[bool, bool]:
    """Tell whether the options of kexec(8) load a kernel for a reboot, and whether they execute one."""
    short = b"".join(word[1:3] if word[1:].isalpha() else word[1:2] for word in words if re.match(rb"-[a-z]", word))
    long = [word.partition(b"=")[0].strip(b"'\"") for word in words if word[:2] == b"--"]
    if b"p" in short or b"u" in short or b"--load-panic" in long or b"--unload" in long:
        return False, False
    return b"l" in short or b"--load" in long, b"e" in short or b"--exec" in long


def _find_files(root: Path) -> Iterator[str]:
    yield from FILES
    for directory in DIRECTORIES:
        names: List[str] = []
        with contextlib.suppress(Error, OSError):
            names = sorted(list_names(below(root, directory)))[:MOST]
        for name in names:
            packaged = name in PACKAGED or name.startswith("kexec-initd")
            if not packaged and (not directory.startswith("etc/systemd") or name.endswith(".service")):
                yield directory + "/" + name
