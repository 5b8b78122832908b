"""The distribution, by its release files alone: no lsb_release and no uname, which would ask the running machine.

See os-release(5). What is not plain, or not there, `distro` reads.
"""

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, Sequence, Tuple

from kexec_initd.errors import Refused
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
# A variable without anything that a shell would replace, escape or take for more than one word.
PLAIN = r"""([A-Za-z_][A-Za-z0-9_]*)=(?:"([^"\\$`\ud800-\udfff]*)"|'([^'\\$`\ud800-\udfff]*)'|([A-Za-z0-9._:/+-]*))\Z"""
PLAIN_ID = r"[a-z0-9._-]+\Z"
RENAMED = ("ol", "opensuse-leap")


def identify(tree: Tree) -> Tuple[str, str, str]:
    """Return the distribution's ID, ID_LIKE and version; empty where the release files do not say, or are damaged."""
    fields = tree.for_good(read_plain)
    if fields.get("version_id"):
        return fields["id"], fields.get("id_like", ""), fields["version_id"]
    return ask_distro(tree)


def ask_distro(tree: Tree) -> Tuple[str, str, str]:
    """Return what `identify` does, by distro."""
    found = tree.for_good(find_distribution)
    try:
        # Its version(), too, begins with that; before 1.6 it runs uname(1) in any case.
        return found.id(), found.like(), found.os_release_attr("version_id") or found.version() or ""
    except (ValueError, OSError):  # bytes that are no text, a quotation without its end; a file that cannot be read
        return "", "", ""


def read_os_release(tree: Tree) -> List[str]:
    """Return the ids of the distribution and of those it is like, as os-release(5) has them; none where it is damaged."""
    fields = tree.for_good(read_plain)
    if fields:
        return (fields["id"] + " " + fields.get("id_like", "")).split()
    found = tree.for_good(find_distribution)
    try:
        return (found.os_release_attr("id") + " " + found.os_release_attr("id_like")).split()
    except (ValueError, OSError):
        return []


def read_plain(tree: Tree) -> Dict[str, str]:
    """Return what os-release says, by names in lower case, where every line of it is plain and it has an ID; else nothing.

    distro, which is asked then, takes longer to import than all of this. It gives a few IDs another name.
    """
    try:
        texts = (tree.read_text(path, RELEASE_LIMIT) for path in OS_RELEASES)
        text = next((text for text in texts if text is not None), "")
    except Refused:
        return {}
    lines = [line for line in map(str.strip, text.split("\n")) if line and not line.startswith("#")]
    found = [match.groups("") for match in (re.match(PLAIN, line) for line in lines) if match]
    fields = {name.lower(): double or single or bare for name, double, single, bare in found}
    is_plain = len(found) == len(lines) and re.match(PLAIN_ID, fields.get("id", ""))
    return fields if is_plain and fields["id"] not in RENAMED else {}


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
