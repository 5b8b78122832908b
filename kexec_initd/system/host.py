"""The host: read-only facts about one machine, gathered once, every one of them below `root`."""

import enum
import os
from pathlib import Path
from typing import NamedTuple, Optional

from kexec_initd import sentences
from kexec_initd.errors import Refused
from kexec_initd.system.distribution import identify
from kexec_initd.system.files import exists
from kexec_initd.system.machine import SYSTEMD_RUNS
from kexec_initd.system.safe_path import below
from kexec_initd.system.sysroot import Tree
from kexec_initd.system.virt import (
    find_container,
    find_process_1,
    find_runlevel,
    find_state_directory,
    find_told_runlevel,
    is_chroot,
)


class Family(enum.Enum):
    """Distributions that name boot files and lay out init scripts alike."""

    DEBIAN = "debian"
    RHEL = "rhel"
    GENTOO = "gentoo"
    UNKNOWN = "unknown"


class InitSystem(enum.Enum):
    """The program that runs as process 1."""

    SYSVINIT = "sysvinit"
    UPSTART = "upstart"
    SYSTEMD = "systemd"
    OPENRC = "openrc"
    UNKNOWN = "unknown"


# Those whose SysV scripts end a reboot.
HOOKED = (InitSystem.SYSVINIT, InitSystem.UPSTART)
# What is there once the one, or the other, calls us.
SYSTEMD_UNIT = "etc/systemd/system/kexec-initd.service"
SYSV_SCRIPTS = ("etc/init.d/kexec-initd", "etc/rc.d/init.d/kexec-initd")
# Of Debian's OpenRC, whose rc calls the script of the last step itself, and of others.
OPENRC_OFF = "etc/runlevels/off/kexec-initd"
OPENRC_LAST = "etc/runlevels/shutdown/kexec-initd-last"
OPENRC_INIT = "openrc-init"
OPENRC_RUNS = "run/openrc"
# In the beginning of each script of ours.
MARK = b"\n# Written by kexec-initd"


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
    state_dir: str
    tree: Tree
    """What the facts were read from, and what else is asked for at the same moment."""
    machine: str = "unknown"
    """What uname(2) calls the architecture of the running kernel."""

    def renewed(self) -> "Host":
        """Return the host as it is after a while: mounts may have changed meanwhile."""
        return self._replace(tree=self.tree.later())


FAMILIES = {
    "debian": Family.DEBIAN,
    "ubuntu": Family.DEBIAN,
    "devuan": Family.DEBIAN,
    "rhel": Family.RHEL,
    "fedora": Family.RHEL,
    "centos": Family.RHEL,
    "ol": Family.RHEL,
    "oracle": Family.RHEL,
    "enterprise": Family.RHEL,  # Oracle's first releases
    "scientific": Family.RHEL,
    "rocky": Family.RHEL,
    "almalinux": Family.RHEL,
    "amzn": Family.RHEL,
    "amazon": Family.RHEL,
    "gentoo": Family.GENTOO,
    "artix": Family.GENTOO,
    "system": Family.RHEL,  # /etc/system-release alone: Amazon Linux before it had os-release
}


def gather(root: Path) -> Host:
    """Read all facts about the machine below `root`."""
    return gather_from(Tree(root))


def gather_from(tree: Tree) -> Host:
    """Read all facts about the machine that `tree` shows."""
    root = tree.root
    identifier, like, release = identify(tree)
    return Host(
        root=root,
        family=find_family(identifier, like),
        distribution=identifier or "unknown",
        release=release,
        init=find_init(root),
        kernel_release=_read_fact(tree, "/proc/sys/kernel/osrelease"),
        cmdline=_read_fact(tree, "/proc/cmdline"),
        container=find_container(root),
        chroot=is_chroot(root),
        # A reboot that is under way is told to those who take part in it; its record may be lost with /var.
        runlevel=find_told_runlevel(os.environ) or find_runlevel(root),
        state_dir=find_state_directory(root),
        tree=tree,
        machine=_read_fact(tree, "/proc/sys/kernel/arch") or os.uname().machine,  # the file is there from 6.1 on
    )


def _read_fact(tree: Tree, path: str) -> Optional[str]:
    """Return a fact without its last newline; None where it is not to be had."""
    try:
        text = tree.read_text(path)
    except Refused:
        return None
    return text[:-1] if text is not None and text.endswith("\n") else text


def find_family(identifier: str, like: str) -> Family:
    """Return the family by os-release(5)'s ID, or else by the first of its ID_LIKE that is known."""
    for name in [identifier] + like.split():
        if name in FAMILIES:
            return FAMILIES[name]
    return Family.UNKNOWN


def find_init(root: Path) -> InitSystem:
    """Return the init system that runs or, in a tree that is not running, that is installed as /sbin/init."""
    running = find_process_1(root)
    if below(root, SYSTEMD_RUNS).is_dir() or running == "systemd":
        return InitSystem.SYSTEMD
    if below(root, OPENRC_RUNS).is_dir() or running == OPENRC_INIT:
        return InitSystem.OPENRC
    if running not in (None, "init"):
        return InitSystem.UNKNOWN
    installed = _find_installed(root)
    # What was installed in place of the running one runs from the next boot on.
    return InitSystem.SYSVINIT if running is not None and installed is InitSystem.SYSTEMD else installed


def _find_installed(root: Path) -> InitSystem:
    def has(path: str) -> bool:
        return exists(below(root, path))

    program = _linked_name(below(root, "sbin/init", follow=False))
    if program == "systemd":
        return InitSystem.SYSTEMD
    if has("sbin/openrc-init"):
        return InitSystem.OPENRC
    if program is None:
        return InitSystem.UNKNOWN
    # Ubuntu's, RHEL 6's, and that of Ubuntu before 9.10.
    if has("etc/init/rc-sysinit.conf") or has("etc/init/rcS.conf") or has("etc/event.d/rc-default"):
        return InitSystem.UPSTART
    if has("sbin/openrc"):
        return InitSystem.OPENRC
    return InitSystem.SYSVINIT if has("etc/inittab") else InitSystem.UNKNOWN


def find_unhooked(host: Host) -> Optional[str]:
    """Say that the init system that runs is none that calls us at a reboot; None for one that does."""
    if _is_hooked(host):
        return None
    name = host.init.value if host.init is not InitSystem.UNKNOWN else find_process_1(host.root) or "unknown"
    return sentences.UNHOOKED.format(name)


def _is_hooked(host: Host) -> bool:
    """Tell whether the init system that runs calls us; one of SysV's kind does not where only systemd was hooked."""
    by_systemd = exists(below(host.root, SYSTEMD_UNIT))
    if host.init is InitSystem.SYSTEMD:
        return by_systemd
    if host.init is InitSystem.OPENRC:
        by_rc = not is_openrc_alone(host.root) and exists(below(host.root, OPENRC_OFF))
        return by_rc or exists(below(host.root, OPENRC_LAST))
    return host.init in HOOKED and (not by_systemd or any(exists(below(host.root, path)) for path in SYSV_SCRIPTS))


def is_openrc_alone(root: Path) -> bool:
    """Tell whether OpenRC's own init(8) runs: it reads no /etc/inittab, and so calls no /etc/init.d/rc."""
    return find_process_1(root) == OPENRC_INIT


def _linked_name(path: Path) -> Optional[str]:
    """Return the file name that `path` has or links to; the link is not followed, it may lead out of a root."""
    if path.is_symlink():
        return os.path.basename(os.readlink(str(path)))
    return path.name if exists(path) else None
