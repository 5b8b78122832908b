"""Limits of processor time that mean the same on a slow machine and on an old Python: they grow with a yardstick's.

A limit is there for work that grows with the square of its input or worse, which takes many times as long. The yardstick is
only asked when a limit is passed.
"""

import time
from typing import Dict

# What `yardstick` takes where the limits were set: Python 3.13, an idle machine.
USUAL = 0.035


def yardstick() -> float:
    """Return the seconds of processor time that a fixed piece of work takes here: words, dictionaries, calls."""
    start = time.process_time()
    counts: Dict[str, int] = {}
    for number in range(20000):
        for word in "title {} root=/dev/sda1 ro".format(number % 97).split():
            counts[word] = counts.get(word, 0) + len(word.partition("=")[2])
    return time.process_time() - start


def is_too_long(spent: float, limit: float) -> bool:
    """Tell whether `spent` seconds of processor time are more than `limit`, which is in those of the usual machine."""
    return spent > limit and spent > limit * max(yardstick() for _ in range(5)) / USUAL
