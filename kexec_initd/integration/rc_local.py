"""/etc/rc.local, where the kernel is preloaded at the end of the boot: is the host's own fit for a block of ours?

See rc.local in Debian's and RHEL's initscripts.
"""

import re
from typing import Optional

from kexec_initd.integration.block import find_block

EMPTY = b"#!/bin/sh\nexit 0\n"
FINAL_EXIT = re.compile(rb"\s*exit(\s+0)?\s*(#.*)?")
SHELLS = (b"sh", b"ash", b"bash", b"dash", b"ksh", b"mksh")
EARLY_EXIT = re.compile(rb"(exit|exec)\b")


def find_unfitness(text: bytes, mode: int) -> Optional[str]:
    """Say why the block must not be put into this file, as "is not executable"; None where it can be."""
    first = text.split(b"\n", 1)[0]
    if not mode & 0o100:
        return "is not executable, so nothing runs it"
    if b"\0" in text:
        return "holds NUL bytes, so it is no script"
    if b"\r\n" in text:
        return "has the line ends of DOS, with which no shell runs it"
    if first.startswith(b"#!") and _interpreter(first) not in SHELLS:
        return "is run by {}, not by a shell".format(first[2:].strip().decode("ascii", "backslashreplace"))
    return None


def has_early_exit(text: bytes) -> bool:
    """Say whether a line before the block ends the script, as far as one line can show it."""
    span = find_block(text)
    before = text if span is None else text[: span.start]
    return any(EARLY_EXIT.match(line) for line in before.split(b"\n"))


def _interpreter(first: bytes) -> bytes:
    """Return the name of the program in a #! line; behind env(1), that of its argument."""
    words = first[2:].split()
    names = [word.rsplit(b"/", 1)[-1] for word in words]
    if names[:1] == [b"env"]:
        names = names[1:]
    return names[0] if names else b""
