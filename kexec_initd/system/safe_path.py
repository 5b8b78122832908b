"""The way to a file: which directories lead there, and can anybody but root change one of them?

Who may write to a directory can put any file of root's there by a rename or a hard link, so that the owner and the mode of
a file alone prove nothing. The shell's part of this is templates/common/roots.sh. The last step reads with this module.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Callable, Optional

from kexec_initd.errors import Refused, Unreachable
from kexec_initd.system.encoding import decode, name_of

MAX_LINKS = 40
SUDO = "run this as root, as with sudo"
NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


def check_path(path: object) -> str:
    """Return `path` if it is absolute, normal and stays where it says; raise ValueError otherwise."""
    if not isinstance(path, str) or not path.startswith("/") or os.path.normpath(path) != path or "\0" in path:
        raise ValueError("{!r} is not a plain absolute path".format(path))
    return path


def locate(root: Path, path: str, follow: bool = False) -> Path:
    """Return where the host's `path` lies below `root`. Raises Refused where others may change a directory on the way.

    Links in its directories are followed as chroot(2) would follow them, the last component only where `follow` says so.
    """
    _check_directory(str(root))
    top = _top(root)
    found = chase(top, check_path(path), follow=follow, visit=lambda directory: _check_directory(top + directory))
    if found is None:
        raise Refused("{} leads through a loop of symbolic links".format(path))
    return Path(top + found or "/")


def below(root: Path, path: str, follow: bool = True) -> Path:
    """Return where the host's `path` lies below `root`, whoever may change what; a link never leads out of `root`.

    What is in a loop of links stays as it is: it can be opened under no name.
    """
    top = _top(root)
    plain = top + "/" + path.lstrip("/")
    if not top:
        return Path(plain)
    try:
        found = chase(top, path, follow=follow)
    except Refused:
        found = None
    return Path(plain if found is None else top + found)


def real(root: Path, path: str) -> Path:
    """Return the host's path of what its `path` leads to, without links; the same where that is a loop of them."""
    return Path(chase(_top(root), path) or path)


def _top(root: Path) -> str:
    return str(root).rstrip("/")


def chase(
    top: str,
    path: str,
    start: str = "",
    follow: bool = True,
    must_exist: bool = False,
    visit: Optional[Callable[[str], None]] = None,
) -> Optional[str]:
    """Follow `path` from the directory `start` below `top` as chroot(2) would, and return it without links and dots.

    Both are the host's, and the root is the empty string, above which nothing leads. The last component is only followed
    where `follow` says so, and `visit` sees each directory on the way. None for a loop of links, and, where it `must_exist`, for
    what is not there. Raises Refused for what cannot be looked at.
    """
    here, links = start, 0
    ahead = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    while ahead:
        name = ahead.pop()
        if name == "..":
            here = here.rpartition("/")[0]
            continue
        step = here + "/" + name
        target = _read_link(top + step) if ahead or follow else ""
        if target is None and must_exist:
            return None
        if target:
            links += 1
            here = "" if target.startswith("/") else here
            ahead.extend(part for part in reversed(target.split("/")) if part not in ("", "."))
        else:
            if ahead and visit is not None:
                visit(step)
            here = step
        if links > MAX_LINKS:
            return None
    return here


def _read_link(path: str) -> Optional[str]:
    """Return where a link leads, the empty string for what is no link, None for what is not there."""
    try:
        return decode(os.readlink(name_of(path)))
    except ValueError:  # a NUL in a name, as of a kernel that some file claims to run
        return None
    except OSError as error:
        if error.errno == errno.EINVAL:
            return ""
        if error.errno in NOT_THERE:
            return None
        raise refuse_access(path, error)


def _check_directory(path: str) -> None:
    try:
        found = os.lstat(name_of(path))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return
        raise refuse_access(path, error)
    mine = found.st_uid in (0, os.geteuid())
    shared = found.st_gid not in (0, os.getegid()) and found.st_mode & stat.S_IWGRP
    if stat.S_ISDIR(found.st_mode) and (not mine or shared or found.st_mode & stat.S_IWOTH):
        hint = "chmod go-w {}" if mine else "chown root {}"
        raise Unreachable("the directory {} can be changed by others than root".format(path), hint.format(path))


def refuse_access(path: object, error: OSError) -> Refused:
    """Return the refusal for what cannot be opened or looked at; who may not is told to be root."""
    closed = error.errno in (errno.EACCES, errno.EPERM)
    hint = SUDO if closed and os.geteuid() != 0 else ""
    return (Unreachable if closed else Refused)("cannot read {}: {}".format(path, error.strerror), hint)
