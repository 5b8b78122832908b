"""What became of each kexec: a record that survives the jump, and the guard that closes when one never arrived.

An attempt is written down before the jump, and its id rides on the command line of the next kernel. The boot that shows
the id is its arrival; any other boot that comes instead closes the guard: reboots into the same target go through
firmware, until enough boots have come up well or the admin trusts it again. `judge` and `obstacle` are the rules.

The record has a line for each field, below a line with its version and above one with the CRC-32 of all before it:
"boot BOOT_ID" (the last boot that was judged), "kexecs NUMBER" (arrivals since the last boot without one), "last
OUTCOME ID TIME TARGET RELEASE", "guard BOOTS ID TIME TARGET RELEASE", or "-". Plain shell writes it, too. Time 0 stands for
that of the file: what is loaded leaves its record ready in the state directory, to be put in place when the jump nears.
"""

import enum
import os
import time
import zlib
from pathlib import Path
from typing import NamedTuple, Optional

from kexec_initd import stamp
from kexec_initd.bootloader import BootEntry
from kexec_initd.bootloader.naming import below
from kexec_initd.cmdline import find_attempt, without_attempts
from kexec_initd.errors import Error, Refused, one_line
from kexec_initd.files import identity, open_trusted, read_text, write_atomic
from kexec_initd.host import Host
from kexec_initd.integration.records import STATE_DIR

PATH = Path(STATE_DIR) / "attempts"
HEADER = "kexec-initd attempts 1"
LIMIT = 4096
RELEASE_LENGTH = 100
NOTHING = "-"


class Damaged(Refused):
    """The record is not what we have written. A reboot goes cold once, and begins a new one."""


class Outcome(enum.Enum):
    """What became of an attempt."""

    UNDER_WAY = "under-way"
    ARRIVED = "arrived"
    LOST = "lost"


class Attempt(NamedTuple):
    """One kexec: its id, seconds since 1970, what of (`target_key`), the release of its kernel in printable ASCII."""

    id: str
    time: int
    target: str
    release: str

    def __str__(self) -> str:
        return "attempt {} (kernel {}, {})".format(self.id, self.release, tell_time(self.time))


class Last(NamedTuple):
    """The last attempt."""

    outcome: Outcome
    attempt: Attempt


class Guard(NamedTuple):
    """The attempt that never arrived, and how many boots have come up well since the one that showed it."""

    boots: int
    attempt: Attempt


class Record(NamedTuple):
    """All that is remembered from boot to boot."""

    boot: str = NOTHING
    kexecs: int = 0
    last: Optional[Last] = None
    guard: Optional[Guard] = None


def tell_time(seconds: int) -> str:
    """Return a time since 1970 for a person."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def judge(record: Record, boot: str, shown: Optional[str], limit: int) -> Record:
    """Return `record` after the boot with the id `boot`, on whose command line the attempt `shown` is.

    Each boot counts once, however often it is judged; after `limit` good ones the guard goes.
    """
    if record.boot == boot:
        return record
    last, guard = record.last, record.guard
    kexecs = record.kexecs if shown else 0
    if guard is not None:
        guard = guard._replace(boots=guard.boots + 1)
    if last is not None and last.outcome is Outcome.UNDER_WAY:
        if last.attempt.id == shown:
            last = last._replace(outcome=Outcome.ARRIVED)
            kexecs += 1
        else:
            last = last._replace(outcome=Outcome.LOST)
            guard = Guard(0, last.attempt)
    if guard is not None and guard.boots >= limit:
        guard = None
    judged = record._replace(kexecs=kexecs, last=last, guard=guard)
    return record if judged == record else judged._replace(boot=boot)


def obstacle(record: Record, target: str, limit: int) -> Optional[str]:
    """Say why the guard is closed for a target, and what lifts that; None where it is open."""
    guard = record.guard
    if guard is None or guard.attempt.target != target or guard.boots >= limit:
        return None
    left = limit - guard.boots
    boots = "1 more good boot" if left == 1 else "{} more good boots".format(left)
    return "{} never arrived; kexec again after {}, with another target, or after kexec-initd trust".format(
        guard.attempt, boots
    )


def target_key(host: Host, entry: BootEntry) -> str:
    """Return what is the same for the same kernel, initrds and command line, also after another boot."""
    paths = [entry.kernel, *entry.initrds]
    lines = ["{} {}".format(_lasting_identity(below(host.root, path)), path) for path in paths]
    return _crc("\n".join([*lines, without_attempts(entry.cmdline)]))


def _lasting_identity(path: Path) -> str:
    """Return size and time of a file: numbers of devices change from boot to boot."""
    fields = identity(path).split()
    return " ".join(fields[2:4]) if len(fields) > 1 else NOTHING


def prepared(host: Host, record: Record, entry: BootEntry, attempt: str, release: str) -> bytes:
    """Return the record for when `attempt` at `entry`, which has just been loaded, gets under way."""
    name = one_line(release).encode("ascii", "backslashreplace").decode("ascii")[:RELEASE_LENGTH]
    under_way = Last(Outcome.UNDER_WAY, Attempt(attempt, 0, target_key(host, entry), name or "?"))
    return format_record(record._replace(boot=_boot_id(host), last=under_way))


def begin(root: Path) -> None:
    """Put the record that the load has prepared in place: the jump is near. Raises Error."""
    try:
        data = (stamp.state_dir(root) / stamp.ATTEMPT).read_bytes()
    except OSError as error:
        raise Error("cannot read the record of the attempt: {}".format(error))
    _write(root, data)


def settle(host: Host, limit: int) -> Record:
    """Judge the running boot, write down what is new, and return the record. Raises Damaged, Error."""
    record = read(host.root)
    judged = _judge_boot(host, record, limit)
    if judged != record:
        _write(host.root, format_record(judged))
    return judged


def look(host: Host, limit: int) -> Record:
    """Return what `settle` would, and write nothing. Raises Damaged, Error."""
    return _judge_boot(host, read(host.root), limit)


def trust(host: Host, limit: int) -> str:
    """Open the guard, and return a sentence that says what was lifted. Raises Error."""
    try:
        record = look(host, limit)
    except Damaged as error:
        forget(host.root)
        return "a new record of attempts is begun: {}".format(error.message)
    if record.guard is None:
        return "nothing to lift: the guard is open"
    _write(host.root, format_record(record._replace(guard=None)))
    return "the guard is open again: {} never arrived".format(record.guard.attempt)


def forget(root: Path) -> None:
    """Remove the record, or what is in its place. Raises Error where that is a directory with something in it."""
    place = locate(root)
    try:
        if place.is_dir() and not place.is_symlink():
            place.rmdir()
        else:
            place.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise Error("cannot remove {}: {}".format(place, error.strerror))


def locate(root: Path) -> Path:
    """Return where the record of the host below `root` is."""
    return root / PATH.relative_to("/")


def read(root: Path) -> Record:
    """Return the record; an empty one where there is none. Raises Damaged."""
    place = locate(root)
    if not os.path.lexists(str(place)):
        return Record()
    hint = "kexec-initd trust begins a new one"
    try:
        fd = open_trusted(place, os.O_NOFOLLOW)
        with os.fdopen(fd, "rb") as file:
            data, written = file.read(LIMIT + 1), int(os.fstat(fd).st_mtime)
        return _dated(parse_record(data), written)
    except Refused as error:
        raise Damaged("the record of attempts cannot be trusted: {}".format(error.message), hint)
    except (OSError, ValueError) as error:
        raise Damaged("the record of attempts {} is damaged: {}".format(place, error), hint)


def _dated(record: Record, written: int) -> Record:
    """Return `record` with the time of the file for an attempt that was prepared without one."""
    if record.last is None or record.last.attempt.time:
        return record
    return record._replace(last=record.last._replace(attempt=record.last.attempt._replace(time=written)))


def format_record(record: Record) -> bytes:
    """Return the record as the lines of its file."""
    last, guard = record.last, record.guard
    lines = [
        HEADER,
        "boot {}".format(record.boot),
        "kexecs {}".format(record.kexecs),
        "last {}".format(NOTHING if last is None else _words(last.outcome.value, last.attempt)),
        "guard {}".format(NOTHING if guard is None else _words(str(guard.boots), guard.attempt)),
    ]
    text = "".join(line + "\n" for line in lines)
    return "{}end {}\n".format(text, _crc(text)).encode("ascii")


def parse_record(data: bytes) -> Record:
    """Return the record in `data`. Raises ValueError for anything but a whole one."""
    if len(data) > LIMIT:
        raise ValueError("it is larger than {} bytes".format(LIMIT))
    text = data.decode("ascii")
    body, _, end = text.rpartition("end ")
    if not text.startswith(HEADER + "\n"):
        raise ValueError("it is of another version, or none of ours")
    if end != _crc(body) + "\n":
        raise ValueError("its checksum does not fit")
    boot, kexecs, last, guard = [
        _value(line, word) for line, word in zip(body.split("\n")[1:5], ("boot", "kexecs", "last", "guard"))
    ]
    return Record(boot, int(kexecs), _parse_last(last), _parse_guard(guard))


def _value(line: str, word: str) -> str:
    found, _, value = line.partition(" ")
    if found != word or not value:
        raise ValueError("{!r} does not begin with {}".format(line, word))
    return value


def _words(first: str, attempt: Attempt) -> str:
    return "{} {} {} {} {}".format(first, *attempt)


def _parse_last(text: str) -> Optional[Last]:
    if text == NOTHING:
        return None
    outcome, rest = text.split(" ", 1)
    return Last(Outcome(outcome), _parse_attempt(rest))


def _parse_guard(text: str) -> Optional[Guard]:
    if text == NOTHING:
        return None
    boots, rest = text.split(" ", 1)
    return Guard(int(boots), _parse_attempt(rest))


def _parse_attempt(text: str) -> Attempt:
    name, seconds, target, release = text.split(" ", 3)
    return Attempt(name, int(seconds), target, release)


def _crc(text: str) -> str:
    return "{:08x}".format(zlib.crc32(text.encode("utf-8", "surrogateescape")) & 0xFFFFFFFF)


def _write(root: Path, data: bytes) -> None:
    place = locate(root)
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(place, data, 0o600)
    except OSError as error:
        raise Error("cannot write the record of attempts {}: {}".format(place, error.strerror))


def _judge_boot(host: Host, record: Record, limit: int) -> Record:
    if record == Record():
        return record
    return judge(record, _boot_id(host), find_attempt(host.cmdline or ""), limit)


def _boot_id(host: Host) -> str:
    """Return the id of the running boot; random(4) has it since before SysV init had dependencies."""
    found = read_text(host.root / "proc/sys/kernel/random/boot_id")
    if not found or host.cmdline is None:
        raise Error("which boot this is cannot be told: /proc is not mounted")
    return found
