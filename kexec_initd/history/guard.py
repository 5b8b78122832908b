"""The rules by which one boot is judged from the record of those before it, and which reboots go cold for that. Pure.

The boot that shows the id of the attempt under way is its arrival, and no other id counts: a line that was copied into the
loader's configuration carries an old one for ever. A boot without it that came through a kexec all the same is that of a
kernel which somebody has loaded over ours; any other boot that comes instead closes the guard, as does an arrival that the
checks after the boot find wanting. `attempts` keeps the record on the disk.
"""

import enum
import time
from typing import NamedTuple, Optional

from kexec_initd import sentences

NOTHING = "-"
PLAUSIBLE = 1577836800  # 2020-01-01: a clock that shows less was never set, as after a battery has failed
DAY = 86400


class Outcome(enum.Enum):
    """The end that an attempt has come to."""

    UNDER_WAY = "under-way"
    ARRIVED = "arrived"
    LOST = "lost"
    FAILED = "failed"
    REPLACED = "replaced"


# As people read them: the log and `status` alike.
FATES = {
    Outcome.UNDER_WAY: "under way",
    Outcome.ARRIVED: "arrived",
    Outcome.LOST: sentences.NEVER_ARRIVED,
    Outcome.FAILED: "failed its checks",
    Outcome.REPLACED: "replaced by a kernel that was loaded by hand",
}


class Attempt(NamedTuple):
    """One kexec: its id, seconds since 1970, what of (`target_key`), the release of its kernel in printable ASCII."""

    id: str
    time: int
    target: str
    release: str

    def __str__(self) -> str:
        return "attempt {} (kernel {}, {})".format(self.id, self.release, describe_time(self.time))


class Last(NamedTuple):
    """The last attempt."""

    outcome: Outcome
    attempt: Attempt


class Guard(NamedTuple):
    """The attempt that closed the guard, how many boots have come up well since the one that showed it, and why.

    `why` is a sentence in printable ASCII for an arrival that failed its checks; None for an attempt that never arrived.
    """

    boots: int
    attempt: Attempt
    why: Optional[str] = None

    def __str__(self) -> str:
        return "{} {}".format(self.attempt, self.fate)

    @property
    def fate(self) -> str:
        """What became of it, in a few words."""
        return sentences.ARRIVED_UNFIT.format(self.why) if self.why else sentences.NEVER_ARRIVED


class Record(NamedTuple):
    """All that is remembered from boot to boot.

    `boot` is the id of the last boot that was judged; `kexecs` are those that have led to a boot since the last one through
    firmware, none where it came so itself, `total` are good arrivals of ever; `firmware` says when that boot began, in
    seconds since 1970, 0 where no clock told.
    """

    boot: str = NOTHING
    kexecs: int = 0
    total: int = 0
    firmware: int = 0
    last: Optional[Last] = None
    guard: Optional[Guard] = None


class Boot(NamedTuple):
    """One boot: its id, the attempt that it shows, when it began (seconds since 1970; 0 where no clock tells).

    `shown` is the last attempt if the command line has its id, None for any other. `by_kexec`: something else than an
    attempt shows that a kexec has led to this boot.
    """

    id: str
    shown: Optional[str]
    began: int
    by_kexec: bool = False


def describe_time(seconds: int) -> str:
    """Return a time since 1970 for a person."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def when_began(now: float, uptime: float) -> int:
    """Return when a boot began, by a clock that shows `now` after `uptime` seconds; 0 for one that was never set."""
    began = int(now - uptime)
    return began if began >= PLAUSIBLE else 0


def find_arriving(record: Record, boot: Boot) -> Optional[Attempt]:
    """Return the attempt under way whose arrival `boot` is, not yet judged; None where it is that of none."""
    last = record.last
    if last is None or record.boot == boot.id or (last.outcome, last.attempt.id) != (Outcome.UNDER_WAY, boot.shown):
        return None
    return last.attempt


def judge(record: Record, boot: Boot, limit: int, failure: Optional[str] = None) -> Record:
    """Return `record` after `boot`; `failure` says what the checks of an arrival have found wanting.

    Each boot counts once, however often it is judged; after `limit` good ones the guard goes.
    """
    if record.boot == boot.id:
        return record
    last, guard, total = record.last, record.guard, record.total
    kexecs, firmware = record.kexecs + 1, record.firmware or boot.began
    if guard is not None:
        guard = guard._replace(boots=guard.boots + 1)
    arriving = find_arriving(record, boot)
    if arriving is not None:
        total += 0 if failure else 1
        guard = Guard(0, arriving, failure) if failure else guard
        last = Last(Outcome.FAILED if failure else Outcome.ARRIVED, arriving)
    elif last is not None and last.outcome is Outcome.UNDER_WAY and boot.by_kexec:
        last = last._replace(outcome=Outcome.REPLACED)
    else:
        kexecs, firmware = 0, boot.began
        if last is not None and last.outcome is Outcome.UNDER_WAY:
            last = last._replace(outcome=Outcome.LOST)
            guard = Guard(0, last.attempt)
    if guard is not None and guard.boots >= limit:
        guard = None
    return Record(boot.id, kexecs, total, firmware, last, guard)


def obstacle(record: Record, target: str, limit: int) -> Optional[str]:
    """Say why the guard is closed for a target, and what lifts that; None where it is open."""
    guard = record.guard
    if guard is None or guard.attempt.target != target or guard.boots >= limit:
        return None
    left = limit - guard.boots
    boots = "1 more good boot" if left == 1 else "{} more good boots".format(left)
    found = guard.attempt
    return sentences.GUARD_CLOSED.format(found.id, found.release, guard.fate, boots, "after kexec-initd trust")


def days_since_firmware(record: Record, now: float, uptime: float) -> float:
    """Return how many days ago the last firmware boot was, at least those of the running boot.

    A clock that was never set, or shows a time before that boot, counts for nothing.
    """
    since = now - record.firmware if PLAUSIBLE <= record.firmware <= now else 0
    return max(since, uptime) / DAY


def kexecs_reached(record: Record, most: int) -> Optional[str]:
    """Say that as many kexecs have arrived since the last firmware boot as the setting allows; 0 is no limit."""
    if not most or record.kexecs < most:
        return None
    return sentences.MAX_KEXECS.format(record.kexecs, most)


def days_reached(days: float, most: int) -> Optional[str]:
    """Say that the last firmware boot is as many days ago as the setting allows; 0 is no limit."""
    if not most or days < most:
        return None
    return sentences.MAX_DAYS.format(int(days), most)


def trial_left(record: Record, wanted: int) -> Optional[str]:
    """Say that not as many kexecs have arrived in all as the setting wants before one goes unattended."""
    if record.total >= wanted:
        return None
    return sentences.TRIAL.format(record.total, wanted, "kexec-initd trial")
