"""The file of the history: a line for each boot that a reboot has led to, the last hundred of them. Plain shell writes it, too.

Below a line with its version and above one with the CRC-32 of all before it, each line has the words of `FIELDS`, and a sentence;
"-" stands for nothing. It has moments, not phases: what follows from them is reckoned when it is read, in `reboots`.
"""

import contextlib
import enum
import re
from pathlib import Path
from typing import Iterator, NamedTuple, Optional, Tuple

from kexec_initd.codes import Code
from kexec_initd.errors import Error, one_line
from kexec_initd.history import last_cold
from kexec_initd.history.boot_clocks import Clocks, Leaving, find_number, read_clocks, read_leaving
from kexec_initd.history.guard import FATES, NOTHING, Outcome, Record
from kexec_initd.history.running_boot import BOOT_ID, find_id, shows_kexec
from kexec_initd.state import checksum, store
from kexec_initd.state.store import LASTING, Damaged, Lasting, Newer
from kexec_initd.system.host import Host

PATH = Path(LASTING) / Lasting.HISTORY.value
VERSION = 1
HEADER = "kexec-initd history {}".format(VERSION)
MOST = 100
LIMIT = 1 << 16
LENGTH = 200  # of a sentence
WORDS = ("kind", "code", "boot", "boot_before", "release", "release_before")
FIELDS = (*WORDS, *Clocks._fields)


class Kind(enum.Enum):
    """The way of a reboot."""

    KEXEC = "kexec"
    COLD = "cold"


class Entry(NamedTuple):
    """One boot: how it came, by what code and sentence, its id and kernel and those before it, and the clocks."""

    kind: Kind
    code: str
    boot: str
    boot_before: Optional[str]
    release: str
    release_before: Optional[str]
    clocks: Clocks
    reason: str


def read(root: Path) -> Tuple[Entry, ...]:
    """Return the entries, the newest last; none where there is no file. Raises Damaged, Newer."""
    data = store.read(root, Lasting.HISTORY, LIMIT)
    if data is None:
        return ()
    try:
        return parse(data)
    except ValueError as error:
        raise Damaged(
            "the history {} is damaged: {}".format(PATH, error), "the next boot keeps it aside and begins anew"
        )


def parse(data: bytes) -> Tuple[Entry, ...]:
    """Return the entries in `data`. Raises ValueError for anything but whole ones, Newer."""
    header = re.match(rb"kexec-initd history ([1-9][0-9]{0,5})\n", data)
    if header is None:
        raise ValueError("it is none of ours")
    lines = checksum.unseal(data).decode("ascii").split("\n")[1:-1]
    if int(header.group(1)) > VERSION:
        raise Newer(PATH)
    return tuple(_parse_line(line) for line in lines)


def format_entries(entries: Tuple[Entry, ...]) -> bytes:
    """Return the last of the entries as the file has them."""
    lines = [HEADER, *(_format_line(entry) for entry in entries[-MOST:])]
    return checksum.seal("".join(line + "\n" for line in lines).encode("ascii"))


def _parse_line(line: str) -> Entry:
    words = line.split(" ", len(FIELDS))
    if len(words) <= len(FIELDS):
        raise ValueError("a line has too few words")
    kind, code, boot, before, release, release_before = words[: len(WORDS)]
    clocks = Clocks(*(_parse_number(word) for word in words[len(WORDS) : len(FIELDS)]))
    return Entry(Kind(kind), code, boot, _some(before), release, _some(release_before), clocks, words[-1])


def _parse_number(word: str) -> Optional[float]:
    number = find_number(word)
    if number is None and word != NOTHING:
        raise ValueError("{!r} is no number".format(word))
    return number


def _some(word: str) -> Optional[str]:
    return None if word == NOTHING else word


def _format_line(entry: Entry) -> str:
    texts = (entry.kind.value, entry.code, entry.boot, entry.boot_before, entry.release, entry.release_before)
    numbers = (NOTHING if number is None else "{:.3f}".format(max(number, 0.0)) for number in entry.clocks)
    return " ".join((*map(_word, texts), *numbers, _printable(entry.reason)[:LENGTH] or NOTHING))


def _word(text: Optional[str]) -> str:
    return _printable(text or "").replace(" ", "_")[:LENGTH] or NOTHING


def _printable(text: str) -> str:
    return one_line(text).encode("ascii", "backslashreplace").decode("ascii")


def keep(
    host: Host, record: Record, firmware: Optional[Tuple[float, float]] = None, at_end: bool = False
) -> Optional[str]:
    """Write down how the running boot came, once; best effort. Says what it has found damaged and put aside.

    `record` is that of attempts, this boot judged; `firmware` what firmware and loader say of their time. `at_end`: the boot is
    over, and nobody waits.
    """
    told = None
    with contextlib.suppress(Error, OSError, ValueError):
        try:
            entries = read(host.root)
        except Damaged as error:
            told, entries = error.message, ()
            _put_aside(host.root)
        entry = _describe_boot(host, record, entries, firmware, at_end)
        if entry is not None:
            store.write(host.root, Lasting.HISTORY, format_entries((*entries, entry)))
            store.remove(host.root, Lasting.LEAVING)
    return told


@contextlib.contextmanager
def kept_over(root: Path) -> Iterator[None]:
    """Have the file there again behind what removes all of the state; best effort."""
    data = None
    with contextlib.suppress(Error):
        data = store.read(root, Lasting.HISTORY, LIMIT)
    yield
    with contextlib.suppress(Error, OSError):
        if data is not None and not store.is_there(root, Lasting.HISTORY):
            store.write(root, Lasting.HISTORY, data)


def _put_aside(root: Path) -> None:
    place = store.directory(root, Lasting.HISTORY)
    (place / Lasting.HISTORY.value).replace(place / Lasting.HISTORY_DAMAGED.value)


def _describe_boot(
    host: Host, record: Record, entries: Tuple[Entry, ...], firmware: Optional[Tuple[float, float]], at_end: bool
) -> Optional[Entry]:
    """Return the entry of the running boot; None where it is there already, or where nothing is known of a reboot."""
    boot, leaving = find_id(host) or "", _find_leaving(host, entries)
    if not BOOT_ID.match(boot) or any(entry.boot == boot for entry in entries):
        return None
    kind, code, reason = _describe_way(host, record)
    if leaving is None and not reason:
        return None
    cold = kind is Kind.COLD
    return Entry(
        kind=kind,
        code=code,
        boot=boot,
        boot_before=leaving.boot if leaving else None,
        release=host.kernel_release or NOTHING,
        release_before=leaving.release if leaving else None,
        clocks=read_clocks(host, leaving, firmware if cold else None, at_end),
        reason=reason,
    )


def _find_leaving(host: Host, entries: Tuple[Entry, ...]) -> Optional[Leaving]:
    """Return the word of the shutdown that has led here: not of the one that is under way, and of none that had its entry."""
    leaving = read_leaving(host.root)
    done = {find_id(host), *(entry.boot_before for entry in entries)}
    return None if leaving is None or leaving.boot in done else leaving


def _describe_way(host: Host, record: Record) -> Tuple[Kind, str, str]:
    """Return how the running boot came, with the code and the sentence; no sentence where nothing of ours says so."""
    last, cold = record.last, last_cold.find(host.root, record)
    if record.kexecs and last is not None:
        if last.outcome is Outcome.REPLACED:
            return (
                Kind.KEXEC,
                Code.BY_HAND.value,
                "a kernel that was loaded by hand in place of attempt " + last.attempt.id,
            )
        fate = FATES[Outcome.ARRIVED if last.outcome is Outcome.ARRIVED else Outcome.FAILED]
        return Kind.KEXEC, Code.TARGET.value, "attempt {} {}".format(last.attempt.id, fate)
    if cold is not None:
        return Kind.COLD, cold.code, cold.reason
    if shows_kexec(host.tree) and not store.is_there(host.root, Lasting.KEXEC_LOADER):
        return Kind.KEXEC, Code.BY_HAND.value, ""
    return Kind.COLD, Code.UNDECIDED.value, ""
