"""What a plan is made of: changes to paths, each with the few primitive steps that carry it out, and how it reads."""

import difflib
import enum
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

from kexec_initd.errors import one_line
from kexec_initd.install.file_copy import Observed
from kexec_initd.install.layout import BACKUP_DIR, NAME
from kexec_initd.install.manifest import InstallState, Manifest, ManifestEntry
from kexec_initd.system.files import digest


class Action(enum.Enum):
    """One primitive change, atomic in itself."""

    SAVE = "save {path} as {target}"
    KEEP = "keep the original {path} as {target}"
    DIVERT = "have dpkg write {path} to {target}"
    WRITE = "write {path}"
    LINK = "link {path} to {target}"
    UNLINK = "remove {path}"
    GIVE_BACK = "put {target} back as {path}"
    UNDIVERT = "have dpkg write {path} itself again"
    ADD_LINKS = "add the links of {target} with update-rc.d"
    REMOVE_LINKS = "remove the links of {target} with update-rc.d"


class Step(NamedTuple):
    """One action on `path`; `target` is the other path it needs, `content` the whole file to write."""

    action: Action
    path: str
    target: str = ""
    content: Optional[Observed] = None


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
    return Step(Action.SAVE, path, "{}/{}".format(BACKUP_DIR, name), content)


def describe(plan: Plan) -> str:
    """Return the plan as text without final newline: each step in a line, with unified diffs, then the warnings."""
    lines: List[str] = []
    for change in plan.changes:
        for step in change.steps:
            lines.append(step.action.value.format(path=step.path, target=step.target))
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
    if plan.found is not None and (plan.found.state is not InstallState.INSTALLED or not plan.is_removal):
        return "an interrupted run is brought to its end; every file is as it should be"
    return "every file is as it should be; only the record of it is {}".format(
        "removed" if plan.is_removal else "made anew"
    )


def _diff(change: PathChange) -> List[str]:
    """Return a unified diff; what is not printable is shown escaped."""
    names = ["/dev/null" if data is None else change.entry.path for data in (change.before, change.after)]
    return list(difflib.unified_diff(_lines(change.before), _lines(change.after), names[0], names[1], lineterm=""))


def _lines(data: Optional[bytes]) -> List[str]:
    lines = (data or b"").decode("utf-8", "backslashreplace").split("\n")
    return [one_line(line.replace("\t", "    ")) for line in (lines[:-1] if lines[-1] == "" else lines)]
