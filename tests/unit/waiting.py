"""Waiting for what happens soon, but not at once: SIGKILL takes effect when its target is scheduled."""

import statistics
import time
from typing import Callable


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Return whether `holds()` becomes true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def median_seconds(call: Callable[[], object], times: int = 11) -> float:
    """Return how long `call()` takes: one that the machine had no time for does not count."""
    seconds = []
    for _ in range(times):
        began = time.monotonic()
        call()
        seconds.append(time.monotonic() - began)
    return statistics.median(seconds)
