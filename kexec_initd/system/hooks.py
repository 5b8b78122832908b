"""The admin's programs: before the jump (pre-jump.d), and after the boot that it has led to (arrival.d).

One rule for both, and templates/common/hooks.sh is the shell's part of it. A program runs when run-parts(8) would take its
name, and when it is, links followed, a regular, executable file that only root can change, as the directories on the way.
Anything else is left out, which `status` tells. Unless its name is one that editors and package managers leave behind, or
switch a file off by, it may have been meant to run, and so to stop a jump: then nobody can know, and the reboot goes cold.
The last step imports this where there may be one, see `hook_places`.
"""

import fnmatch
import os
import re
from pathlib import Path
from typing import List, NamedTuple, Optional

from kexec_initd import sentences
from kexec_initd.errors import Refused
from kexec_initd.system.encoding import list_names, name_of
from kexec_initd.system.files import distrust, is_there
from kexec_initd.system.hook_places import ARRIVAL as ARRIVAL
from kexec_initd.system.hook_places import PRE_JUMP as PRE_JUMP
from kexec_initd.system.safe_path import locate

_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")
# What editors and package managers leave, or what is switched off: patterns of a shell, which passes over a dot at the start.
LEFTOVERS = (
    *("README", "README.*", "*~", "*.bak", "*.old", "*.orig", "*.swp", "*.disabled"),
    *("*.dpkg-old", "*.dpkg-dist", "*.dpkg-new", "*.dpkg-tmp", "*.dpkg-bak"),
    *("*.ucf-old", "*.ucf-dist", "*.ucf-new", "*.rpmsave", "*.rpmnew", "*.rpmorig"),
)
_LEFTOVER = re.compile("|".join(fnmatch.translate(pattern) for pattern in (".*", *LEFTOVERS)))


class Hooks(NamedTuple):
    """The programs of a directory in the order of their names, what is left out, and why nobody can know what was meant.

    `doubts` are all that are left out and may have been meant to run; `doubt` is the first.
    """

    programs: List[Path]
    left_out: List[str]
    doubts: List[str]

    @property
    def doubt(self) -> Optional[str]:
        """Return why nobody can know what was meant to run; None where that is clear."""
        return self.doubts[0] if self.doubts else None


def find(root: Path, directory: str) -> Hooks:
    """Return what is in a directory of programs; nothing where there is none."""
    place = root / directory
    if not is_there(place) and (not is_there(place.parent) or os.path.isdir(name_of(place.parent))):
        return Hooks([], [], [])
    try:
        names = sorted(list_names(locate(root, "/{}/any".format(directory)).parent))
    except Refused as error:
        told = "/{}: {}, so its programs cannot run".format(directory, error.message)
        return Hooks([], [told], [told])
    except OSError as error:
        told = "/{} cannot be read, so its programs cannot run: {}".format(directory, error.strerror)
        return Hooks([], [told], [told])
    programs, left_out, doubts = [], [], []  # type: List[Path], List[str], List[str]
    for name in names:
        flaw = _find_flaw(root, place / name)
        if flaw is None:
            programs.append(place / name)
            continue
        left_out.append(sentences.LEFT_OUT.format("/{}/{}".format(directory, name), flaw))
        if not is_leftover(name):
            doubts.append(left_out[-1])
    return Hooks(programs, left_out, doubts)


def is_leftover(name: str) -> bool:
    """Tell whether a name is one that editors and package managers leave behind, or switch a file off by."""
    return _LEFTOVER.match(name) is not None


def list_left_out(root: Path) -> List[str]:
    """Return a sentence for each file of both directories that does not run."""
    return [told for directory in (PRE_JUMP, ARRIVAL) for told in find(root, directory).left_out]


def _find_flaw(root: Path, path: Path) -> Optional[str]:
    """Return why a file is no program that runs; None for one that does."""
    if is_leftover(path.name):
        return "its name is that of a file that is kept aside"
    if not _NAME.match(path.name):
        return sentences.ODD_NAME
    try:
        found = os.lstat(name_of(locate(root, "/{}".format(path.relative_to(root)), follow=True)))
    except Refused as error:
        return "it is not root's alone: {}".format(error.message)
    except OSError as error:
        return "it leads nowhere: {}".format(error.strerror)
    reason = distrust(found) or (None if found.st_mode & 0o111 else "is not executable")
    return reason and "it {}".format(reason)
