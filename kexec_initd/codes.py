"""Decisions, and their stable codes; kexec-initd(8) says what each means, and programs may rely on them.

Strings, as `status --json` and the record of the last cold reboot have them; the sentence beside a code is for people.
"""

import enum
from typing import NamedTuple


class Code(str, enum.Enum):
    """Why a reboot goes the way it goes."""

    TARGET = "target"
    BY_HAND = "by-hand"

    COLD_ONCE = "cold-once"
    SWITCHED_OFF = "switched-off"
    SETTINGS = "settings"
    CONTAINER = "container"
    CHROOT = "chroot"
    INIT = "init"
    PLATFORM = "platform"
    UNSUPPORTED = "unsupported"
    HOOKS = "hooks"
    FIRMWARE = "firmware"
    UPDATE = "update"
    NO_TARGET = "no-target"
    UNFIT = "unfit"
    CHANGED = "changed"
    GUARD = "guard"
    LIMIT_KEXECS = "limit-kexecs"
    LIMIT_DAYS = "limit-days"
    TRIAL = "trial"
    FAILED = "failed"
    LOST = "lost"
    UNDECIDED = "undecided"
    NOT_INSTALLED = "not-installed"

    def __str__(self) -> str:
        return str(self.value)


class Decision(NamedTuple):
    """Kexec or cold, which the stable code tells, and a sentence."""

    code: Code
    reason: str

    @property
    def kexec(self) -> bool:
        """Tell whether the reboot goes through kexec."""
        return self.code in (Code.TARGET, Code.BY_HAND)
