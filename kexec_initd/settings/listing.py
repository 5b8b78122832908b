"""The settings that hold, each with the line of a file that it comes from; as text that is a settings file again, or as JSON."""

import json
import re
from typing import Any, List, NamedTuple, Optional

from kexec_initd.settings.reader import Reading, Settings
from kexec_initd.settings.values import SETTINGS

VERSION = 1  # of the JSON; a field that is added later does not raise it
_BARE = re.compile(r"[A-Za-z0-9_.,:/+=@%-]*\Z")
_SPECIAL = re.compile(r"[\"$`\\]")


class ListedSetting(NamedTuple):
    """A setting: its value and its default as a file spells them, without quotes; None for `origin` where the default holds."""

    name: str
    value: str
    default: str
    origin: Optional[str]


def list_settings(reading: Reading) -> List[ListedSetting]:
    """Return all settings."""
    fields = [(name, setting.field) for name, setting in SETTINGS.items()]
    return [
        ListedSetting(
            name,
            describe_value(getattr(reading.settings, field)),
            describe_value(getattr(Settings(), field)),
            reading.origins.get(name),
        )
        for name, field in fields
    ]


def describe_value(value: Any) -> str:
    """Return a value as a settings file spells it, without quotes."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(value) or "no"
    return "no" if value == 0 else str(value)


def quoted(value: str) -> str:
    """Return a value with the quotes that it needs in a settings file."""
    if _BARE.match(value):
        return value
    return "'{}'".format(value) if _SPECIAL.search(value) else '"{}"'.format(value)


def as_text(reading: Reading) -> str:
    """Return a line for each setting, behind it where it comes from."""
    rows = [("{}={}".format(row.name, quoted(row.value)), row.origin or "default") for row in list_settings(reading)]
    width = max(len(assignment) for assignment, _ in rows if len(assignment) < 40)
    return "\n".join("{:{}}  # {}".format(assignment, width, origin) for assignment, origin in rows)


def as_json(reading: Reading) -> str:
    """Return one JSON object."""
    return json.dumps(
        {
            "version": VERSION,
            "understood": reading.settings.ignored is None,
            "problem": reading.settings.ignored,
            "settings": [row._asdict() for row in list_settings(reading)],
            "warnings": reading.warnings,
        },
        indent=2,
    )
