"""The parts of a plan: changes to paths, each with the few primitive steps that carry it out, and how it reads."""

import os
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple, Union

from kexec_initd.errors import one_line
from kexec_initd.install import dpkg, rc_links
from kexec_initd.install.file_copy import Observed, make_directory, put, remove, stage
from kexec_initd.install.layout import BACKUP_DIR, NAME, STAGING_DIR
from kexec_initd.install.manifest import InstallState, Manifest, ManifestEntry
from kexec_initd.system import process
from kexec_initd.system.files import digest, fsync_dir
from kexec_initd.system.safe_path import locate

MANAGER_TIMEOUT = 120.0


class SaveCopy(NamedTuple):
    """Save a copy of what is about to go, for its owner."""

    path: str
    target: str
    content: Observed

    def __str__(self) -> str:
        return "save {} as {}".format(self.path, self.target)

    def apply(self, root: Path) -> None:
        """Carry it out."""
        directory = make_directory(root, BACKUP_DIR, 0o700)
        own_copy = self.content._replace(uid=os.geteuid(), gid=os.getegid())
        put(stage(directory, own_copy), locate(root, self.target))


class KeepOriginal(NamedTuple):
    """Keep the host's own script aside."""

    path: str
    target: str
    content: Observed

    def __str__(self) -> str:
        return "keep the original {} as {}".format(self.path, self.target)

    def apply(self, root: Path) -> None:
        """Carry it out."""
        put(stage(locate(root, STAGING_DIR), self.content), locate(root, self.target))


class WriteFile(NamedTuple):
    """Write a whole file."""

    path: str
    content: Observed

    def __str__(self) -> str:
        return "write {}".format(self.path)

    def apply(self, root: Path) -> None:
        """Carry it out."""
        place = locate(root, self.path)
        put(stage(locate(root, STAGING_DIR), self.content), place)


class RestoreOriginal(NamedTuple):
    """Restore the host's own script to its place."""

    path: str
    target: str

    def __str__(self) -> str:
        return "restore {} from {}".format(self.path, self.target)

    def apply(self, root: Path) -> None:
        """Carry it out."""
        put(locate(root, self.target), locate(root, self.path))


class Unlink(NamedTuple):
    """Remove a file or a link."""

    path: str

    def __str__(self) -> str:
        return "remove {}".format(self.path)

    def apply(self, root: Path) -> None:
        """Carry it out."""
        remove(locate(root, self.path))


class MakeLink(NamedTuple):
    """Make a symbolic link."""

    path: str
    target: str

    def __str__(self) -> str:
        return "link {} to {}".format(self.path, self.target)

    def apply(self, root: Path) -> None:
        """Carry it out."""
        place = locate(root, self.path)
        os.symlink(self.target, str(place))
        fsync_dir(place.parent)


class Divert(NamedTuple):
    """Have dpkg write elsewhere what it would write to a path."""

    path: str
    target: str

    def __str__(self) -> str:
        return "have dpkg write {} to {}".format(self.path, self.target)

    def apply(self, root: Path) -> None:
        """Carry it out."""
        tool = dpkg.find_tool(root)
        if tool is not None:
            dpkg.divert(tool, self.path, self.target)


class Undivert(NamedTuple):
    """Have dpkg write a path itself again."""

    path: str

    def __str__(self) -> str:
        return "have dpkg write {} itself again".format(self.path)

    def apply(self, root: Path) -> None:
        """Carry it out."""
        tool = dpkg.find_tool(root)
        if tool is not None:
            dpkg.undivert(tool, self.path)


class AddLinks(NamedTuple):
    """Have update-rc.d make the links of a service."""

    service: str

    def __str__(self) -> str:
        return "add the links of {} with update-rc.d".format(self.service)

    def apply(self, root: Path) -> None:
        """Carry it out."""
        rc_links.add_links(root, self.service)


class RemoveLinks(NamedTuple):
    """Have update-rc.d remove the links of a service."""

    service: str

    def __str__(self) -> str:
        return "remove the links of {} with update-rc.d".format(self.service)

    def apply(self, root: Path) -> None:
        """Carry it out."""
        rc_links.remove_links(root, self.service)


class ManageService(NamedTuple):
    """Tell the service manager about a service of ours, or have it start or stop that, by a `program` of its own."""

    path: str
    program: str
    words: Tuple[str, ...]

    def __str__(self) -> str:
        return "call {} {}".format(self.program, " ".join(self.words))

    def apply(self, root: Path) -> None:
        """Carry it out."""
        process.run([str(process.require(root, self.program)), *self.words], MANAGER_TIMEOUT)


# One primitive change each, atomic in itself; done again it does no harm.
Step = Union[
    SaveCopy,
    KeepOriginal,
    WriteFile,
    RestoreOriginal,
    Unlink,
    MakeLink,
    Divert,
    Undivert,
    AddLinks,
    RemoveLinks,
    ManageService,
]
OF_LINKS = (MakeLink, AddLinks, RemoveLinks)


class PathChange(NamedTuple):
    """One path before and after; None: no file. Without steps it is already as it should be."""

    entry: ManifestEntry
    before: Optional[bytes]
    after: Optional[bytes]
    steps: Tuple[Step, ...]


class Plan(NamedTuple):
    """All changes of one run, in order. `found` is the manifest that was there, `wanted` the one while the run goes on."""

    root: Path
    changes: Tuple[PathChange, ...]
    warnings: Tuple[str, ...]
    found: Optional[Manifest]
    wanted: Manifest
    pending: bool

    @property
    def is_removal(self) -> bool:
        """Say whether this plan takes an installation away."""
        return self.wanted.state is InstallState.REMOVING

    @property
    def steps(self) -> List[Step]:
        """Return the steps of all changes, in order."""
        return [step for change in self.changes for step in change.steps]

    @property
    def is_empty(self) -> bool:
        """Say whether nothing is left to do, not even the end of an interrupted run."""
        return not self.steps and not self.pending


def save_edited(path: str, found: Observed) -> Step:
    """Return the step that saves a copy of a file of ours that somebody edited."""
    name = "{}.{}".format(path.rsplit("/", 1)[-1], digest(found.data)[:8])
    content = found._replace(mode=0o600, uid=0, gid=0, xattrs=())
    return SaveCopy(path, "{}/{}".format(BACKUP_DIR, name), content)


def describe(plan: Plan) -> str:
    """Return the plan as text without final newline: each step in a line, with unified diffs, then the warnings."""
    lines: List[str] = []
    for change in plan.changes:
        for step in change.steps:
            lines.append(str(step))
        if change.steps:
            lines.extend(_diff(change))
    if not lines:
        lines.append(_nothing(plan))
    lines.extend("warning: {}".format(warning) for warning in plan.warnings)
    return "\n".join(lines)


def _nothing(plan: Plan) -> str:
    """Say what a run does that changes no file of the host."""
    if plan.found is None and plan.is_removal:
        return "nothing to do: {} is not installed".format(NAME)
    if not plan.pending:
        return "nothing to do: {} is installed".format(NAME)
    is_whole = plan.found is None or plan.found.state is InstallState.INSTALLED
    is_same = plan.found is not None and plan.found.recipes == plan.wanted.recipes
    if not is_whole or (is_same and not plan.is_removal):
        return "an interrupted run is brought to its end; every file is as it should be"
    return "every file is as it should be; only the record of it is {}".format(
        "removed" if plan.is_removal else "made anew"
    )


def _diff(change: PathChange) -> List[str]:
    """Return a unified diff; what is not printable is shown escaped."""
    import difflib

    names = ["/dev/null" if data is None else change.entry.path for data in (change.before, change.after)]
    return list(difflib.unified_diff(_lines(change.before), _lines(change.after), names[0], names[1], lineterm=""))


def _lines(data: Optional[bytes]) -> List[str]:
    lines = (data or b"").decode("utf-8", "backslashreplace").split("\n")
    return [one_line(line.replace("\t", "    ")) for line in (lines[:-1] if lines[-1] == "" else lines)]
