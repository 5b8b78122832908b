"""What the admin has set in /etc/default/kexec-initd or /etc/sysconfig/kexec-initd.

The file looks like the shell's assignments, as its neighbours there do, but it is parsed and never sourced: a stray
quote or an `exit` in it must not strand a reboot. What is not understood is left out with a warning, and the defaults
are good; only a KEXEC that is set to something unknown counts as no, since in doubt a reboot goes cold.
"""

import os
import re
from pathlib import Path
from typing import Any, Callable, List, NamedTuple, Optional, Tuple

from kexec_initd.editing import LIMIT as LENGTH
from kexec_initd.editing import parse_words
from kexec_initd.errors import Refused
from kexec_initd.files import open_trusted
from kexec_initd.host import Family

LIMIT = 65536
SHORTEST_WATCH = 30

_LINE = re.compile(
    r"""(?:export[ \t]+)? (?P<key>[A-Za-z_][A-Za-z0-9_]*) =
        (?: "(?P<double>[^"$`\\]*)" | '(?P<single>[^']*)' | (?P<bare>[A-Za-z0-9_.,:/+=@%-]*) )
        (?: [ \t]+ (?:\#.*)? )? \Z""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}


class Settings(NamedTuple):
    """All settings, with their defaults."""

    kexec: bool = True
    """KEXEC: reboot through kexec at all; with `no` every reboot is cold."""
    preload: bool = True
    """PRELOAD: load the next kernel at boot, not only at shutdown."""
    purgatory_checks: bool = False
    """PURGATORY_CHECKS: let the purgatory verify the loaded segments during the jump, which takes seconds."""
    guard_boots: int = 3
    """GUARD_BOOTS: after an attempt that never arrived, how many boots have to come up well before the next kexec."""
    panic: int = 30
    """PANIC: seconds after which a kernel that panics resets the machine, where its entry does not say; 0: left alone."""
    shutdown_limit: int = 1800
    """SHUTDOWN_LIMIT: seconds that a shutdown may take before the dead-man resets the machine; 0: no dead-man."""
    remove_modules: Tuple[str, ...] = ()
    """REMOVE_MODULES: kernel modules that are removed before the jump, in this order; where one stays, it goes cold."""
    cmdline_append: str = ""
    """CMDLINE_APPEND: parameters that are put behind those of the entry, see `editing`."""
    cmdline_remove: str = ""
    """CMDLINE_REMOVE: parameters that are taken away from the entry's, by name or as a whole."""
    watchdog: int = 0
    """WATCHDOG: seconds within which the next kernel has to come to the end of its boot, or be reset by hardware; 0: not."""
    max_kexecs: int = 0
    """MAX_KEXECS: after how many kexecs since the last boot through firmware the next reboot is one; 0 for never."""
    max_days: int = 0
    """MAX_DAYS: after how many days since the last boot through firmware the next reboot is one; 0 for never."""
    trial: int = 0
    """TRIAL: how many kexecs have to arrive, each asked for by `kexec-initd trial`, before a reboot is one by itself."""
    force_platform: bool = False
    """FORCE_PLATFORM: go through kexec also where the platform is known not to bear it."""
    check_route: bool = False
    """CHECK_ROUTE: a kexec has only arrived when the next system has a default route."""
    check_seconds: int = 60
    """CHECK_SECONDS: how long the checks after a kexec are repeated before they have failed."""
    ignored: Optional[str] = None
    """Why the file, or a limit in it, was not read: it may have said that a reboot goes cold, so it does."""


class Setting(NamedTuple):
    """One setting: its field of Settings, what makes that field's value of a text (None: not understood), what it wants.

    One that `limits` what goes through kexec makes a reboot go cold when it is not understood.
    """

    field: str
    parse: Callable[[str], Any]  # each field has a type of its own
    wanted: str
    limits: bool = False


def path_for(root: Path, family: Family) -> Path:
    """Return where a host of `family` below `root` keeps the settings."""
    return root / ("etc/sysconfig" if family is Family.RHEL else "etc/default") / "kexec-initd"


def read(root: Path, family: Family) -> Tuple[Settings, List[str]]:
    """Return the settings of the host below `root`, and warnings; the defaults where there is no file.

    A file that others may write, that is not a regular one, too large or not text is `ignored`, with a warning.
    """
    path = path_for(root, family)
    if not os.path.lexists(str(path)):
        return Settings(), []
    try:
        data = _read_trusted(root, Path("/") / path.relative_to(root))
    except Refused as error:
        reason = "settings ignored: {}".format(error)
        return Settings(ignored=reason), [reason]
    settings, warnings = parse(data.decode("utf-8", "surrogateescape"))
    return settings, ["{}: {}".format(path, warning) for warning in warnings]


def parse(text: str) -> Tuple[Settings, List[str]]:
    """Return the settings that `text` makes, and a warning with its number for each line that is not understood."""
    settings, warnings = Settings(), []  # type: Settings, List[str]
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        settings, problem = _apply(settings, line)
        if problem:
            warnings.append("line {}: {}".format(number, problem))
    return settings, warnings


def _read_trusted(root: Path, path: Path) -> bytes:
    """Return the content of `path`; raise Refused for a file that must not be trusted or cannot be settings."""
    fd = open_trusted(root, path)
    try:
        with os.fdopen(fd, "rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise Refused("cannot read {}: {}".format(path, error.strerror))
    if len(data) > LIMIT:
        raise Refused("{} is larger than {} bytes".format(path, LIMIT))
    if b"\0" in data:
        raise Refused("{} holds a NUL byte".format(path))
    return data


def _apply(settings: Settings, line: str) -> Tuple[Settings, Optional[str]]:
    """Return `settings` after one line, and what is wrong with that line."""
    match = _LINE.match(line)
    if match is None:
        # A line that means to set KEXEC, but cannot be read, must not leave kexec on.
        if _means("KEXEC", line):
            return settings._replace(kexec=False), "KEXEC is not understood: taken as no"
        limit = next((key for key in SETTINGS if SETTINGS[key].limits and _means(key, line)), None)
        if limit:
            return _in_doubt(settings, "{} is not understood".format(limit))
        return settings, "not an assignment that is understood: {!r}".format(line[:80])
    value = match.group("double") or match.group("single") or match.group("bare") or ""
    return _assign(settings, match.group("key"), value)


def _assign(settings: Settings, key: str, value: str) -> Tuple[Settings, Optional[str]]:
    """Return `settings` with KEY=value applied, and what is wrong with it."""
    found = SETTINGS.get(key)
    if found is None:
        return settings, "the setting {} is unknown".format(key[:80])
    parsed = found.parse(value)
    if parsed is not None:
        return settings._replace(**{found.field: parsed}), None
    problem = "{}={!r} is {}".format(key, value[:80], found.wanted)
    if key == "KEXEC":
        return settings._replace(kexec=False), problem + ": taken as no"
    return _in_doubt(settings, problem) if found.limits else (settings, problem)


def _means(key: str, line: str) -> bool:
    """Tell whether a line that cannot be read means to set `key`."""
    return re.match(r"(?:export[ \t]+)?{}=".format(key), line) is not None


def _in_doubt(settings: Settings, problem: str) -> Tuple[Settings, Optional[str]]:
    """Return `settings` with which every reboot goes cold, since a limit is not known."""
    return settings._replace(
        ignored=settings.ignored or "settings: " + problem
    ), problem + ": reboots go through firmware"


def parse_switch(value: str) -> Optional[bool]:
    """Return what yes, no and their like mean; None for any other word."""
    return _WORDS.get(value.lower())


def parse_count(value: str) -> Optional[int]:
    """Return a number from 1 to 999; None for anything else."""
    return int(value) if re.match(r"[1-9][0-9]{0,2}\Z", value) else None


def parse_seconds(value: str) -> Optional[int]:
    """Return a number from 1 to 999, 0 for no and its like; None for anything else."""
    return 0 if parse_switch(value) is False else parse_count(value)


def parse_limit(value: str) -> Optional[int]:
    """Return a number from 10 to 99999, 0 for no and its like; None for anything else."""
    if parse_switch(value) is False:
        return 0
    return int(value) if re.match(r"[1-9][0-9]{1,4}\Z", value) else None


def parse_modules(value: str) -> Optional[Tuple[str, ...]]:
    """Return names of kernel modules, none for no; None where a word cannot be one."""
    words = () if value.lower() == "no" else tuple(value.split())
    return words if all(re.match(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z", word) for word in words) else None


NO_WORDS = "no list of parameters in ASCII without `--` and an open quote, of at most {} bytes".format(LENGTH)


def parse_watchdog(value: str) -> Optional[int]:
    """Return a number from 30 to 999, which is what a boot may take, 0 for no and its like; None for anything else."""
    seconds = parse_seconds(value)
    return None if seconds is not None and 0 < seconds < SHORTEST_WATCH else seconds


def parse_most(value: str) -> Optional[int]:
    """Return a number from 1 to 9999, 0 for no and its like; None for anything else."""
    if parse_switch(value) is False:
        return 0
    return int(value) if re.match(r"[1-9][0-9]{0,3}\Z", value) else None


# Every setting there is, by its name in the file.
SETTINGS = {
    "KEXEC": Setting("kexec", parse_switch, "neither yes nor no"),
    "PRELOAD": Setting("preload", parse_switch, "neither yes nor no"),
    "PURGATORY_CHECKS": Setting("purgatory_checks", parse_switch, "neither yes nor no"),
    "GUARD_BOOTS": Setting("guard_boots", parse_count, "no number from 1 to 999"),
    "SHUTDOWN_LIMIT": Setting("shutdown_limit", parse_limit, "neither no nor a number from 10 to 99999"),
    "REMOVE_MODULES": Setting("remove_modules", parse_modules, "no list of kernel modules"),
    "MAX_KEXECS": Setting("max_kexecs", parse_most, "neither no nor a number from 1 to 9999", limits=True),
    "MAX_DAYS": Setting("max_days", parse_most, "neither no nor a number from 1 to 9999", limits=True),
    "TRIAL": Setting("trial", parse_most, "neither no nor a number from 1 to 9999", limits=True),
    "FORCE_PLATFORM": Setting("force_platform", parse_switch, "neither yes nor no"),
    "CHECK_ROUTE": Setting("check_route", parse_switch, "neither yes nor no"),
    "CHECK_SECONDS": Setting("check_seconds", parse_count, "no number from 1 to 999"),
    "PANIC": Setting("panic", parse_seconds, "neither no nor a number from 1 to 999"),
    "CMDLINE_APPEND": Setting("cmdline_append", parse_words, NO_WORDS),
    "CMDLINE_REMOVE": Setting("cmdline_remove", parse_words, NO_WORDS),
    "WATCHDOG": Setting("watchdog", parse_watchdog, "neither no nor a number from 30 to 999"),
}
