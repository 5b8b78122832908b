"""The host: read-only facts about one machine, gathered once, every one of them below `root`.

`distro` names the distribution from files alone: no lsb_release and no uname, which would ask the running machine.
"""

import enum
import os
from pathlib import Path
from typing import NamedTuple, Optional

import distro

from kexec_initd.files import read_text
from kexec_initd.surroundings import find_container, find_runlevel, is_chroot


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
    found = read_distribution(root)
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


def read_distribution(root: Path) -> distro.LinuxDistribution:
    """Return what the release files below `root`, and nothing else, say about the distribution."""
    try:
        return distro.LinuxDistribution(include_lsb=False, include_uname=False, root_dir=str(root))
    except TypeError:  # distro before 1.6, as in Debian 11, knows no root_dir
        release = [str(path) for path in (root / "etc/os-release", root / "usr/lib/os-release") if path.exists()]
        redhat = [str(path) for path in (root / "etc/redhat-release",) if path.exists()]
        nothing = [os.devnull]
        return distro.LinuxDistribution(
            include_lsb=False,
            include_uname=False,
            os_release_file=(release + nothing)[0],
            distro_release_file=(redhat + nothing)[0],
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
    """Return the file name that `path` has or links to; the link is not followed, it may lead out of a root."""
    if path.is_symlink():
        return os.path.basename(os.readlink(str(path)))
    return path.name if path.exists() else None
