"""Waiting for what happens soon, but not at once: SIGKILL takes effect when its target is scheduled."""

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
