"""A script that its package has dropped while ours stood in its place, as kexec-tools of Debian 13 has its init scripts.

dpkg-maintscript-helper(1), rm_conffile, goes by the path and not by the diversion: it takes ours for an edited script of the
package and sets that aside, first as .dpkg-backup, at last as .dpkg-bak. What it was to remove is the kept original.
"""

from typing import List, Optional

from kexec_initd.install.conffiles import digest_of, find_conffile, find_digest
from kexec_initd.install.file_copy import observe
from kexec_initd.install.manifest import ChangeKind, ManifestEntry
from kexec_initd.install.originals import is_ours, kept_path
from kexec_initd.install.steps import PathChange, Step, Undivert, Unlink, save_edited
from kexec_initd.system.host import Host

SET_ASIDE = (".dpkg-backup", ".dpkg-remove", ".dpkg-bak")


def plan_dropped(host: Host, path: str) -> Optional[PathChange]:
    """Return what is left to do for `path` once its package has dropped it: no stub, no original, no diversion; else None.

    The manifest forgets the path at once. What shows that it was dropped goes last, so that a run that was killed is
    completed by the next.
    """
    if observe(host.root, path) is not None or find_conffile(host.root, path) is not None:
        return None
    aside = [path + ending for ending in SET_ASIDE if is_ours(observe(host.root, path + ending))]
    if not aside:
        return None
    steps = [*_remove_original(host, path), Undivert(path), *(Unlink(name) for name in aside)]
    return PathChange(ManifestEntry(path, ChangeKind.REPLACED, None, ()), None, None, tuple(steps))


def _remove_original(host: Host, path: str) -> List[Step]:
    """Return the steps that remove the kept original; one that the package did not bring as it is is saved first."""
    target = kept_path(path)
    kept = observe(host.root, target)
    if kept is None:
        return []
    brought = find_digest(host.root, path) == digest_of(kept.data)
    return [*([] if brought else [save_edited(target, kept)]), Unlink(target)]
