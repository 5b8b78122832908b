"""The record of attempts: it survives the jump, for the guard that closes when a kexec never arrived.

An attempt is written down before the jump, and its id rides on the command line of the next kernel. How a boot is judged
by that, and what follows, are the rules of `guard`.

The record has a line for each field of `guard.Record`, below a line with its version and above one with the CRC-32 of all
before it: "boot BOOT_ID", "kexecs NUMBER", "total NUMBER", "firmware TIME", "last OUTCOME ID TIME TARGET RELEASE", "guard
BOOTS ID TIME TARGET RELEASE", "why SENTENCE"; "-" stands for nothing. Plain shell writes it, too. Time 0 of an attempt is
that of the file: what is loaded leaves its record ready in the state directory, to be put in place when the jump nears.
"""

import contextlib
import re
from pathlib import Path
from typing import Optional, Tuple

from kexec_initd.boot_entry import BootEntry
from kexec_initd.cmdline.words import without_own_words
from kexec_initd.errors import Error, Refused, one_line
from kexec_initd.history.guard import FATES, NOTHING, Attempt, Guard, Last, Outcome, Record, find_arriving, judge
from kexec_initd.history.running_boot import read_boot, shows_kexec
from kexec_initd.state import checksum, store
from kexec_initd.state.store import LASTING, Damaged, Lasting, Newer, Volatile
from kexec_initd.system.files import identity
from kexec_initd.system.host import Host
from kexec_initd.system.safe_path import below
from kexec_initd.system.sysroot import Tree

PATH = Path(LASTING) / Lasting.ATTEMPTS.value
VERSION = 1
HEADER = "kexec-initd attempts {}".format(VERSION)
FIELDS = ("boot", "kexecs", "total", "firmware", "last", "guard", "why")
LIMIT = 4096
NUMBER = re.compile(r"(0|[1-9][0-9]{0,11})\Z")
RELEASE_LENGTH = 100
WHY_LENGTH = 300


def target_key(host: Host, entry: BootEntry) -> str:
    """Return what is the same for the same kernel, initrds and command line, also after another boot."""
    paths = [entry.kernel, *entry.initrds]
    lines = ["{} {}".format(_lasting_identity(below(host.root, str(path))), path) for path in paths]
    return checksum.crc("\n".join([*lines, without_own_words(entry.cmdline)]).encode("utf-8", "surrogateescape"))


def _lasting_identity(path: Path) -> str:
    """Return size and time of a file: numbers of devices change from boot to boot."""
    fields = identity(path).split()
    return " ".join(fields[2:4]) if len(fields) > 1 else NOTHING


def prepared(host: Host, record: Record, entry: BootEntry, attempt: str, release: str) -> bytes:
    """Return the record for when `attempt` at `entry`, which has just been loaded, gets under way."""
    under_way = Last(
        Outcome.UNDER_WAY, Attempt(attempt, 0, target_key(host, entry), _printable(release, RELEASE_LENGTH))
    )
    return format_record(record._replace(boot=read_boot(host, None).id, last=under_way))


def _printable(text: str, length: int) -> str:
    """Return `text` as one line of printable ASCII, of at most `length` characters and never empty."""
    return one_line(text).encode("ascii", "backslashreplace").decode("ascii")[:length] or "?"


def begin(root: Path) -> None:
    """Put the record that the load has prepared in place: the jump is near. What it replaces is kept. Raises Error."""
    path = store.path_of(root, Volatile.ATTEMPT)
    data = store.read(root, Volatile.ATTEMPT, LIMIT)
    if data is None:
        raise Error("the record of the attempt, {}, is missing".format(path))
    try:
        parse_record(data)
    except ValueError as error:
        raise Error("the record of the attempt, {}, is damaged: {}".format(path, error))
    before = store.read(root, Lasting.ATTEMPTS, LIMIT)
    if before is None:
        store.remove(root, Volatile.BEFORE)
    else:
        store.write(root, Volatile.BEFORE, before)
    _write(root, data)


def withdraw(root: Path) -> None:
    """Take the attempt back that `begin` has written down: the decision has changed, and it will not be tried. Raises Error."""
    before = store.read(root, Volatile.BEFORE, LIMIT)
    if before is None:
        forget(root)
    else:
        _write(root, before)


def record_boot(host: Host, limit: int, failure: Optional[str] = None) -> Record:
    """Judge the running boot, write down what is new, and return the record. Raises Damaged, Error.

    `failure` says why an arrival is none, as the checks after the boot have found.
    """
    record = read_from(host.tree)
    judged = _judge_boot(host, record, limit, failure)
    if judged != record:
        _remember_loader(host.tree, judged)
        _write(host.root, format_record(judged))
        _log_outcome(host.root, record, judged)
    return judged


def _log_outcome(root: Path, record: Record, judged: Record) -> None:
    """Have the system's log keep what has become of an attempt."""
    if judged.last is not None and record.last is not None and judged.last.outcome is not record.last.outcome:
        from kexec_initd.system import syslog  # `status` reads the record, and has nothing to tell

        outcome, last = judged.last.outcome, judged.last.attempt
        fate = judged.guard.fate if outcome is Outcome.FAILED and judged.guard else FATES[outcome]
        syslog.tell(root, "kexec of attempt {} (kernel {}): {}".format(last.id, last.release, fate), outcome.value)


def _remember_loader(tree: Tree, judged: Record) -> None:
    """Remember whether a boot through firmware looks like a kexec here, since the boot loader is a kernel; best effort."""
    if judged.kexecs == 0:
        with contextlib.suppress(Error, OSError):
            if shows_kexec(tree):
                store.write(tree.root, Lasting.KEXEC_LOADER, b"")
            else:
                store.remove(tree.root, Lasting.KEXEC_LOADER)


def read_judged(host: Host, limit: int) -> Record:
    """Return what `record_boot` would, and write nothing. Raises Damaged, Error."""
    return _judge_boot(host, read_from(host.tree), limit)


def firmware_began(host: Host) -> int:
    """Return when the last firmware boot began, in seconds since 1970; 0 where nothing tells."""
    try:
        return read_judged(host, 1).firmware
    except Error:
        return 0


def came_by_kexec(host: Host) -> bool:
    """Tell whether a kexec has led to the running boot, as the record has it: an id copied from an older line is none."""
    with contextlib.suppress(Error):
        return read_judged(host, 1).kexecs > 0
    return False


def is_arrival(host: Host) -> bool:
    """Tell whether the running boot is an arrival that nobody has confirmed. Raises Damaged, Error."""
    record = read_from(host.tree)
    return record.last is not None and find_arriving(record, read_boot(host, record.last)) is not None


def trust(host: Host, limit: int) -> str:
    """Open the guard, and return a sentence that says what was lifted. Raises Error."""
    try:
        record = read_judged(host, limit)
    except (Damaged, Newer) as error:
        forget(host.root)
        return "a new record of attempts is begun: {}".format(error.message)
    if record.guard is None:
        return "nothing to lift: the guard is open"
    _write(host.root, format_record(record._replace(guard=None)))
    return "the guard is open again: {}".format(record.guard)


def forget(root: Path) -> None:
    """Remove the record, or what is in its place. Raises Error where that is a directory with something in it."""
    try:
        store.remove(root, Lasting.ATTEMPTS)
    except OSError as error:
        raise Error("cannot remove {}: {}".format(PATH, error.strerror))


def read(root: Path) -> Record:
    """Return the record; an empty one where there is none. Raises Damaged, Error where it cannot be reached."""
    return read_from(Tree(root))


def read_from(tree: Tree) -> Record:
    """Return the record as `read` does, by what `tree` says is mounted."""
    root, hint = tree.root, "kexec-initd trust begins a new one"
    try:
        store.refuse_unmounted(tree, Lasting.ATTEMPTS)
    except Refused as error:
        raise Error("the record of attempts cannot be reached: {}".format(error.message), error.hint)
    try:
        data = store.read(root, Lasting.ATTEMPTS, LIMIT)
        if data is None:
            return Record()
        return _dated(parse_record(data), store.modified(root, Lasting.ATTEMPTS))
    except Damaged as error:
        raise Damaged("the record of attempts cannot be used: {}".format(error.message), hint)
    except (OSError, ValueError) as error:
        raise Damaged("the record of attempts {} is damaged: {}".format(PATH, error), hint)


def _dated(record: Record, written: int) -> Record:
    """Return `record` with the time of the file for an attempt that was prepared without one."""
    if record.last is None or record.last.attempt.time:
        return record
    return record._replace(last=record.last._replace(attempt=record.last.attempt._replace(time=written)))


def format_record(record: Record) -> bytes:
    """Return the record as the lines of its file."""
    last, guard = record.last, record.guard
    values = (
        record.boot,
        str(record.kexecs),
        str(record.total),
        str(record.firmware),
        NOTHING if last is None else _words(last.outcome.value, last.attempt),
        NOTHING if guard is None else _words(str(guard.boots), guard.attempt),
        NOTHING if guard is None or guard.why is None else guard.why,
    )
    text = "".join("{}\n".format(line) for line in (HEADER, *map(" ".join, zip(FIELDS, values))))
    return checksum.seal(text.encode("ascii"))


def parse_record(data: bytes) -> Record:
    """Return the record in `data`; of a version before, which had fewer fields, with what the others begin with.

    Raises ValueError for anything but a whole one, Newer.
    """
    if len(data) > LIMIT:
        raise ValueError("it is larger than {} bytes".format(LIMIT))
    header = re.match(rb"kexec-initd attempts ([1-9][0-9]{0,5})\n", data)
    if header is None:
        raise ValueError("it is not one of ours")
    lines = checksum.unseal(data).decode("ascii").split("\n")[1:-1]
    fields = dict(_field(line) for line in lines)
    if int(header.group(1)) > VERSION or set(fields) - set(FIELDS):
        raise Newer(PATH)
    if len(fields) != len(lines):
        raise ValueError("it has a field twice")
    kexecs = _number(fields.get("kexecs", "0"))
    return Record(
        boot=fields.get("boot", NOTHING),
        kexecs=kexecs,
        total=_number(fields.get("total", str(kexecs))),
        firmware=_number(fields.get("firmware", "0")),
        last=_parse_last(fields.get("last", NOTHING)),
        guard=_parse_guard(fields.get("guard", NOTHING), fields.get("why", NOTHING)),
    )


def _field(line: str) -> Tuple[str, str]:
    word, _, value = line.partition(" ")
    if not value:
        raise ValueError("{!r} has no value".format(line))
    return word, value


def _number(text: str) -> int:
    if not NUMBER.match(text):
        raise ValueError("{!r} is not a number".format(text))
    return int(text)


def _words(first: str, attempt: Attempt) -> str:
    return "{} {} {} {} {}".format(first, *attempt)


def _parse_last(text: str) -> Optional[Last]:
    if text == NOTHING:
        return None
    outcome, rest = text.split(" ", 1)
    return Last(Outcome(outcome), _parse_attempt(rest))


def _parse_guard(text: str, why: str) -> Optional[Guard]:
    if text == NOTHING:
        return None
    boots, rest = text.split(" ", 1)
    return Guard(_number(boots), _parse_attempt(rest), None if why == NOTHING else why)


def _parse_attempt(text: str) -> Attempt:
    name, seconds, target, release = text.split(" ", 3)
    return Attempt(name, _number(seconds), target, release)


def _write(root: Path, data: bytes) -> None:
    try:
        store.write(root, Lasting.ATTEMPTS, data)
    except Error as error:
        raise Error("cannot write the record of attempts {}: {}".format(PATH, error.message))
    except OSError as error:
        raise Error("cannot write the record of attempts {}: {}".format(PATH, error.strerror))


def _judge_boot(host: Host, record: Record, limit: int, failure: Optional[str] = None) -> Record:
    if record == Record() and host.cmdline is None:  # a tree that is not running
        return record
    return judge(record, read_boot(host, record.last), limit, failure and _printable(failure, WHY_LENGTH))
