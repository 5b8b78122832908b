"""The host: read-only facts about one machine, gathered once, every one of them below `root`.

`distro` names the distribution from files alone: no lsb_release and no uname, which would ask the running machine.
"""

import enum
import os
import struct
from pathlib import Path
from typing import NamedTuple, Optional

import distro

from kexec_initd.files import read_text

INITIAL_PID_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h
RUN_LEVEL = 1  # utmp(5)
UTMP_RECORD = 384


class Family(enum.Enum):
    """Distributions that name boot files and lay out init scripts alike."""

    DEBIAN = "debian"
    RHEL = "rhel"
    UNKNOWN = "unknown"


class InitSystem(enum.Enum):
    """The program that runs as process 1."""

    SYSVINIT = "sysvinit"
    UPSTART = "upstart"
    SYSTEMD = "systemd"
    OPENRC = "openrc"
    UNKNOWN = "unknown"


class Host(NamedTuple):
    """Facts about the machine below `root`; None where a fact is not to be had there."""

    root: Path
    family: Family
    distribution: str
    release: str
    init: InitSystem
    kernel_release: Optional[str]
    cmdline: Optional[str]
    container: Optional[str]
    chroot: bool
    runlevel: Optional[str]


FAMILIES = {
    "debian": Family.DEBIAN,
    "ubuntu": Family.DEBIAN,
    "devuan": Family.DEBIAN,
    "rhel": Family.RHEL,
    "fedora": Family.RHEL,
    "centos": Family.RHEL,
}


def gather(root: Path) -> Host:
    """Read all facts about the machine below `root`."""
    found = distro.LinuxDistribution(include_lsb=False, include_uname=False, root_dir=str(root))
    return Host(
        root=root,
        family=find_family(found.id(), found.like()),
        distribution=found.id() or "unknown",
        release=found.version() or "",
        init=find_init(root),
        kernel_release=read_text(root / "proc/sys/kernel/osrelease"),
        cmdline=read_text(root / "proc/cmdline"),
        container=find_container(root),
        chroot=is_chroot(root),
        runlevel=find_runlevel(root),
    )


def find_family(identifier: str, like: str) -> Family:
    """Return the family by os-release(5)'s ID, or else by the first of its ID_LIKE that is known."""
    for name in [identifier] + like.split():
        if name in FAMILIES:
            return FAMILIES[name]
    return Family.UNKNOWN


def find_init(root: Path) -> InitSystem:
    """Return the init system that runs or, in a tree that is not running, that is installed as /sbin/init."""
    if (root / "run/systemd/system").is_dir():
        return InitSystem.SYSTEMD
    if (root / "run/openrc").is_dir() or (root / "sbin/openrc-init").exists():
        return InitSystem.OPENRC
    program = _linked_name(root / "sbin/init")
    if program is None:
        return InitSystem.UNKNOWN
    if program == "systemd":
        return InitSystem.SYSTEMD
    if (root / "etc/init/rc-sysinit.conf").exists() or (root / "etc/init/rcS.conf").exists():
        return InitSystem.UPSTART
    if (root / "sbin/openrc").exists():
        return InitSystem.OPENRC
    return InitSystem.SYSVINIT if (root / "etc/inittab").exists() else InitSystem.UNKNOWN


def _linked_name(path: Path) -> Optional[str]:
    """Return the file name that `path` has or links to; the link is read, not followed, since it may lead out of a root."""
    if path.is_symlink():
        return os.path.basename(os.readlink(str(path)))
    return path.name if path.exists() else None


def find_container(root: Path) -> Optional[str]:
    """Return what kind of container this is, as `container=` of process 1 or a mark in the file system says; or None."""
    for entry in (read_text(root / "proc/1/environ") or "").split("\0"):
        if entry.startswith("container=") and entry != "container=":
            return entry[len("container=") :]
    for mark, kind in (("run/systemd/container", "container"), (".dockerenv", "docker"), ("run/.containerenv", "podman")):
        if (root / mark).exists():
            return read_text(root / mark) or kind
    namespace = root / "proc/self/ns/pid"
    if namespace.exists() and os.stat(str(namespace)).st_ino != INITIAL_PID_NAMESPACE and root == Path("/"):
        return "a process namespace of its own"
    return None


def is_chroot(root: Path) -> bool:
    """Tell whether process 1 has another root directory than we have."""
    try:
        ours, first = os.stat(str(root)), os.stat(str(root / "proc/1/root"))
    except OSError:
        return not (root / "proc/1").exists()
    return (ours.st_dev, ours.st_ino) != (first.st_dev, first.st_ino)


def find_runlevel(root: Path) -> Optional[str]:
    """Return the runlevel that init has recorded in utmp(5), as "6"; None where there is no record."""
    try:
        data = (root / "run/utmp").read_bytes()
    except OSError:
        return None
    for start in range(0, len(data) - UTMP_RECORD + 1, UTMP_RECORD):
        kind, pid = struct.unpack_from("=h2xi", data, start)
        if kind == RUN_LEVEL:
            return chr(pid & 0xFF)
    return None
