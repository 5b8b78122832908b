"""The host's own scripts, in their place or, once ours stand there, kept aside."""

from pathlib import Path
from typing import Optional

from kexec_initd.integration.records import MARK, ORIGINALS_DIR
from kexec_initd.integration.tree import Observed, observe


def kept_path(path: str) -> str:
    """Return where the original of `path` is kept: on the same file system, in no directory that boot programs read."""
    return "{}/{}".format(ORIGINALS_DIR, path.rsplit("/", 1)[-1])


def is_ours(found: Optional[Observed]) -> bool:
    """Say whether a script was rendered by us, be it edited since: each template carries the mark."""
    return found is not None and MARK in found.data


def find_original(root: Path, path: str) -> Optional[Observed]:
    """Return the host's own script for `path`, in its place or kept aside; None where the host has none."""
    seen = observe(root, path)
    return seen if seen is not None and not is_ours(seen) else observe(root, kept_path(path))
