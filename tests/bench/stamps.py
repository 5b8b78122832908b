"""Time stamps that a guest writes to its debug console: "@TAG TICKS" lines, one tick a nanosecond of its clock."""

import re
from typing import List, NamedTuple


class Stamp(NamedTuple):
    """The moment `seconds` on the guest's clock, which nothing but the end of QEMU sets back."""

    tag: str
    seconds: float


class MissingStamp(RuntimeError):
    """The guest has not come to the place that was to be stamped, or the stamp was not written whole."""


def parse(text: str) -> List[Stamp]:
    """Return the stamps in `text` in their order; what firmware or a boot loader says in between is passed over."""
    return [Stamp(tag, int(ticks) / 1e9) for tag, ticks in re.findall(r"@(\S+) (\d+)\n", text)]


def between(stamps: List[Stamp], first: str, last: str) -> float:
    """Return the seconds from the first stamp `first` to the last stamp `last`."""
    starts = [stamp.seconds for stamp in stamps if stamp.tag == first]
    ends = [stamp.seconds for stamp in stamps if stamp.tag == last]
    if not starts or not ends or ends[-1] < starts[0]:
        raise MissingStamp(f"no time from {first} to {last} in {' '.join(stamp.tag for stamp in stamps) or 'nothing'}")
    return ends[-1] - starts[0]
