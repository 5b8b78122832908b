"""The write-ahead record of an installation: what is being changed, and what a later run must know to undo it.

It is on the disk before the first change and leaves after the last. The parser is strict: a root process acts on it.
"""

import enum
import os
import stat
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from kexec_initd.errors import Refused, Unreachable
from kexec_initd.install.file_copy import observe
from kexec_initd.install.layout import STATE_DIR
from kexec_initd.state import checksum
from kexec_initd.state.store import Lasting, Newer
from kexec_initd.system.files import exists, is_there, write_atomic
from kexec_initd.system.safe_path import check_path, locate

VERSION = 1
PATH = "{}/{}".format(STATE_DIR, Lasting.MANIFEST.value)
STANDALONE = "{}/manifest".format(STATE_DIR)  # of install.sh: plain shell reads it, here it is only looked for
FIELDS = {"version", "state", "directories", "changes"}
STAGED = ".kexec-initd-*"  # as files.write_atomic names them
DAMAGED_HINT = "restore it from a backup, or remove it and run this again, which then looks for what is ours"


class InstallState(enum.Enum):
    """How far a run came. INSTALLING and REMOVING are left behind by a run that was killed."""

    INSTALLING = "installing"
    INSTALLED = "installed"
    REMOVING = "removing"


class ChangeKind(enum.Enum):
    """How a path is changed, which decides how it is undone."""

    REPLACED = "replaced"
    CREATED = "created"
    BLOCK = "block"
    SYMLINK = "symlink"
    LINKS = "links"


class ManifestEntry(NamedTuple):
    """One changed path. `original` is the SHA-256 of what was there, None where nothing was.

    `ours` are the digests (for a symbolic link: the target) of what we put there, the newest first; the older one
    only matters while a run is under way. mtime_ns is that of the original file. `recipe` tells what ours was made of; an
    earlier version has left none.
    """

    path: str
    kind: ChangeKind
    original: Optional[str]
    ours: Tuple[str, ...]
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    diverted: bool = False
    recipe: str = ""


class Manifest(NamedTuple):
    """The whole record. `directories` are those that did not exist before, parents first."""

    state: InstallState
    entries: Tuple[ManifestEntry, ...]
    directories: Tuple[str, ...]

    def find(self, path: str) -> Optional[ManifestEntry]:
        """Return the entry of `path`, or None."""
        return next((entry for entry in self.entries if entry.path == path), None)

    @property
    def recipes(self) -> Dict[str, str]:
        """What each path was made of."""
        return {entry.path: entry.recipe for entry in self.entries}


def is_installed(root: Path) -> bool:
    """Say whether an installation is complete below `root`."""
    found = read_manifest(root)
    return found is not None and found.state is InstallState.INSTALLED


def is_standalone(root: Path) -> bool:
    """Say whether install.sh has put its files in place: its own record, and no manifest, says what was there before."""
    return exists(locate(root, STANDALONE)) and not is_there(locate(root, PATH))


def refuse_standalone(root: Path) -> None:
    """Raise Refused where install.sh has put its files in place."""
    if is_standalone(root):
        raise Refused("kexec-initd was installed here by install.sh", "sh {}/standalone/uninstall.sh".format(STATE_DIR))


def read_manifest(root: Path) -> Optional[Manifest]:
    """Return the manifest, or None where there is none. Raises Refused for one that cannot be trusted or understood."""
    try:
        found = observe(root, PATH)
    except Unreachable:
        raise
    except Refused as error:
        raise Refused(error.message, DAMAGED_HINT)
    if found is None:
        return None
    if found.mode & (stat.S_IWGRP | stat.S_IWOTH) or found.uid not in (0, os.geteuid()):
        raise Refused("{} can be written by others than root".format(PATH), DAMAGED_HINT)
    try:
        return parse_manifest(found.data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused("{} is damaged: {}".format(PATH, error), DAMAGED_HINT)


def find_unfinished(root: Path) -> List[Path]:
    """Return the files that a run left behind which was killed while it wrote the manifest."""
    return sorted(locate(root, PATH).parent.glob(STAGED))


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Replace the manifest durably. Raises OSError."""
    write_atomic(locate(root, PATH), format_manifest(manifest), 0o600)


def format_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as JSON."""
    fields = {
        "version": VERSION,
        "state": manifest.state.value,
        "directories": list(manifest.directories),
        "changes": [dict(entry._asdict(), kind=entry.kind.value) for entry in manifest.entries],
    }
    return checksum.dump(fields)


def parse_manifest(data: bytes) -> Manifest:
    """Return the manifest in `data`. Raises ValueError, KeyError, TypeError or AttributeError for anything but a whole one."""
    fields = checksum.load(data)
    if isinstance(fields.get("version"), int) and fields["version"] > VERSION:
        raise Newer(PATH)
    if set(fields) != FIELDS:
        raise ValueError("it has other fields")
    if fields["version"] != VERSION:
        raise ValueError("version {} is not {}".format(fields["version"], VERSION))
    return Manifest(
        state=InstallState(fields["state"]),
        entries=tuple(_parse_entry(change) for change in fields["changes"]),
        directories=tuple(check_path(path) for path in fields["directories"]),
    )


def _parse_entry(fields: Any) -> ManifestEntry:
    return ManifestEntry(
        path=check_path(fields["path"]),
        kind=ChangeKind(fields["kind"]),
        original=None if fields["original"] is None else _text(fields["original"]),
        ours=tuple(_text(value) for value in fields["ours"]),
        mode=_number(fields["mode"]),
        uid=_number(fields["uid"]),
        gid=_number(fields["gid"]),
        mtime_ns=_number(fields["mtime_ns"]),
        diverted=fields["diverted"] is True,
        recipe=_text(fields.get("recipe", "")),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("{!r} is not text".format(value))
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError("{!r} is not a number".format(value))
    return value
