"""/etc/rc.local, from which the kernel is preloaded: is the host's own fit for a block of ours?

The block comes before the first command. What follows may end the script in any way that a shell has, or never end: no
reading of it could tell. The step that is called there waits for the script's end by itself (templates/common/early.sh).
See rc.local in Debian's and RHEL's initscripts.
"""

import re
from typing import List, Optional

EMPTY = b"#!/bin/sh\nexit 0\n"
SHELLS = (b"sh", b"ash", b"bash", b"dash", b"hush", b"ksh", b"ksh93", b"lksh", b"mksh", b"posh", b"yash", b"zsh")
# None of these keeps a shell from reading the file and running what is in it.
OPTIONS = re.compile(rb"(-|--|-[aefhluvx]+|--login|--norc|--noprofile|--posix)?")
ASSIGNMENT = rb"[A-Za-z_][A-Za-z0-9_]*=.*"
SPLIT = rb"(?:-S|--split-string=)[ \t]*(.*)"


def find_unfitness(text: bytes, mode: int) -> Optional[str]:
    """Say why the block must not be put into this file, as "is not executable"; None where it can be."""
    first = text.split(b"\n", 1)[0]
    if not mode & 0o100:
        return "is not executable, so nothing runs it"
    if b"\0" in text:
        return "holds NUL bytes, so it is not a script"
    if b"\r\n" in text:
        return "has the line ends of DOS, with which no shell runs it"
    if first.startswith(b"#!") and not _starts_shell(first[2:]):
        return "is run by {}, not by a shell".format(first[2:].strip().decode("ascii", "backslashreplace"))
    return None


def _starts_shell(line: bytes) -> bool:
    """Tell whether what follows #! starts a shell: a program and at most one argument, blanks and all (execve(2))."""
    program, *rest = line.strip(b" \t").split(None, 1) or [b""]
    argument = rest[0] if rest else b""
    if program.rsplit(b"/", 1)[-1] != b"env":
        return _is_shell([program, argument] if argument else [program])
    split = re.fullmatch(SPLIT, argument)
    return _is_shell([argument] if split is None else _without_settings(split.group(1).split()))


def _without_settings(words: List[bytes]) -> List[bytes]:
    """Return the command of env(1): what is left after its options and variables."""
    while words and (words[0] in (b"-", b"-i", b"--ignore-environment") or re.fullmatch(ASSIGNMENT, words[0])):
        words = words[1:]
    return words


def _is_shell(words: List[bytes]) -> bool:
    """Tell whether the command `words`, with the name of a script behind it, has a shell run that."""
    if words[:1] and words[0].rsplit(b"/", 1)[-1] == b"busybox" and words[1:2] in ([b"sh"], [b"ash"], [b"hush"]):
        words = words[1:]
    names = [word.rsplit(b"/", 1)[-1] for word in words[:1]]
    return bool(names) and names[0] in SHELLS and all(map(OPTIONS.fullmatch, words[1:]))
