"""kexec-tools' own settings, /etc/default/kexec and the files of kexec.d beside it: what of them no longer counts, and what does.

Its scripts, which source them, are set aside by ours. Everybody has the file, so only what differs from what the package writes
is told, and only until the setting that takes its place is there.
"""

import re
import shlex
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Tuple

from kexec_initd.settings.reader import Settings
from kexec_initd.system.encoding import list_names
from kexec_initd.system.files import read_text
from kexec_initd.system.safe_path import below

FILE, DIRECTORY = "/etc/default/kexec", "/etc/default/kexec.d"
_LINE = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<key>[A-Z_]+)=(?P<value>.*)\Z")
_SNIPPET = re.compile(r"[A-Za-z0-9_-]+\Z")  # what run-parts(8) takes


class ReplacedSetting(NamedTuple):
    """A setting of kexec-tools: the values that say nothing, and what takes its place."""

    defaults: Tuple[str, ...]
    instead: str


REPLACED = {
    "LOAD_KEXEC": ReplacedSetting(("true", "1"), "KEXEC=no takes its place, which kexec-initd off sets"),
    "APPEND": ReplacedSetting(
        ("",), "the command line is that of the boot entry, to which CMDLINE_APPEND adds; see kexec-initd(5)"
    ),
    "USE_GRUB_CONFIG": ReplacedSetting(("false", ""), "the entry that the boot loader would boot is always taken"),
    "KERNEL_IMAGE": ReplacedSetting(
        ("/vmlinuz", "/boot/vmlinuz"), "the boot loader's entry is taken, or what kexec-initd load ENTRY names"
    ),
    "INITRD": ReplacedSetting(("/initrd.img", "/boot/initrd.img"), "the initrd is that of the boot entry"),
}


class ReplacedLine(NamedTuple):
    """A line of kexec-tools' settings that no longer counts, and what takes its place."""

    path: str
    number: int
    key: str
    value: str
    instead: str


def list_replaced(root: Path, settings: Settings) -> List[str]:
    """Return a sentence for each setting of kexec-tools that is set, and no longer counts."""
    form = "{0.path}: {1}: {0.instead}"
    return [form.format(line, describe(line)) for line in find_replaced(root, settings)]


def describe(line: ReplacedLine) -> str:
    """Say what no longer counts."""
    return "{0.key}={0.value} is a setting of kexec-tools' own scripts, and no longer counts".format(line)


def find_replaced(root: Path, settings: Settings) -> List[ReplacedLine]:
    """Return the line for each setting of kexec-tools that is set, the last one of each."""
    replaced = {"LOAD_KEXEC": not settings.kexec, "APPEND": settings.cmdline_append != ""}
    found = {line.key: line for path in _list_files(root) for line in _read_lines(root, path)}
    return [line for key, line in found.items() if line.value not in REPLACED[key].defaults and not replaced.get(key)]


def _list_files(root: Path) -> List[str]:
    try:
        names = sorted(list_names(below(root, DIRECTORY)))
    except OSError:
        names = []
    return [FILE, *("{}/{}".format(DIRECTORY, name) for name in names if _SNIPPET.match(name))]


def _read_lines(root: Path, path: str) -> Iterator[ReplacedLine]:
    """Yield what a file gives the settings of `REPLACED`."""
    for number, line in enumerate((_read(root, path) or "").split("\n"), 1):
        match = _LINE.match(line)
        if match and match.group("key") in REPLACED:
            key, value = match.groups()
            yield ReplacedLine(path, number, key, _unquoted(value), REPLACED[key].instead)


def _read(root: Path, path: str) -> Optional[str]:
    try:
        return read_text(below(root, path))
    except OSError:
        return None  # what cannot be read says nothing here


def _unquoted(value: str) -> str:
    """Return the first word of what a shell would read, as it is written where that is left open."""
    try:
        return (shlex.split(value, comments=True) or [""])[0]
    except ValueError:
        return value
