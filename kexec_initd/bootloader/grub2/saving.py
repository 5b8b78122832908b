"""GRUB's save_env: the environment blocks as they would be on the disk afterwards."""

from pathlib import Path
from typing import Dict, NamedTuple, Optional, Sequence, Tuple

from kexec_initd.bootloader import LoaderWrite
from kexec_initd.bootloader.grub2 import grubenv
from kexec_initd.bootloader.grub2.values import is_unknown, why_unknown
from kexec_initd.errors import Refused
from kexec_initd.system.sysroot import Tree

Variables = Dict[str, Optional[str]]


class Write(NamedTuple):
    """A variable that GRUB would change in an environment block on its way; None deletes it."""

    path: Path
    name: str
    value: Optional[str]


def plan_changes(tree: Tree, writes: Sequence[Write]) -> Tuple[LoaderWrite, ...]:
    """Return a change for each block that would become another one.

    Raises Refused where that cannot be known, or where the block has no room.
    """
    blocks: Dict[str, Variables] = {}
    for path, name, value in writes:
        if value is not None and is_unknown(value):
            raise Refused("what GRUB would write to {} depends on {}".format(path, why_unknown(value)))
        blocks.setdefault(tree.resolve(str(path)) or str(path), {})[name] = value
    changes = [_change(tree, path, variables) for path, variables in blocks.items()]
    return tuple(change for change in changes if change.after != change.before)


def _change(tree: Tree, path: str, variables: Variables) -> LoaderWrite:
    before = tree.read_bytes(path) or b""
    try:
        after = grubenv.with_changes(before, variables)
    except Refused as error:
        raise Refused("{}: {}".format(path, error.message))
    words = ["no " + name if value is None else "{}={}".format(name, value) for name, value in variables.items()]
    return LoaderWrite(Path(path), before, after, "{}: {}".format(path, ", ".join(words)))
