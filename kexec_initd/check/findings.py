"""The records of `check`: what it looks at, and what it finds, a line for each thing."""

import contextlib
import enum
import re
from typing import List, NamedTuple, Optional

from kexec_initd.decision.verdict import Verdict
from kexec_initd.errors import Error
from kexec_initd.settings.reader import Settings, path_for
from kexec_initd.system.host import Host

ASSIGNMENT = r"[ \t]*(?:export[ \t]+)?{}[ \t]*="


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
    """All that the checks go by; `warnings` are those of the settings."""

    host: Host
    settings: Settings
    warnings: List[str]
    verdict: Verdict


def find_setting(gathered: Gathered, key: str) -> Origin:
    """Return where the settings have `key`, the last line of it; the file alone where no line has it, nothing without a file."""
    host = gathered.host
    file = "/{}".format(path_for(host.root, host.family).relative_to(host.root))
    text = None
    with contextlib.suppress(Error):
        text = host.tree.read_text(file)
    if text is None:
        return Origin()
    lines = [number for number, line in enumerate(text.split("\n"), 1) if re.match(ASSIGNMENT.format(key), line)]
    return Origin(file, lines[-1] if lines else None)
