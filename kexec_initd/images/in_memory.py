"""Files without a name that are in memory, and how much memory there is for them."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import BinaryIO, Optional, cast

from kexec_initd.errors import Refused
from kexec_initd.system.files import read_text
from kexec_initd.system.safe_path import below

TMPFS = ("dev/shm", "run", "dev")


def read_available(root: Path) -> Optional[int]:
    """Return how many bytes of memory programs can still get; None where the kernel does not say it (before Linux 3.14)."""
    for line in (read_text(below(root, "proc/meminfo")) or "").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable" and value.strip().endswith(" kB"):
            return int(value.split()[0]) << 10
    return None


def open_anonymous(root: Path, what: str) -> BinaryIO:
    """Open a file that only we can use, to do `what`; it is gone when it is closed, or with this process.

    Where the kernel or Python has no memfd_create(2), it is in a tmpfs below `root`. Raises Refused.
    """
    memfd_create = getattr(os, "memfd_create", None)  # from Python 3.8 on
    if memfd_create is not None:
        with contextlib.suppress(OSError):
            fd = memfd_create("kexec-initd")
            os.fchmod(fd, 0o600)
            return cast(BinaryIO, os.fdopen(fd, "r+b", buffering=0))
    directory = next((root / name for name in TMPFS if (root / name).is_dir()), root / TMPFS[0])
    try:
        return cast(BinaryIO, tempfile.TemporaryFile(dir=str(directory), buffering=0))
    except OSError as error:
        raise Refused("cannot {} in {}: {}".format(what, directory, error.strerror))


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write `data` to the end. Raises OSError."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
