"""Decide what uninstall, and the undoing of an install that failed, change.

It asks the manifest and the disk, not the host's family or init system: those may have changed since. Without a
manifest, what is recognisably ours is taken away all the same.
"""

import os
from pathlib import Path
from typing import List, Optional, Tuple

from kexec_initd.errors import Refused
from kexec_initd.install import dpkg, rc_local, units
from kexec_initd.install.file_copy import Observed, content_of, observe
from kexec_initd.install.layout import (
    INTEGRATIONS,
    OPENRC_RUN,
    OPENRC_SERVICE,
    ORIGINALS_DIR,
    STATE_DIR,
    UNIT_SUFFIX,
    Block,
    Integration,
    Presence,
    is_started_unit,
)
from kexec_initd.install.managed_block import read_block, remove_block
from kexec_initd.install.manifest import (
    ChangeKind,
    InstallState,
    Manifest,
    ManifestEntry,
    refuse_standalone,
)
from kexec_initd.install.originals import (
    as_restored,
    find_damage,
    is_foreign,
    is_missed,
    is_ours,
    kept_path,
    refuse_loss,
)
from kexec_initd.install.rc_links import find_links
from kexec_initd.install.run_lock import planning
from kexec_initd.install.steps import (
    PathChange,
    Plan,
    RemoveLinks,
    RestoreOriginal,
    Step,
    Undivert,
    Unlink,
    WriteFile,
    save_edited,
)
from kexec_initd.system.files import digest
from kexec_initd.system.host import Host
from kexec_initd.system.safe_path import locate


def plan_uninstall(host: Host) -> Plan:
    """Return what uninstall changes. Raises Refused where a file cannot be restored as things are; Error as `planning` does."""
    refuse_standalone(host.root)
    with planning(host.root) as found:
        return plan_removal(host.root, found)


def plan_removal(root: Path, found: Optional[Manifest]) -> Plan:
    """Return what takes the installation below `root` away; `found` is its manifest.

    The reverse order of install, but the links last: update-rc.d wants the script to be gone.
    """
    entries = _find_entries(root) if found is None else found.entries
    ordered = list(reversed(entries))
    ordered.sort(key=lambda entry: entry.kind in (ChangeKind.LINKS, ChangeKind.SYMLINK))
    changes: List[PathChange] = []
    warnings: List[str] = []
    for entry in ordered:
        try:
            changes.append(_plan_entry(root, entry))
        except Refused as error:
            if entry.kind is not ChangeKind.BLOCK:
                raise
            # A damaged block does nothing once our script is gone: no reason to keep everything else.
            warnings.append("{} is left as it is: {}".format(entry.path, error))
    directories = (STATE_DIR, ORIGINALS_DIR) if found is None else found.directories
    wanted = Manifest(InstallState.REMOVING, entries, directories)
    pending = found is not None or locate(root, STATE_DIR).is_dir()
    return Plan(root, tuple(changes), tuple(warnings), found, wanted, pending)


def _plan_entry(root: Path, entry: ManifestEntry) -> PathChange:
    if entry.kind is ChangeKind.LINKS:
        return PathChange(entry, None, None, (RemoveLinks(entry.ours[0]),))
    if entry.kind is ChangeKind.SYMLINK:
        place = locate(root, entry.path)
        there = place.is_symlink() and os.readlink(str(place)) in entry.ours
        told = units.plan_forget(root, entry.path) if there and entry.path.endswith(UNIT_SUFFIX) else ()
        return PathChange(entry, None, None, (Unlink(entry.path), *told) if there else ())
    seen = observe(root, entry.path)
    if entry.kind is ChangeKind.BLOCK:
        return _plan_block(entry, seen)
    if entry.kind is ChangeKind.CREATED:
        steps = _unlink(entry, seen)
        if steps and _is_started(entry, seen):
            steps = units.plan_stop(root, entry.path) + steps
        return PathChange(entry, content_of(seen), None, tuple(steps))
    return _plan_replaced(root, entry, seen)


def _is_started(entry: ManifestEntry, seen: Optional[Observed]) -> bool:
    """Tell whether it is what systemd or OpenRC has started; Debian's OpenRC has a plain script by the same name."""
    by_openrc = entry.path == OPENRC_SERVICE and seen is not None and seen.data.startswith(OPENRC_RUN)
    return by_openrc or is_started_unit(entry.path)


def _plan_replaced(root: Path, entry: ManifestEntry, seen: Optional[Observed]) -> PathChange:
    """Restore the original; then dpkg may write the path itself again.

    Where ours was never put in place, or somebody replaced it without dpkg's diversion, what is there stays. Where
    no original is kept any more because its package was purged meanwhile, ours goes without a successor. Raises Refused
    where one is missed, or is not the one that was kept.
    """
    target = kept_path(entry.path)
    kept = observe(root, target)
    damage = find_damage(root, entry, kept)
    tool = dpkg.find_tool(root)
    diverted = tool is not None and dpkg.is_ours(dpkg.find_diversion(tool, entry.path))
    steps: List[Step] = []
    after = seen
    if kept is not None and damage is None and (diverted or not is_foreign(seen)):
        steps.extend(_restore(entry, seen, kept))
        after = kept
    elif is_foreign(seen):
        steps.extend(_drop_kept(entry, seen, kept))
    elif damage is not None and is_missed(root, entry, kept):
        raise refuse_loss(root, entry, kept, damage)
    elif is_ours(seen):
        steps.extend(_unlink(entry, seen) + _drop_kept(entry, seen, kept))
        after = None
    if diverted:
        steps.append(Undivert(entry.path))
    return PathChange(entry, content_of(seen), content_of(after), tuple(steps))


def _restore(entry: ManifestEntry, seen: Optional[Observed], kept: Observed) -> List[Step]:
    """Return the steps that restore the original: one rename, which needs no space, where it is as it was in all else, too."""
    steps = [save_edited(entry.path, seen)] if seen is not None and _is_edited(entry, seen, kept) else []
    target, wanted = kept_path(entry.path), as_restored(entry, kept)
    if wanted == kept:
        return [*steps, RestoreOriginal(entry.path, target)]
    return [*steps, WriteFile(entry.path, wanted), Unlink(target)]


def _drop_kept(entry: ManifestEntry, seen: Optional[Observed], kept: Optional[Observed]) -> List[Step]:
    """Return the steps that remove a kept original that is not needed; one that nobody else has is saved."""
    if kept is None:
        return []
    target = kept_path(entry.path)
    known = digest(kept.data) == entry.original or (seen is not None and seen.data == kept.data)
    saved = [] if known or not is_foreign(kept) else [save_edited(target, kept)]
    return [*saved, Unlink(target)]


def _is_edited(entry: ManifestEntry, seen: Observed, kept: Observed) -> bool:
    """Say whether what is in the place is neither ours as written nor the original."""
    return seen.data != kept.data and digest(seen.data) not in entry.ours + (entry.original or "",)


def _unlink(entry: ManifestEntry, seen: Optional[Observed]) -> List[Step]:
    """Return the steps that remove a file of ours, a copy saved first where it was edited."""
    if seen is None:
        return []
    edited = digest(seen.data) not in entry.ours
    return ([save_edited(entry.path, seen)] if edited else []) + [Unlink(entry.path)]


def _plan_block(entry: ManifestEntry, seen: Optional[Observed]) -> PathChange:
    """Take the block out; the file goes if it was made for the block and holds nothing else."""
    block = None if seen is None else read_block(seen.data)
    if seen is None or block is None:
        return PathChange(entry, content_of(seen), content_of(seen), ())
    steps = [save_edited(entry.path, seen)] if digest(block) not in entry.ours else []
    rest = remove_block(seen.data)
    if entry.original is None and rest == rc_local.EMPTY:
        return PathChange(entry, seen.data, None, tuple(steps + [Unlink(entry.path)]))
    mtime = entry.mtime_ns if digest(rest) == entry.original else 0
    steps.append(WriteFile(entry.path, seen._replace(data=rest, mtime_ns=mtime)))
    return PathChange(entry, seen.data, rest, tuple(steps))


def _find_entries(root: Path) -> Tuple[ManifestEntry, ...]:
    """Return what is recognisably ours where the manifest is lost, as if it had been written down."""
    found: List[ManifestEntry] = []
    for record in INTEGRATIONS:
        found.extend(_find_scripts(root, record))
        for block in record.blocks:
            found.extend(_find_block(root, block))
        for path, target in record.links:
            place = locate(root, path)
            if place.is_symlink() and os.readlink(str(place)) == target:
                found.append(ManifestEntry(path, ChangeKind.SYMLINK, None, (target,)))
        if record.debian_tools and record.service and root == Path("/") and find_links(root, record.service):
            found.append(ManifestEntry("/etc/rc6.d", ChangeKind.LINKS, None, (record.service,)))
    return tuple(dict.fromkeys(found))  # records share files


def _find_scripts(root: Path, record: Integration) -> List[ManifestEntry]:
    found = []
    for script in record.scripts:
        seen = observe(root, script.path)
        kept = None if script.presence is Presence.OURS else observe(root, kept_path(script.path))
        ours = (digest(seen.data),) if seen is not None and is_ours(seen) else ()
        if ours or kept is not None:
            kind = ChangeKind.CREATED if script.presence is Presence.OURS else ChangeKind.REPLACED
            found.append(ManifestEntry(script.path, kind, None, ours))
    return found


def _find_block(root: Path, block: Block) -> List[ManifestEntry]:
    try:
        seen = observe(root, block.path)
        lines = None if seen is None else read_block(seen.data)
    except Refused:
        return []
    return [] if lines is None else [ManifestEntry(block.path, ChangeKind.BLOCK, None, (digest(lines),))]
