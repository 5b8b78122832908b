"""Where we run: in a container, in a chroot, in which runlevel. Apart from `host` because the last step asks too.

The last step must start fast and with few modules, so nothing here needs more than the standard library.
"""

import os
import re
import struct
from pathlib import Path
from typing import Mapping, Optional, Tuple

from kexec_initd.codes import Code
from kexec_initd.system.files import exists, is_directory, read_bytes, read_text
from kexec_initd.system.safe_path import below

INITIAL_PID_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h
RUN_LEVEL = 1  # utmp(5)
UTMP_RECORD = 384
UTMP_LIMIT = 1 << 20
RUNLEVEL = re.compile(r"[0-9sS]\Z")
STATE_DIR = "/run/kexec-initd"
OLD_STATE_DIR = "/dev/.kexec-initd"
UTMP = ("run/utmp", "var/run/utmp")


def find_container(root: Path) -> Optional[str]:
    """Return what kind of container this is, as `container=` of process 1 or a mark in a file says; or None."""
    for entry in (read_text(below(root, "proc/1/environ")) or "").split("\0"):
        if entry.startswith("container=") and entry != "container=":
            return entry[len("container=") :]
    for mark, kind in (
        ("run/systemd/container", "container"),
        (".dockerenv", "docker"),
        ("run/.containerenv", "podman"),
    ):
        place = below(root, mark)
        if exists(place):
            return read_text(place) or kind
    namespace = root / "proc/self/ns/pid"
    if exists(namespace) and os.stat(str(namespace)).st_ino != INITIAL_PID_NAMESPACE and root == Path("/"):
        return "a process namespace of its own"
    return None


def confinement(container: Optional[str], chroot: bool) -> Optional[Tuple[Code, str]]:
    """Return why this is not a whole machine, as a stable code and a sentence; None where it is one."""
    if container is not None:
        return Code.CONTAINER, "this is a container ({})".format(container)
    if chroot:
        return Code.CHROOT, "this is a chroot, or /proc is not mounted"
    return None


def is_chroot(root: Path) -> bool:
    """Tell whether process 1 has another root directory than we have."""
    try:
        ours, first = os.stat(str(root)), os.stat(str(root / "proc/1/root"))
    except OSError:
        return not exists(root / "proc/1")
    return (ours.st_dev, ours.st_ino) != (first.st_dev, first.st_ino)


def find_told_runlevel(environ: Mapping[str, str]) -> Optional[str]:
    """Return the runlevel that init, or its rc, tells what it starts, as "6"; None where neither does.

    RUNLEVEL is of sysvinit's init(8) and of Upstart, `runlevel` of RHEL's rc, RC_REBOOT of OpenRC (openrc-run(8)).
    """
    told = environ.get("RUNLEVEL") or environ.get("runlevel") or ("6" if environ.get("RC_REBOOT") == "YES" else "")
    return told if RUNLEVEL.match(told) else None


def find_runlevel(root: Path, environ: Mapping[str, str] = os.environ) -> Optional[str]:
    """Return the runlevel, as "6": what init has recorded, else what it tells what it starts, else what runit says of itself.

    The record comes first: a daemon's environment keeps the runlevel that it was started in.
    """
    runit = read_text(below(root, "run/runit.runlevel"), 16) or ""
    return _find_recorded(root) or find_told_runlevel(environ) or (runit if RUNLEVEL.match(runit) else None)


def find_process_1(root: Path) -> Optional[str]:
    """Return the name of the running init(8), as "init" or "systemd"; None in a tree that is not running."""
    name = read_text(below(root, "proc/1/comm"), 64)  # there from Linux 2.6.33 on
    if name is None:
        name = (read_text(below(root, "proc/1/stat"), 256) or "").partition("(")[2].rpartition(")")[0]
    return name or None


def _find_recorded(root: Path) -> Optional[str]:
    """Return the runlevel that init has recorded in utmp(5); None where there is no record."""
    found = (read_bytes(below(root, path), UTMP_LIMIT) for path in UTMP)
    data = next((data for data in found if data is not None), b"")
    for start in range(0, len(data) - UTMP_RECORD + 1, UTMP_RECORD):
        kind, pid = struct.unpack_from("=h2xi", data, start)
        if kind == RUN_LEVEL and RUNLEVEL.match(chr(pid & 0xFF)):
            return chr(pid & 0xFF)
    return None


def find_state_directory(root: Path) -> str:
    """Return the directory, as the host sees it, of what must outlive the unmounting of /var, but not the boot.

    Distributions that know /run have made /var/run a link to it. The older ones keep such things in the tmpfs that
    udev puts on /dev, as their own early boot does (/dev/.udev, /dev/.initramfs).
    """
    old = below(root, "var/run", follow=False)
    return OLD_STATE_DIR if is_directory(old) else STATE_DIR
