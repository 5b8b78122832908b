"""One look at a stream of kernel code, which is too large to be kept: its beginning, its size, and the release in it.

Every Linux kernel holds the line that it prints first: "Linux version RELEASE (USER@HOST) (COMPILER) ..."
(init/version-timestamp.c).
"""

import re
from typing import Iterable, NamedTuple, Optional

from kexec_initd.images.reader import InvalidImage

LARGEST_CONTENT = 1 << 30
HEAD = 4096

_BANNER = re.compile(rb"Linux version ([0-9]{1,9}\.[0-9][!-~]{0,60}) \([!-'*-~]{1,100}@")
_LONGEST_BANNER = 256


class Content(NamedTuple):
    """The result of reading a stream: its first HEAD bytes, how many there were, and the release, None where there is none."""

    head: bytes
    size: int
    release: Optional[str]


def survey(blocks: Iterable[bytes]) -> Content:
    """Return what there is to know of `blocks`; raise InvalidImage beyond LARGEST_CONTENT bytes."""
    head, size, release, tail = b"", 0, None, b""
    for block in blocks:
        head += block[: HEAD - len(head)]
        size += len(block)
        if size > LARGEST_CONTENT:
            raise InvalidImage("it unpacks to more than {} bytes".format(LARGEST_CONTENT))
        if release is None:
            window = tail + block
            found = _BANNER.search(window)
            release = found.group(1).decode("ascii") if found else None
            tail = window[-_LONGEST_BANNER:]
    return Content(head, size, release)
