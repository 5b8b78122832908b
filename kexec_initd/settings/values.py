"""The values of settings: for each key, what makes its value of a text, and what that text has to be.

Each `parse_` returns None for a text that it does not understand. Plain shell reads the same by this table
(templates/standalone/settings.sh).
"""

import re
from typing import Any, Callable, NamedTuple, Optional, Tuple

from kexec_initd.cmdline.edit import LIMIT as LENGTH
from kexec_initd.cmdline.edit import parse_words
from kexec_initd.system.kernel_modules import AUTO

SHORTEST_WATCH = 30  # which is what a boot may take
NO_WORDS = "not a list of parameters in ASCII without -- or an open quote, of at most {} bytes".format(LENGTH)
NO_MODULES = "neither no nor auto nor a list of kernel modules with blanks between them, of at most {} bytes".format(
    LENGTH
)

WORDS = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
_KERNEL = re.compile(r"[!-~][ -~]*\Z")
_MODULES = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_-]*(?:[ \t]+|\Z))*\Z")


class Number(NamedTuple):
    """A number within two bounds; where `or_no` says so, no and its like are 0."""

    least: int
    most: int
    or_no: bool

    def parse(self, value: str) -> Optional[int]:
        """Return the number; None for anything else."""
        if self.or_no and parse_switch(value) is False:
            return 0
        number = int(value) if re.match(r"[1-9][0-9]{0,4}\Z", value) else 0
        return number if self.least <= number <= self.most else None


class Setting(NamedTuple):
    """One setting: its field of Settings, what makes that field's value of a text, and what is wrong with any other.

    `python` says what of it only Python can do: where it is set, plain shell goes cold, or where no reboot depends on it (not
    `decides`) only tells so.
    """

    field: str
    parse: Callable[[str], Any]  # each field has a type of its own
    wrong: str
    python: str = ""
    number: Optional[Number] = None
    decides: bool = True


def parse_switch(value: str) -> Optional[bool]:
    """Return what yes, no and their like mean; None for any other word."""
    return WORDS.get(value.lower())


def parse_unpack(value: str) -> Optional[str]:
    """Return "yes", "no" or "auto"; None for any other word."""
    switch = parse_switch(value)
    if switch is not None:
        return "yes" if switch else "no"
    return "auto" if value.lower() == "auto" else None


def parse_kernel(value: str) -> Optional[str]:
    """Return "yes", "no", or the name of a kernel; None for what can be none: empty, too long, or not ASCII that shows."""
    switch = parse_switch(value)
    if switch is not None:
        return "yes" if switch else "no"
    return value if len(value) <= LENGTH and _KERNEL.match(value) else None


def parse_modules(value: str) -> Optional[Tuple[str, ...]]:
    """Return names of kernel modules, none for no and its like; None where a word cannot be one, or means yes.

    The word auto stands for those of `system.drivers`.
    """
    value = value.strip(" \t")
    if parse_switch(value) is not None:
        return None if parse_switch(value) else ()
    if len(value) > LENGTH or not _MODULES.match(value):
        return None
    return tuple(AUTO if word.lower() == AUTO else word for word in value.split())


def _number(field: str, least: int, most: int, or_no: bool = True, python: str = "") -> Setting:
    number = Number(least, most, or_no)
    wrong = "neither no nor a number from {} to {}" if or_no else "not a number from {} to {}"
    return Setting(field, number.parse, wrong.format(least, most), python, number)


# Every setting there is, by its name in the file.
SETTINGS = {
    "KEXEC": Setting("kexec", parse_switch, "neither yes nor no"),
    "PRELOAD": Setting("preload", parse_switch, "neither yes nor no"),
    "PURGATORY_CHECKS": Setting("purgatory_checks", parse_switch, "neither yes nor no"),
    "UNPACK_INITRD": Setting("unpack_initrd", parse_unpack, "neither auto nor yes nor no", "unpack an initrd"),
    "GUARD_BOOTS": _number("guard_boots", 1, 999, or_no=False),
    "SHUTDOWN_LIMIT": _number("shutdown_limit", 10, 99999),
    "REMOVE_MODULES": Setting("remove_modules", parse_modules, NO_MODULES),
    "MAX_KEXECS": _number("max_kexecs", 1, 9999),
    "MAX_DAYS": _number("max_days", 1, 9999),
    "TRIAL": _number("trial", 1, 9999),
    "FORCE_PLATFORM": Setting("force_platform", parse_switch, "neither yes nor no"),
    "CHECK_ROUTE": Setting("check_route", parse_switch, "neither yes nor no"),
    "CHECK_SECONDS": _number("check_seconds", 1, 999, or_no=False),
    "PANIC": _number("panic", 1, 999),
    "PANIC_KERNEL": Setting(
        "panic_kernel",
        parse_kernel,
        "neither yes nor no nor the name of a kernel",
        "load a kernel for a panic",
        decides=False,
    ),
    "CMDLINE_APPEND": Setting("cmdline_append", parse_words, NO_WORDS),
    "CMDLINE_REMOVE": Setting("cmdline_remove", parse_words, NO_WORDS),
    "WATCHDOG": _number("watchdog", SHORTEST_WATCH, 999, python="set a watchdog"),
}


def find_meant(key: str) -> Optional[str]:
    """Return the setting that a key may have been meant for: it differs by its case, or by a letter or two.

    A key of three letters has to begin like it, too: NIC is none for PANIC.
    """
    upper = key.upper()
    return next(
        (name for name in SETTINGS if (len(key) > 3 or upper[:1] == name[:1]) and _is_near(upper, name, 2)), None
    )


def _is_near(one: str, other: str, edits: int) -> bool:
    """Tell whether so many letters put in, left out or replaced make one word of the other."""
    if abs(len(one) - len(other)) > edits:
        return False
    same = next((at for at in range(len(one)) if one[at : at + 1] != other[at : at + 1]), len(one))
    one, other = one[same:], other[same:]
    if not one and not other:
        return True
    pairs = ((one[1:], other), (one, other[1:]), (one[1:], other[1:]))
    return edits > 0 and any(_is_near(*pair, edits - 1) for pair in pairs)
