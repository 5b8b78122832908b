"""What stands in Python and in plain shell: the templates of a host without Python are filled with it, so that neither drifts.

All of it is ours, and plain enough to stand in double quotes: nothing here comes from the host.
"""

from typing import Any, Dict, List, NamedTuple

from kexec_initd.settings.reader import Settings
from kexec_initd.settings.values import SETTINGS


class PythonSetting(NamedTuple):
    """A setting that no shell can carry out, and what it asks for."""

    name: str
    field: str
    default: str
    deed: str


def find_tables() -> Dict[str, Any]:
    """Return each table by the name that the templates have for it."""
    return {"python_settings": _list_python_settings()}


def _list_python_settings() -> List[PythonSetting]:
    defaults = Settings()._asdict()
    found = [
        PythonSetting(name, setting.field, str(defaults[setting.field]), setting.python)
        for name, setting in SETTINGS.items()
    ]
    return [row for row in found if row.deed]
