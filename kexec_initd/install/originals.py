"""The host's own scripts, in their place or, once ours stand there, kept aside; and whether a kept one may be restored.

Without the last script of a shutdown init leaves the machine at a prompt that nobody sees. So a kept original is believed
by evidence only: its digest in the manifest, or that of dpkg, which writes an upgrade to where the original is kept. rpm
has no say: it brings none of these files, and its database must not be asked from the scripts of a package.
"""

import os
from pathlib import Path
from typing import List, NamedTuple, Optional

from kexec_initd.errors import Refused
from kexec_initd.install.conffiles import Conffile, digest_of, find_conffile, has_records, is_diverted
from kexec_initd.install.file_copy import Observed, observe
from kexec_initd.install.layout import INTEGRATIONS, NAME, ORIGINALS_DIR, Presence
from kexec_initd.install.manifest import ManifestEntry
from kexec_initd.system.files import digest
from kexec_initd.system.host import MARK
from kexec_initd.system.safe_path import locate

AFTERWARDS = "then {} can be removed".format(NAME)
SCRIPT_MODE = 0o755


class Loss(NamedTuple):
    """Why an original cannot be restored as things are, and what to do; `edited`: there is a script, but another one."""

    text: str
    edited: bool


def kept_path(path: str) -> str:
    """Return where the original of `path` is kept: on the same file system, in no directory that boot programs read."""
    return "{}/{}".format(ORIGINALS_DIR, path.rsplit("/", 1)[-1])


def is_ours(found: Optional[Observed]) -> bool:
    """Say whether a script was rendered by us, be it edited since: each template carries the mark."""
    return found is not None and MARK in found.data


def is_foreign(found: Optional[Observed]) -> bool:
    """Say whether this is a script, and not ours: one that is empty or full of zero bytes, as after a crash, is none."""
    return found is not None and not is_ours(found) and bool(found.data.strip()) and b"\0" not in found.data


def find_original(root: Path, path: str) -> Optional[Observed]:
    """Return the host's own script for `path`, in its place or kept aside; None where the host has none."""
    seen = observe(root, path)
    kept = None if is_foreign(seen) else observe(root, kept_path(path))
    return kept if is_foreign(kept) else seen if is_foreign(seen) else None


def find_damage(root: Path, entry: ManifestEntry, kept: Optional[Observed]) -> Optional[str]:
    """Say why `kept` must not be restored as the original of `entry`, as "is empty"; None where it may be."""
    if kept is None:
        return "is missing"
    if entry.original == digest(kept.data):
        return None
    if not kept.data.strip():
        return "is empty"
    if not is_foreign(kept):
        return "is one of our own scripts" if is_ours(kept) else "holds NUL bytes, so it is not a script"
    brought = find_conffile(root, entry.path)
    if brought is None and entry.original is None:
        return None  # nothing tells
    if brought is not None and brought.md5 == digest_of(kept.data):
        return None
    return "is not what was kept" + ("" if brought is None else ", and not what {} brings".format(brought.package))


def is_missed(root: Path, entry: ManifestEntry, kept: Optional[Observed]) -> bool:
    """Say whether something has to be in the place of `entry` once ours is gone: not when its package was purged meanwhile."""
    if is_foreign(kept) or find_conffile(root, entry.path) is not None:
        return True
    if has_records(root):
        return False
    return entry.original is not None or not _may_be_new(entry.path)


def _may_be_new(path: str) -> bool:
    """Say whether ours may stand where the host never had a script."""
    scripts = [script for record in INTEGRATIONS for script in record.scripts if script.path == path]
    return all(script.presence is Presence.WRAPPED for script in scripts)


def as_restored(entry: ManifestEntry, kept: Observed) -> Observed:
    """Return a kept original with the mode and owner that it had, where somebody has changed them since."""
    if entry.original == digest(kept.data):
        return kept._replace(mode=entry.mode, uid=entry.uid, gid=entry.gid)
    if kept.mode & 0o122 == 0o100 and kept.uid in (0, os.geteuid()):
        return kept
    known = entry.original is not None
    return kept._replace(
        mode=entry.mode if known else SCRIPT_MODE,
        uid=entry.uid if known else os.geteuid(),
        gid=entry.gid if known else os.getegid(),
    )


def find_loss(root: Path, entry: ManifestEntry) -> Optional[Loss]:
    """Return what is wrong with the original of `entry` where it will be missed; None where all is well."""
    try:
        kept = observe(root, kept_path(entry.path))
    except Refused as error:
        return Loss(str(error), False)
    damage = find_damage(root, entry, kept)
    if damage is None or not is_missed(root, entry, kept):
        return None
    return Loss(str(refuse_loss(root, entry, kept, damage)), is_foreign(kept))


def refuse_loss(root: Path, entry: ManifestEntry, kept: Optional[Observed], damage: str) -> Refused:
    """Return the refusal to remove ours where the original cannot be restored, with what to do."""
    what = "{} {}: {} cannot be restored".format(kept_path(entry.path), damage, entry.path)
    return Refused(what, describe_repair(root, entry, kept))


def describe_repair(root: Path, entry: ManifestEntry, kept: Optional[Observed]) -> str:
    """Return how the admin gets a lost original back: from the package that brings it, else from a backup."""
    target = kept_path(entry.path)
    brought = find_conffile(root, entry.path)
    if brought is None:
        hint = "restore it from a backup, or put what is wanted there in the place of {}, {}".format(
            entry.path, AFTERWARDS
        )
    else:
        hint = "{}, {}".format(" && ".join(_repair_commands(root, entry, kept, brought)), AFTERWARDS)
    if kept is not None and is_foreign(kept):
        return "if it is as it should be, mv {} {} && {} install; else {}".format(target, entry.path, NAME, hint)
    return hint


def _repair_commands(root: Path, entry: ManifestEntry, kept: Optional[Observed], brought: Conffile) -> List[str]:
    target = kept_path(entry.path)
    commands = []
    if not is_diverted(root, entry.path, target, NAME):
        commands.append("{} install".format(NAME))  # dpkg would take ours for an edited one, and leave it
    if kept is not None:
        commands.append("rm {}".format(target))
    elif not locate(root, target).parent.is_dir():
        commands.append("mkdir -p {}".format(ORIGINALS_DIR))  # dpkg makes no directory for what is diverted
    commands.append("apt-get install --reinstall -o Dpkg::Options::=--force-confmiss {}".format(brought.package))
    return commands
