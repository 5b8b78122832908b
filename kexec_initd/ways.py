"""The way to a file: which directories lead there, and can anybody but root change one of them?

Who may write to a directory can put any file of root's there by a rename or a hard link, so that the owner and the mode of
a file alone prove nothing. The shell's part of this is templates/common/roots.sh. The last step reads with this module.
"""

import errno
import os
import stat
from pathlib import Path
from typing import List, Optional

from kexec_initd.encoding import decode, name_of
from kexec_initd.errors import Refused

MAX_LINKS = 40
NO_LINK = (errno.EINVAL, errno.ENOENT, errno.ENOTDIR)


def check_path(path: object) -> str:
    """Return `path` if it is absolute, normal and stays where it says; raise ValueError otherwise."""
    if not isinstance(path, str) or not path.startswith("/") or os.path.normpath(path) != path or "\0" in path:
        raise ValueError("{!r} is not a plain absolute path".format(path))
    return path


def locate(root: Path, path: str, follow: bool = False) -> Path:
    """Return where the host's `path` lies below `root`. Raises Refused where others may change a directory on the way.

    Links in its directories are followed as chroot(2) would follow them, the last component only where `follow` says so.
    """
    todo = list(reversed(check_path(path).strip("/").split("/")))
    here: List[str] = []
    links = 0
    _check_directory(root)
    while todo:
        name = todo.pop()
        if name == "..":
            here = here[:-1]
            continue
        step = root.joinpath(*here, name)
        target = _read_link(step) if todo or follow else None
        if target is not None:
            links += 1
            here = [] if target.startswith("/") else here
            todo.extend(part for part in reversed(target.split("/")) if part not in ("", "."))
        else:
            if todo:
                _check_directory(step)
            here.append(name)
        if links > MAX_LINKS:
            raise Refused("{} leads through a loop of symbolic links".format(path))
    return root.joinpath(*here)


def _read_link(path: Path) -> Optional[str]:
    try:
        return decode(os.readlink(name_of(path)))
    except OSError as error:
        if error.errno in NO_LINK:
            return None
        raise Refused("cannot look at {}: {}".format(path, error.strerror))


def _check_directory(path: Path) -> None:
    try:
        found = os.lstat(name_of(path))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return
        raise Refused("cannot look at {}: {}".format(path, error.strerror))
    mine = found.st_uid in (0, os.geteuid())
    shared = found.st_gid not in (0, os.getegid()) and found.st_mode & stat.S_IWGRP
    if stat.S_ISDIR(found.st_mode) and (not mine or shared or found.st_mode & stat.S_IWOTH):
        raise Refused("the directory {} can be changed by others than root".format(path))
