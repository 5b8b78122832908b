"""The distribution, by its release files alone: no lsb_release and no uname, which would ask the running machine.

`distro` reads them; it is imported when it is asked, since not every step needs to know. See os-release(5).
"""

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, List, Sequence, Tuple

from kexec_initd.system.files import exists
from kexec_initd.system.safe_path import below
from kexec_initd.system.sysroot import OS_RELEASES, Tree

if TYPE_CHECKING:
    import distro

# distro matches in time that grows with the square of the length; they have some hundred bytes.
RELEASE_LIMIT = 8192
RELEASE_NAME = r"\w+[-_](release|version)$"
DISTRO_RELEASES = tuple(
    "etc/{}-release".format(name) for name in ("oracle", "enterprise", "centos", "redhat", "system")
)


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


def find_distribution(tree: Tree) -> "distro.LinuxDistribution":
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
    found = ["etc/" + name for name in names if re.match(RELEASE_NAME, name)]
    return [str(below(root, name)) for name in (*OS_RELEASES, *found)]


def _is_unfit(path: str) -> bool:
    """Tell whether a file would keep a reader waiting or busy: a FIFO, a device, a release file of many pages."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    is_file = stat.S_ISREG(found.st_mode)
    return found.st_size > RELEASE_LIMIT if is_file else not stat.S_ISDIR(found.st_mode)


def read_distribution(root: Path) -> "distro.LinuxDistribution":
    """Return what the release files below `root`, and nothing else, say about the distribution.

    distro itself would follow their links out of a root, and finds files by their names only below the running one.
    """
    if root != Path("/"):
        return _read_named(root, OS_RELEASES, DISTRO_RELEASES)
    import distro

    try:
        found = distro.LinuxDistribution(include_lsb=False, include_uname=False, root_dir=str(root))
    except TypeError:  # distro before 1.6, as in Debian 11, knows no root_dir
        return _read_named(root, OS_RELEASES, DISTRO_RELEASES)
    return found if found.id() else _read_named(root, (), DISTRO_RELEASES)


def _read_named(root: Path, os_releases: Sequence[str], distro_releases: Sequence[str]) -> "distro.LinuxDistribution":
    """Ask distro about the first that exists of each kind of file."""
    import distro

    def first(names: Sequence[str]) -> str:
        places = [below(root, name) for name in names]
        return next((str(place) for place in places if exists(place)), os.devnull)

    return distro.LinuxDistribution(
        include_lsb=False,
        include_uname=False,
        os_release_file=first(os_releases),
        distro_release_file=first(distro_releases),
    )
