"""The one reader of /etc/default/kexec-initd, on RHEL /etc/sysconfig/kexec-initd, and of the drop-ins beside it (`sources`).

A file looks like the shell's assignments, as its neighbours there do, but it is parsed and never sourced: a stray
quote or an `exit` in it must not strand a reboot. This is its only reader, and what plain shell needs of it is written
down (`for_shell`). They decide whether and how to jump, so a line that is not understood, which may have said
anything, makes every reboot go cold until it is mended.
"""

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from kexec_initd import sentences
from kexec_initd.errors import Refused
from kexec_initd.settings import sources
from kexec_initd.settings.sources import SettingsFile
from kexec_initd.settings.sources import path_for as path_for
from kexec_initd.settings.values import SETTINGS, find_meant
from kexec_initd.system.encoding import decode
from kexec_initd.system.files import read_trusted
from kexec_initd.system.host import Family

LIMIT = 65536

_LINE = re.compile(
    r"""(?:export[ \t]+)? (?P<key>[A-Za-z_][A-Za-z0-9_]*) =
        (?: "(?P<double>[^"$`\\]*)" | '(?P<single>[^']*)' | (?P<bare>[A-Za-z0-9_.,:/+=@%-]*) )
        (?: [ \t]+ (?:\#.*)? )? \Z""",
    re.VERBOSE | re.DOTALL,
)
# A carriage return ends a line for other systems, and what an editor shows of the others nobody knows.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


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
    """REMOVE_MODULES: kernel modules to remove before the jump, in this order, or "auto"; where one stays, it goes cold."""
    cmdline_append: str = ""
    """CMDLINE_APPEND: parameters that are put behind those of the entry, see `cmdline.edit`."""
    cmdline_remove: str = ""
    """CMDLINE_REMOVE: parameters that are taken away from the entry's, by name or as a whole."""
    watchdog: int = 0
    """WATCHDOG: seconds within which the next kernel has to come to the end of its boot, or be reset by hardware; 0: not."""
    max_kexecs: int = 0
    """MAX_KEXECS: after how many kexecs since the last firmware boot the next reboot is one; 0 for never."""
    max_days: int = 0
    """MAX_DAYS: after how many days since the last firmware boot the next reboot is one; 0 for never."""
    trial: int = 0
    """TRIAL: how many kexecs have to arrive, each asked for by `kexec-initd trial`, before a reboot is one by itself."""
    force_platform: bool = False
    """FORCE_PLATFORM: go through kexec also where the platform is known not to survive it."""
    check_route: bool = False
    """CHECK_ROUTE: a kexec has only arrived when the next system has a default route."""
    check_seconds: int = 60
    """CHECK_SECONDS: how long the checks after a kexec are repeated before they have failed."""
    panic_kernel: str = "no"
    """PANIC_KERNEL: load a kernel for a panic at boot: "yes" for the target, an entry's name or a kernel's path, or "no"."""
    unpack_initrd: str = "no"
    """UNPACK_INITRD: hand the initrd to kexec unpacked: "yes" wherever that can be done, "auto" where it saves time, or "no"."""
    ignored: Optional[str] = None
    """Why a file, or a line of it, was not understood: it may have said that a reboot goes cold, so it does."""
    seen: Optional[str] = None
    """The identity of the files (`sources.identify`) from before they were read."""


class Reading(NamedTuple):
    """The settings, warnings, and by the name of each setting the line that it comes from, "FILE:LINE"; none for a default."""

    settings: Settings
    warnings: List[str]
    origins: Dict[str, str]


def read(root: Path, family: Family) -> Tuple[Settings, List[str]]:
    """Return the settings of the host below `root`, and warnings; the defaults where there is no file.

    A file that others may write, that is not a regular one, too large or not text is `ignored`, with a warning.
    """
    return read_all(root, family)[:2]


def read_all(root: Path, family: Family) -> Reading:
    """Return what `read` does, and where each setting comes from."""
    seen = sources.identify(root, family)  # first: a file that is written meanwhile then counts as another one
    reading = Reading(Settings(seen=seen), [], {})
    for source in sources.find_sources(root, family):
        reading = _read_source(root, source, reading)
    return reading


def _read_source(root: Path, source: SettingsFile, reading: Reading) -> Reading:
    """Return `reading` with what one more file says; the first doubt stays."""
    path, settings = source.path, reading.settings
    try:
        if source.flaw is not None:
            raise Refused(source.flaw)
        data = _read_trusted(root, Path("/") / path.relative_to(root))
    except Refused as error:
        reason = sentences.IGNORED.format(error)
        return Reading(
            settings._replace(ignored=settings.ignored or reason), [*reading.warnings, reason], reading.origins
        )
    added = _take(decode(data), str(path), settings)
    warnings = ["{}: {}".format(path, warning) for warning in added.warnings]
    return Reading(added.settings, [*reading.warnings, *warnings], {**reading.origins, **added.origins})


def parse(text: str, name: str = "settings") -> Tuple[Settings, List[str]]:
    """Return the settings that `text` makes, and a warning with its number for each line that says nothing to us.

    The first line that is not understood makes them `ignored`, with the `name` of the file.
    """
    return _take(text, name, Settings())[:2]


def _take(text: str, name: str, settings: Settings) -> Reading:
    """Return `settings` after the lines of a file."""
    warnings, origins, doubt = [], {}, settings.ignored  # type: List[str], Dict[str, str], Optional[str]
    for number, line in enumerate(text.split("\n"), 1):
        try:
            settings, key, problem = _apply(settings, line[:-1] if line.endswith("\r") else line)
            if key is not None:
                origins[key] = "{}:{}".format(name, number)
        except ValueError as error:
            problem = "{}: reboots go through firmware".format(error)
            doubt = doubt or sentences.NOT_UNDERSTOOD.format(name, number, error)
        if problem:
            warnings.append("line {}: {}".format(number, problem))
    return Reading(settings._replace(ignored=doubt), warnings, origins)


def _read_trusted(root: Path, path: Path) -> bytes:
    """Return the content of `path`; raise Refused for a file that must not be trusted or cannot be settings."""
    data = read_trusted(root, path, LIMIT)
    if b"\0" in data:
        raise Refused(sentences.HAS_NUL.format(path))
    return data


def _apply(settings: Settings, line: str) -> Tuple[Settings, Optional[str], Optional[str]]:
    """Return `settings` after one line, which of them it sets, and a warning about it.

    Raises ValueError for one that is not understood.
    """
    text = line.strip(" \t")
    match = None if _CONTROL.search(text) else _LINE.match(text)
    if match is None:
        if _CONTROL.search(text) or (text and not text.startswith("#")):
            raise ValueError(sentences.IS_NO_LINE.format(repr(text[:80])))
        return settings, None, None
    key, value = match.group("key"), match.group("double") or match.group("single") or match.group("bare") or ""
    found = SETTINGS.get(key)
    if found is None:
        return settings, None, _warn_of(key)
    parsed = found.parse(value)
    if parsed is None:
        raise ValueError(sentences.IS_NO_VALUE.format(key, repr(value[:80]), found.wrong))
    return settings._replace(**{found.field: parsed}), key, None


def _warn_of(key: str) -> str:
    """Return the warning about a key that is none of ours. Raises ValueError where one of ours may have been meant."""
    meant = find_meant(key)
    if meant is not None:
        raise ValueError(sentences.IS_NO_SETTING.format(key[:80], meant))
    return "the setting {} is unknown".format(key[:80])
