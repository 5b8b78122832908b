"""The host: read-only facts about one machine, gathered once, every one of them below `root`.

`distro` names the distribution from files alone: no lsb_release and no uname, which would ask the running machine.
"""

import enum
import os
import re
import stat
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

import distro

from kexec_initd.errors import Refused
from kexec_initd.system.files import exists
from kexec_initd.system.safe_path import below
from kexec_initd.system.sysroot import OS_RELEASES, Tree
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
    UNKNOWN = "unknown"


class InitSystem(enum.Enum):
    """The program that runs as process 1."""

    SYSVINIT = "sysvinit"
    UPSTART = "upstart"
    SYSTEMD = "systemd"
    OPENRC = "openrc"
    UNKNOWN = "unknown"


HOOKED = (InitSystem.SYSVINIT, InitSystem.UPSTART)


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


# distro matches in time that grows with the square of the length; they have some hundred bytes.
RELEASE_LIMIT = 8192
RELEASE_NAME = re.compile(r"\w+[-_](release|version)$")
DISTRO_RELEASES = tuple(
    "etc/{}-release".format(name) for name in ("oracle", "enterprise", "centos", "redhat", "system")
)
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
    "amzn": Family.RHEL,
    "amazon": Family.RHEL,
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


def identify(tree: Tree) -> Tuple[str, str, str]:
    """Return the distribution's ID, ID_LIKE and version; empty where the release files do not say, or are damaged."""
    found = tree.for_good(find_distribution)
    try:
        # Its version(), too, begins with that; before 1.6 it runs uname(1) in any case.
        return found.id(), found.like(), found.os_release_attr("version_id") or found.version() or ""
    except (ValueError, OSError):  # bytes that are no text, a quotation without its end; a file that cannot be read
        return "", "", ""


def read_os_release(tree: Tree) -> List[str]:
    """Return the ids of the distribution and of those it is like, as os-release(5) has them; none where it is damaged."""
    found = tree.for_good(find_distribution)
    try:
        return (found.os_release_attr("id") + " " + found.os_release_attr("id_like")).split()
    except (ValueError, OSError):
        return []


def find_distribution(tree: Tree) -> distro.LinuxDistribution:
    """Return what the release files say about the distribution, each opened once; nothing where one would hold a reader up."""
    if any(map(_is_unfit, find_release_files(tree.root))):
        return _read_named(tree.root, (), ())
    return read_distribution(tree.root)


def find_release_files(root: Path) -> List[str]:
    """Return every file below `root` that distro may open."""
    try:
        names = os.listdir(str(below(root, "etc")))
    except OSError:
        names = []
    found = ["etc/" + name for name in names if RELEASE_NAME.match(name)]
    return [str(below(root, name)) for name in (*OS_RELEASES, *found)]


def _is_unfit(path: str) -> bool:
    """Tell whether a file would keep a reader waiting or busy: a FIFO, a device, a release file of many pages."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    is_file = stat.S_ISREG(found.st_mode)
    return found.st_size > RELEASE_LIMIT if is_file else not stat.S_ISDIR(found.st_mode)


def read_distribution(root: Path) -> distro.LinuxDistribution:
    """Return what the release files below `root`, and nothing else, say about the distribution.

    distro itself would follow their links out of a root, and finds files by their names only below the running one.
    """
    if root != Path("/"):
        return _read_named(root, OS_RELEASES, DISTRO_RELEASES)
    try:
        found = distro.LinuxDistribution(include_lsb=False, include_uname=False, root_dir=str(root))
    except TypeError:  # distro before 1.6, as in Debian 11, knows no root_dir
        return _read_named(root, OS_RELEASES, DISTRO_RELEASES)
    return found if found.id() else _read_named(root, (), DISTRO_RELEASES)


def _read_named(root: Path, os_releases: Sequence[str], distro_releases: Sequence[str]) -> distro.LinuxDistribution:
    """Ask distro about the first that exists of each kind of file."""

    def first(names: Sequence[str]) -> str:
        places = [below(root, name) for name in names]
        return next((str(place) for place in places if exists(place)), os.devnull)

    return distro.LinuxDistribution(
        include_lsb=False,
        include_uname=False,
        os_release_file=first(os_releases),
        distro_release_file=first(distro_releases),
    )


def find_family(identifier: str, like: str) -> Family:
    """Return the family by os-release(5)'s ID, or else by the first of its ID_LIKE that is known."""
    for name in [identifier] + like.split():
        if name in FAMILIES:
            return FAMILIES[name]
    return Family.UNKNOWN


def find_init(root: Path) -> InitSystem:
    """Return the init system that runs or, in a tree that is not running, that is installed as /sbin/init."""
    running = find_process_1(root)
    if below(root, "run/systemd/system").is_dir() or running == "systemd":
        return InitSystem.SYSTEMD
    if below(root, "run/openrc").is_dir() or running == "openrc-init":
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
    if has("sbin/openrc-init"):
        return InitSystem.OPENRC
    if program is None:
        return InitSystem.UNKNOWN
    if program == "systemd":
        return InitSystem.SYSTEMD
    # Ubuntu's, RHEL 6's, and that of Ubuntu before 9.10.
    if has("etc/init/rc-sysinit.conf") or has("etc/init/rcS.conf") or has("etc/event.d/rc-default"):
        return InitSystem.UPSTART
    if has("sbin/openrc"):
        return InitSystem.OPENRC
    return InitSystem.SYSVINIT if has("etc/inittab") else InitSystem.UNKNOWN


def find_unhooked(host: Host) -> Optional[str]:
    """Say that the init system that runs is none that calls us at a reboot; None for one that does."""
    if host.init in HOOKED:
        return None
    name = host.init.value if host.init is not InitSystem.UNKNOWN else find_process_1(host.root) or "unknown"
    return "the running init system is {}, in which kexec-initd is not hooked".format(name)


def _linked_name(path: Path) -> Optional[str]:
    """Return the file name that `path` has or links to; the link is not followed, it may lead out of a root."""
    if path.is_symlink():
        return os.path.basename(os.readlink(str(path)))
    return path.name if exists(path) else None
