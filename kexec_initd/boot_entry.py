"""A boot entry: what a boot loader, or kexec, starts a system from."""

from pathlib import Path
from typing import NamedTuple, Tuple


class BootEntry(NamedTuple):
    """A kernel with its initrds, in order, and its command line; paths as the running host sees them.

    `running`: no loader's configuration has this command line, it is the one that the running kernel was given.
    """

    title: str
    id: str
    kernel: Path
    initrds: Tuple[Path, ...]
    cmdline: str
    running: bool = False
