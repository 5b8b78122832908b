"""An installation, or its removal, in a few plain lines: what was changed, and what happens next."""

from typing import List

from kexec_initd.errors import one_line
from kexec_initd.install.manifest import ChangeKind
from kexec_initd.install.steps import PathChange, Plan, describe

INSTALLED = {
    ChangeKind.REPLACED: "in place of the distribution's own, which is kept",
    ChangeKind.CREATED: "new",
    ChangeKind.BLOCK: "lines added to",
    ChangeKind.SYMLINK: "linked",
    ChangeKind.LINKS: "links in the boot order for",
}
REMOVED = {
    ChangeKind.REPLACED: "the distribution's own again",
    ChangeKind.CREATED: "removed",
    ChangeKind.BLOCK: "lines taken out of",
    ChangeKind.SYMLINK: "removed links",
    ChangeKind.LINKS: "removed from the boot order",
}


def describe_done(plan: Plan) -> str:
    """Return what the plan has changed, a line for each kind of change; what `describe` says where nothing was to change."""
    changes = [change for change in plan.changes if change.steps]
    if not changes:
        return describe(plan._replace(warnings=()))
    words = REMOVED if plan.is_removal else INSTALLED
    return "\n".join(_describe_kind(words[kind], changes, kind) for kind in words if _paths(changes, kind))


def describe_steps(plan: Plan) -> str:
    """Return the steps, a line each, without what they change."""
    return "\n".join(one_line(str(step)) for step in plan.steps)


def _describe_kind(words: str, changes: List[PathChange], kind: ChangeKind) -> str:
    return one_line("{}: {}".format(words, ", ".join(_paths(changes, kind))))


def _paths(changes: List[PathChange], kind: ChangeKind) -> List[str]:
    return [change.entry.path for change in changes if change.entry.kind is kind]
