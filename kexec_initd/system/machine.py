"""Is this a whole machine, and in which runlevel? The questions of `virt`, for the last step, too, which has little time."""

import os
import struct

from kexec_initd import sentences
from kexec_initd.system.raw import exists, read_bytes, read_text

TYPE_CHECKING = False  # as in typing, whose import takes longer than all that the last step imports
if TYPE_CHECKING:
    from typing import Callable, Mapping, Optional, Tuple

    from kexec_initd.system.encoding import Name

    Place = Callable[[str], Name]

INITIAL_PID_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h
# Files that are there in a container, and of which kind it is where they do not say.
CONTAINER_MARKS = (("run/systemd/container", "container"), (".dockerenv", "docker"), ("run/.containerenv", "podman"))
RUN_LEVEL = 1  # utmp(5)
UTMP_RECORD = 384
UTMP_LIMIT = 1 << 20
RUNLEVELS = frozenset("0123456789sS")
STATE_DIR = "/run/kexec-initd"
SYSTEMD_RUNS = "run/systemd/system"  # sd_booted(3)
OLD_STATE_DIR = "/dev/.kexec-initd"
UTMP = ("run/utmp", "var/run/utmp")


def running(root: "Name") -> "Place":
    """Return what tells where a path is on a host that runs: its links lead where they say."""
    return lambda path: os.path.join(root, path)


def find_container(place: "Place", is_own: bool) -> "Optional[str]":
    """Return what kind of container this is, as `container=` of process 1 or a mark in a file says; or None.

    `place` tells where a path of the host is, and `is_own` whether it is the host that we run on.
    """
    for entry in (read_text(place("proc/1/environ")) or "").split("\0"):
        if entry.startswith("container=") and entry != "container=":
            return entry[len("container=") :]
    for mark, kind in CONTAINER_MARKS:
        if exists(place(mark)):
            return read_text(place(mark)) or kind
    namespace = "/proc/self/ns/pid"
    if is_own and exists(namespace) and os.stat(namespace).st_ino != INITIAL_PID_NAMESPACE:
        return sentences.NAMESPACE
    return None


def is_chroot(root: "Name") -> bool:
    """Tell whether process 1 has another root directory than we have."""
    first = os.path.join(root, "proc/1")
    try:
        ours, its = os.stat(root), os.stat(os.path.join(first, "root"))
    except OSError:
        return not exists(first)
    return (ours.st_dev, ours.st_ino) != (its.st_dev, its.st_ino)


def confinement(container: "Optional[str]", chroot: bool) -> "Optional[Tuple[str, str]]":
    """Return why this is not a whole machine, as a code of `codes` and a sentence; None where it is one."""
    if container is not None:
        return "container", sentences.CONTAINER.format(container)
    if chroot:
        return "chroot", sentences.CHROOT
    return None


def find_told_runlevel(environ: "Mapping[str, str]") -> "Optional[str]":
    """Return the runlevel that init, or its rc, tells what it starts, as "6"; None where neither does.

    RUNLEVEL is of sysvinit's init(8) and of Upstart, `runlevel` of RHEL's rc, RC_REBOOT of OpenRC (openrc-run(8)).
    """
    told = environ.get("RUNLEVEL") or environ.get("runlevel") or ("6" if environ.get("RC_REBOOT") == "YES" else "")
    return told if told in RUNLEVELS else None


def find_runlevel(place: "Place", environ: "Mapping[str, str]") -> "Optional[str]":
    """Return the runlevel, as "6": what init has recorded, else what it tells what it starts, else what runit says of itself.

    The record comes first: a daemon's environment keeps the runlevel that it was started in. systemd knows no levels, whatever is
    in the record.
    """
    if exists(place(SYSTEMD_RUNS)):
        return find_told_runlevel(environ)
    runit = read_text(place("run/runit.runlevel"), 16) or ""
    return _find_recorded(place) or find_told_runlevel(environ) or (runit if runit in RUNLEVELS else None)


def _find_recorded(place: "Place") -> "Optional[str]":
    """Return the runlevel that init has recorded in utmp(5); None where there is no record."""
    found = (read_bytes(place(path), UTMP_LIMIT) for path in UTMP)
    data = next((data for data in found if data is not None), b"")
    for start in range(0, len(data) - UTMP_RECORD + 1, UTMP_RECORD):
        kind, pid = struct.unpack_from("=h2xi", data, start)
        if kind == RUN_LEVEL and chr(pid & 0xFF) in RUNLEVELS:
            return chr(pid & 0xFF)
    return None
