"""Is the initrd to be handed to kexec unpacked? Compression saves a boot loader reading; once in memory it only costs time."""

import contextlib
from pathlib import Path
from typing import Iterator, Optional

from kexec_initd.images.in_memory import read_available
from kexec_initd.images.unpacked import Unpacked, keep
from kexec_initd.kexec import program
from kexec_initd.settings.reader import Settings

# So many times the size of the initrd have to be available, and so many times that of what it unpacks to: as a file, in
# kexec's buffer and as the kernel's copy.
PACKED_TIMES = 10
COPIES = 3
# What unpacks these takes no time worth the memory; the others take from a few tenths of a second up to some.
QUICK = frozenset(("lz4", "zstd"))


@contextlib.contextmanager
def keep_if_wanted(root: Path, settings: Settings, size: int) -> Iterator[Optional[Unpacked]]:
    """Return what keeps the content of an initrd of `size` bytes while it is checked; None where it is loaded as it is."""
    available = find_available(root, settings)
    if available < PACKED_TIMES * size:
        yield None
        return
    with keep(root, available // COPIES) as kept:
        yield kept


def find_available(root: Path, settings: Settings) -> int:
    """Return how much memory there is for it: none where it is not wanted, or costs more than it saves.

    That is so with a checksum over what is loaded: with the purgatory's, and in a file load, which may be measured, too.
    """
    if settings.unpack_initrd == "no" or settings.purgatory_checks or not program.spares_checksum(root):
        return 0
    return read_available(root) or 0


def find_replacement(kept: Optional[Unpacked], settings: Settings) -> Optional[int]:
    """Return the descriptor of what is to be loaded in place of the initrd, once that was checked; None for itself."""
    if kept is None or (settings.unpack_initrd == "auto" and kept.formats <= QUICK):
        return None
    return kept.fd
