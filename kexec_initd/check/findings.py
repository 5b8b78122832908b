"""The records of `check`: what it looks at, and what it finds, a line for each thing."""

import enum
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from kexec_initd.decision.verdict import Verdict
from kexec_initd.settings.reader import Settings
from kexec_initd.settings.sources import path_for
from kexec_initd.system.files import is_there
from kexec_initd.system.host import Host


class Severity(enum.Enum):
    """How a precondition stands. With one that blocks, a reboot is cold."""

    OK = "ok"
    WARNING = "warning"
    BLOCKS = "blocks"


class Origin(NamedTuple):
    """Where a fact comes from: a file as the host sees it, and the line, from 1; None where there is none."""

    file: Optional[str] = None
    line: Optional[int] = None


class Finding(NamedTuple):
    """One thing that was looked at, the fact found, where it comes from, and what to do."""

    check: str
    severity: Severity
    fact: str
    origin: Origin = Origin()
    advice: str = ""


class Gathered(NamedTuple):
    """All that the checks go by; `warnings` are those of the settings, `origins` the lines that set them (`reader.Reading`)."""

    host: Host
    settings: Settings
    warnings: List[str]
    origins: Dict[str, str]
    verdict: Verdict


def find_setting(gathered: Gathered, key: str) -> Origin:
    """Return the line that sets `key`; the settings file alone where none does, nothing without a file."""
    host = gathered.host
    file, _, line = gathered.origins.get(key, "").rpartition(":")
    if line:
        return Origin("/{}".format(Path(file).relative_to(host.root)), int(line))
    path = path_for(host.root, host.family)
    return Origin("/{}".format(path.relative_to(host.root))) if is_there(path) else Origin()
