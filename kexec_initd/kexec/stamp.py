"""The record of what we have loaded, until the next boot: for the early shutdown script, and for `status`.

`stamp` has a line for every file that the choice was made from, so that plain shell can see that nothing has changed:
"DEVICE INODE SIZE MTIME CTIME PATH", or "- PATH" for one that is not there; its last line is that of `state.checksum`. "? PATH"
says that a change would not show there, so that the choice has to be made again; "= PATH", that a unit of that name was looked
at, and may be there (`system.rivals`). `loaded.json` says the rest, and `attempt` is what `attempts` keeps of a jump into
this kernel, ready to be put in place by plain shell. All are gone with the next boot, as is the loaded kernel. While a load is
under way the stamp says just that: what is loaded then is ours, and fits nothing.

`changed` grows by a byte whenever a kernel package or an initramfs has changed (templates/common/kernel-changed). It is
one of the files in the stamp, so that a stamp from before, even of a load that is under way, never matches again.
"""

import enum
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Union

from kexec_initd.state import checksum, store
from kexec_initd.state.store import Damaged, Volatile
from kexec_initd.system.files import identity
from kexec_initd.system.safe_path import below

UNSEEN = "? /"
LOADING = b"a load is under way"  # as plain shell writes it (templates/standalone/load.sh)
RECORDS = (Volatile.STAMP, Volatile.LOADED, Volatile.ATTEMPT)


class Chosen(enum.Enum):
    """How what is loaded was chosen, where the record says no more of it."""

    BY_LOADER = "what the loader would boot"
    AS_FILE = "a kernel file that the admin has named"


class ChosenEntry(NamedTuple):
    """An entry of the loader's menu that the admin has named: its title, and its own command line."""

    title: str
    cmdline: str


Choice = Union[Chosen, ChosenEntry]
_CHOSEN = {Chosen.BY_LOADER: None, Chosen.AS_FILE: ()}  # as the record has it


class Loaded(NamedTuple):
    """A load: the kernel's release, its files, command line, attempt id, and how it was chosen.

    `unpacked`: kexec was given what the initrds unpack to.
    """

    release: str
    kernel: str
    initrds: List[str]
    cmdline: str
    attempt: str
    checks: bool
    chosen: Choice
    unpacked: bool = False


def mark_file(root: Path) -> Path:
    """Return the file, as the host sees it, that grows with each change of a kernel package or an initramfs."""
    return store.path_of(root, Volatile.CHANGED)


def is_overtaken(root: Path) -> bool:
    """Tell whether a kernel package or an initramfs has changed since the recorded stamp was taken."""
    path = mark_file(root)
    (now,) = lines_for(root, [path])
    known = [line for line in _read_lines(root) if line.endswith(" {}".format(path))]
    return any(line != now for line in known) if known else not now.startswith("- ")


def _read_lines(root: Path) -> List[str]:
    """Return the lines of the recorded stamp; none where there is none, and for one that is not whole: it fits nothing."""
    try:
        data = store.read(root, Volatile.STAMP)
        return [] if data is None else checksum.unseal(data).decode("utf-8", "surrogateescape").split("\n")
    except (Damaged, ValueError):
        return []


def lines_for(root: Path, paths: Sequence[Path]) -> List[str]:
    """Return the lines of the stamp for `paths` (absolute, on the host) as they are now."""
    return ["{} {}".format(identity(below(root, str(path))), path) for path in paths]


def text_for(root: Path, paths: Sequence[Path], config: Sequence[str] = ()) -> str:
    """Return the stamp of `paths` as they are now, and of what they were chosen by, which has its lines already."""
    body = "\n".join([*lines_for(root, paths), *config, ""])
    return checksum.seal(body.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def begin(root: Path) -> None:
    """Say that whatever is loaded from now on is ours and not fit, until `write` says what it is: a load may be cut short."""
    store.write(root, Volatile.STAMP, LOADING)
    store.remove(root, Volatile.LOADED)
    store.remove(root, Volatile.ATTEMPT)


def is_cut_short(root: Path) -> bool:
    """Tell whether the last load has neither come to its end nor taken back what it began."""
    try:
        return store.read(root, Volatile.STAMP) == LOADING
    except Damaged:
        return False


def write(root: Path, text: str, loaded: Loaded, attempt: bytes) -> None:
    """Record what was loaded, the record of its attempt, and the stamp `text` that was taken before it was read."""
    store.write(root, Volatile.LOADED, format_loaded(loaded))
    store.write(root, Volatile.ATTEMPT, attempt)
    store.write(root, Volatile.STAMP, text.encode("utf-8", "surrogateescape"))


def remove(root: Path) -> None:
    """Forget what was loaded."""
    for file in RECORDS:
        store.remove(root, file)


def exists(root: Path) -> bool:
    """Tell whether what is loaded, if anything, was loaded by us: something of what we have recorded is there."""
    return any(store.is_there(root, file) for file in RECORDS)


def is_fresh(root: Path, paths: Sequence[Path]) -> bool:
    """Tell whether the recorded stamp begins with that of `paths` now. By what they were chosen may have changed."""
    return _read_lines(root)[: len(paths)] == lines_for(root, paths)


def read_loaded(root: Path) -> Optional[Loaded]:
    """Return what was loaded; None where nothing of ours is. Raises Damaged for a record that is not of exactly this form.

    Without it, nobody knows what the admin may have chosen. A load that was cut short has chosen nothing.
    """
    if not exists(root) or is_cut_short(root):
        return None
    data = store.read(root, Volatile.LOADED)
    try:
        if data is None:
            raise ValueError("it is missing")
        return parse_loaded(data)
    except ValueError as error:
        path = store.path_of(root, Volatile.LOADED)
        raise Damaged(
            "{}, which says what is loaded, is damaged: {}".format(path, error), "kexec-initd load makes it anew"
        )


def format_loaded(loaded: Loaded) -> bytes:
    """Return the record of what was loaded."""
    chosen = _CHOSEN[loaded.chosen] if isinstance(loaded.chosen, Chosen) else loaded.chosen
    return checksum.dump(dict(loaded._asdict(), chosen=chosen))


def parse_loaded(data: bytes) -> Loaded:
    """Return what was loaded by its record. Raises ValueError for one that is not of exactly this form."""
    fields = checksum.load(data)
    fields.setdefault("unpacked", False)  # of a version before there was such a thing
    if set(fields) != set(Loaded._fields):
        raise ValueError(
            "a {} version has written it".format("newer" if set(fields) - set(Loaded._fields) else "older")
        )
    loaded = Loaded(**dict(fields, chosen=_parse_choice(fields["chosen"])))
    if not _is_sound(loaded):
        raise ValueError("it is of another version")
    return loaded


def _is_sound(loaded: Loaded) -> bool:
    """Tell whether every field has its type: the record may come from another version of us."""
    texts = (loaded.release, loaded.kernel, loaded.cmdline, loaded.attempt)
    return (
        all(isinstance(text, str) for text in texts)
        and isinstance(loaded.initrds, list)
        and all(isinstance(path, str) for path in loaded.initrds)
        and isinstance(loaded.checks, bool)
        and isinstance(loaded.unpacked, bool)
    )


def _parse_choice(chosen: object) -> Choice:
    if chosen is None:
        return Chosen.BY_LOADER
    if isinstance(chosen, list) and all(isinstance(text, str) for text in chosen) and len(chosen) in (0, 2):
        return ChosenEntry(*chosen) if chosen else Chosen.AS_FILE
    raise ValueError("it is of another version")
