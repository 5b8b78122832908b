"""What the machine can boot: the record that every way of finding it returns."""

from pathlib import Path
from typing import NamedTuple, Tuple


class BootEntry(NamedTuple):
    """A kernel with its initrds, in order, and its command line; paths as the running host sees them."""

    title: str
    id: str
    kernel: Path
    initrds: Tuple[Path, ...]
    cmdline: str
