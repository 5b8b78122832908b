"""Decide what install changes. Nothing is changed here; `apply.execute` carries a plan out.

A plan starts from the disk as it is, whatever an interrupted run left there: each script is either the host's own or
ours, each original is kept or not yet. So the same rules install, upgrade, repair and complete, and a half removed
installation needs no removal first.
"""

import os
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Set, Tuple

from kexec_initd.errors import Refused
from kexec_initd.install import dpkg, units
from kexec_initd.install.deviations import is_in_openrc, is_linked, is_ordered
from kexec_initd.install.dropped import plan_dropped
from kexec_initd.install.file_copy import Observed, content_of, label_of, missing_directories, observe, own
from kexec_initd.install.integrations import find_blocks, find_integration
from kexec_initd.install.layout import NAME, ORIGINALS_DIR, STATE_DIR, Block, Integration, OwnScript, Presence
from kexec_initd.install.managed_block import read_block
from kexec_initd.install.manifest import (
    ChangeKind,
    InstallState,
    Manifest,
    ManifestEntry,
    find_unfinished,
    refuse_standalone,
)
from kexec_initd.install.originals import find_damage, find_loss, is_foreign, is_ours, kept_path
from kexec_initd.install.render import (
    RenderedFile,
    find_obstacle,
    observe_block,
    render_script,
)
from kexec_initd.install.run_lock import planning
from kexec_initd.install.steps import (
    AddLinks,
    Divert,
    KeepOriginal,
    MakeLink,
    PathChange,
    Plan,
    Step,
    WriteFile,
    save_edited,
)
from kexec_initd.system import process
from kexec_initd.system.files import digest
from kexec_initd.system.host import Host
from kexec_initd.system.safe_path import locate

OLDER_DIGESTS = 4


class Site(NamedTuple):
    """What every rule needs: the host, the manifest that was found, dpkg-divert where dpkg has a say.

    `by_recipe`: what an earlier run has made by the same recipe is not made again.
    """

    host: Host
    found: Optional[Manifest]
    dpkg_divert: Optional[Path]
    by_recipe: bool

    def known(self, path: str) -> Optional[ManifestEntry]:
        """Return what an earlier run wrote down about `path`."""
        return None if self.found is None else self.found.find(path)


def plan_install(host: Host, over_standalone: bool = False, by_recipe: bool = False) -> Plan:
    """Return what install changes on this host. Raises Refused where the host or one of its files is not fit; Error as
    `planning` does.

    `over_standalone`: what install.sh has put there is judged as if it was ours, whose manifest is lost. `by_recipe` is for a
    look at what would be done: what an install makes, it renders.
    """
    if not over_standalone:
        refuse_standalone(host.root)
    with planning(host.root) as found:
        return _plan_all(host, found, by_recipe)


def _plan_all(host: Host, known: Optional[Manifest], by_recipe: bool) -> Plan:
    record = find_integration(host)
    tool = dpkg.find_tool(host.root) if record.debian_tools else None
    site = Site(host, known, tool, by_recipe)
    dropped = _plan_dropped(host, record)
    gone = {change.entry.path for change in dropped}
    scripts = [script for script in record.scripts if script.path not in gone]
    changes = [change for change in (_plan_script(site, script) for script in scripts) if change]
    warnings: List[str] = []
    for block in find_blocks(host, record):
        found, warned = _plan_block(site, block)
        changes.extend(found)
        warnings.extend(warned)
    changes.extend(_plan_links(site, record))
    warnings.extend(_find_losses(host.root, changes))
    changes.extend(_carry_over(site, gone.union(change.entry.path for change in changes)))
    entries = tuple(change.entry for change in changes)
    wanted = Manifest(InstallState.INSTALLING, entries, _new_directories(site, entries))
    return Plan(host.root, (*changes, *dropped), tuple(warnings), site.found, wanted, _is_pending(site, wanted))


def _is_pending(site: Site, wanted: Manifest) -> bool:
    """Tell whether the manifest is to be written even where no file is: a run was killed, or it has other recipes."""
    found = site.found
    if found is None or found.state is not InstallState.INSTALLED or find_unfinished(site.host.root):
        return True
    return found.recipes != wanted.recipes


def _plan_dropped(host: Host, record: Integration) -> List[PathChange]:
    """Return what is left to do for scripts that their package has dropped; the manifest forgets them."""
    paths = [script.path for script in record.scripts if script.presence is Presence.REPLACED_IF_THERE]
    return [change for change in (plan_dropped(host, path) for path in paths) if change]


def _carry_over(site: Site, planned: Set[str]) -> List[PathChange]:
    """Keep in mind what an earlier run put where this one puts nothing: the host's init scripts were others then."""
    entries = () if site.found is None else site.found.entries
    return [PathChange(entry, None, None, ()) for entry in entries if entry.path not in planned]


def _plan_script(site: Site, script: OwnScript) -> Optional[PathChange]:
    """Plan one init script; None where the host has none to replace, but what was replaced stays written down."""
    known = site.known(script.path)
    rendered = render_script(site.host, script, known if site.by_recipe else None)
    if rendered is None:
        return None if known is None else PathChange(known, None, None, ())
    seen = observe(site.host.root, script.path)
    if script.presence is Presence.OURS:
        change = _plan_created(rendered, seen, known)
        return _with_start(site, change) if script.is_started else change
    if script.presence is not Presence.WRAPPED and not is_foreign(seen):
        _require_original(site.host.root, script, seen, known)
    return _plan_replaced(site, rendered, seen, known)


def _require_original(root: Path, script: OwnScript, seen: Optional[Observed], known: Optional[ManifestEntry]) -> None:
    """Raise Refused where ours would be all that is left of a script of the host."""
    if known is not None or is_foreign(observe(root, kept_path(script.path))):
        return
    if is_ours(seen):
        raise Refused("{} is ours, but its original is gone".format(script.path), "reinstall its package first")
    if script.presence is Presence.REQUIRED:
        raise Refused("{} is empty, or not a script".format(script.path), "reinstall the package that brings it")


def _plan_created(rendered: RenderedFile, seen: Optional[Observed], known: Optional[ManifestEntry]) -> PathChange:
    if seen is not None and known is None and not is_ours(seen):
        raise Refused("{} exists and is not ours".format(rendered.path), "move it away first")
    entry = ManifestEntry(
        rendered.path, ChangeKind.CREATED, None, _digests(rendered.content, known), recipe=rendered.recipe
    )
    return PathChange(entry, content_of(seen), rendered.content, tuple(_write(rendered, seen, known)))


def _with_start(site: Site, change: PathChange) -> PathChange:
    """Have a unit that is written started; also one that a run that was broken off may not have come to."""
    complete = site.found is not None and site.found.state is InstallState.INSTALLED
    if complete and not change.steps:
        return change
    return change._replace(steps=(*change.steps, *units.plan_start(site.host.root, change.entry.path)))


def _plan_replaced(
    site: Site, rendered: RenderedFile, seen: Optional[Observed], known: Optional[ManifestEntry]
) -> PathChange:
    """Plan a script in place of the host's own: keep that first, divert, then one rename."""
    path, target = rendered.path, kept_path(rendered.path)
    kept = observe(site.host.root, target)
    tool = site.dpkg_divert
    diverted = tool is not None and dpkg.check_free(tool, path, target)
    steps: List[Step] = []
    if seen is not None and not is_ours(seen) and (kept is None or is_foreign(seen)):
        steps.extend(_keep(path, seen, kept, diverted, known))
    keeps = any(isinstance(step, KeepOriginal) for step in steps)
    if tool is not None and not diverted:
        steps.append(Divert(path, target))
    steps.extend(_write(rendered, seen if is_ours(seen) else None, known, label=seen))
    digests = _digests(rendered.content, known)
    entry = ManifestEntry(path, ChangeKind.REPLACED, None, digests, diverted=tool is not None, recipe=rendered.recipe)
    if not keeps and known is not None and find_damage(site.host.root, known, kept) is not None:
        entry = known._replace(
            ours=entry.ours, diverted=entry.diverted, recipe=entry.recipe
        )  # what it has to be is still known
    else:
        entry = _with_original(entry, seen if keeps else kept)
    return PathChange(entry, content_of(seen), rendered.content, tuple(steps))


def _find_losses(root: Path, changes: Sequence[PathChange]) -> List[str]:
    """Return, for each original that could not be restored as things are, what is wrong and what to do."""
    replaced = [change for change in changes if change.entry.kind is ChangeKind.REPLACED]
    settled = [change for change in replaced if not any(isinstance(step, KeepOriginal) for step in change.steps)]
    return [loss.text for loss in (find_loss(root, change.entry) for change in settled) if loss is not None]


def _keep(
    path: str, seen: Observed, kept: Optional[Observed], diverted: bool, known: Optional[ManifestEntry]
) -> List[Step]:
    """Return the steps that keep the host's own script aside.

    Once it is diverted, dpkg writes the kept one, which is then the newer; what is in the place is an older
    original of a half done run, or else somebody's edit, which is saved.
    """
    if kept is None or not diverted or not is_foreign(kept):
        return [] if kept == seen else [KeepOriginal(path, kept_path(path), seen)]
    stale = seen.data == kept.data or (known is not None and digest(seen.data) == known.original)
    return [] if stale else [save_edited(path, seen)]


def _write(
    rendered: RenderedFile, ours: Optional[Observed], known: Optional[ManifestEntry], label: Optional[Observed] = None
) -> List[Step]:
    """Return the steps that put our script in place: none where it is there, a saved copy first where it was edited."""
    if ours is not None and (ours.data, ours.mode) == (rendered.content, rendered.mode):
        return []
    steps = []
    if ours is not None and digest(ours.data) not in _digests(rendered.content, known):
        steps.append(save_edited(rendered.path, ours))
    like = ours or label
    xattrs = () if like is None else label_of(like)
    steps.append(WriteFile(rendered.path, own(rendered.content, rendered.mode, xattrs)))
    return steps


def _plan_block(site: Site, block: Block) -> Tuple[List[PathChange], List[str]]:
    """Plan a block in a script of the host; one that is not fit for an optional block is left alone with a warning."""
    path, known = block.path, site.known(block.path)
    wanted = observe_block(site.host, block, known if site.by_recipe else None)
    if wanted is None:
        changes = [] if known is None else [PathChange(known, None, None, ())]
        return changes, ["{}: {}".format(block.loss, find_obstacle(site.host, block))]
    seen = observe(site.host.root, path)
    old = None if seen is None else read_block(seen.data)
    digests = _digests(wanted.block, known)
    if old is not None and known is not None:
        entry = known._replace(ours=digests, recipe=wanted.recipe)
    else:
        entry = _with_original(ManifestEntry(path, ChangeKind.BLOCK, None, digests, recipe=wanted.recipe), seen)
    steps = []
    if seen is not None and old is not None and known is not None and digest(old) not in entry.ours:
        steps.append(save_edited(path, seen))
    if seen is None or seen.data != wanted.after:
        content = own(wanted.after, wanted.mode, ()) if seen is None else seen._replace(data=wanted.after, mtime_ns=0)
        steps.append(WriteFile(path, content))
    return [PathChange(entry, content_of(seen), wanted.after, tuple(steps))], []


def _plan_links(site: Site, record: Integration) -> List[PathChange]:
    """Plan the links: by update-rc.d on the running host, by hand under another root."""
    root = site.host.root
    if record.debian_tools and record.service and root == Path("/") and process.find(root, "update-rc.d") is not None:
        entry = ManifestEntry("/etc/rc6.d", ChangeKind.LINKS, None, (record.service,))
        complete = site.found is not None and site.found.state is InstallState.INSTALLED
        done = complete and is_linked(root, NAME) and is_ordered(root, NAME) and is_in_openrc(root)
        return [PathChange(entry, None, None, () if done else (AddLinks(record.service),))]
    return [_plan_link(root, path, target) for path, target in record.links]


def _plan_link(root: Path, path: str, target: str) -> PathChange:
    place = locate(root, path)
    entry = ManifestEntry(path, ChangeKind.SYMLINK, None, (target,))
    if place.is_symlink() and os.readlink(str(place)) == target:
        return PathChange(entry, None, None, ())
    if place.is_symlink() or place.exists():
        raise Refused("{} exists and is not ours".format(path), "move it away first")
    return PathChange(entry, None, None, (MakeLink(path, target),))


def _new_directories(site: Site, entries: Tuple[ManifestEntry, ...]) -> Tuple[str, ...]:
    """Return the directories that are ours to remove again: those written down before, and those to be made, parents first."""
    names = set(() if site.found is None else site.found.directories)
    for path in [STATE_DIR, ORIGINALS_DIR] + [entry.path.rsplit("/", 1)[0] for entry in entries]:
        names.update(missing_directories(site.host.root, path))
    return tuple(sorted(names))


def _digests(content: bytes, known: Optional[ManifestEntry]) -> Tuple[str, ...]:
    """Return the digest of `content` first, then those that an earlier run wrote."""
    new = digest(content)
    older = () if known is None else tuple(value for value in known.ours if value != new)
    return (new,) + older[:OLDER_DIGESTS]


def _with_original(entry: ManifestEntry, found: Optional[Observed]) -> ManifestEntry:
    if found is None:
        return entry
    return entry._replace(
        original=digest(found.data), mode=found.mode, uid=found.uid, gid=found.gid, mtime_ns=found.mtime_ns
    )
