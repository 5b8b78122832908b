"""The way to a file: which directories lead there, and can anybody but root change one of them?

Who may write to a directory can put any file of root's there by a rename or a hard link, so that the owner and the mode of
a file alone prove nothing. The shell's part of this is templates/common/roots.sh. The last step reads with this module.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Callable, List, Optional, Sequence

from kexec_initd.errors import Refused, Unreachable
from kexec_initd.system.encoding import decode, name_of

MAX_LINKS = 40
SUDO = "run this as root, as with sudo"
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
    _check_directory(str(root))
    parts = check_path(path).strip("/").split("/")
    found = _walk(root, parts, follow, _check_directory)
    if found is None:
        raise Refused("{} leads through a loop of symbolic links".format(path))
    return found


def below(root: Path, path: str, follow: bool = True) -> Path:
    """Return where the host's `path` lies below `root`, whoever may change what; a link never leads out of `root`.

    What is in a loop of links stays as it is: it can be opened under no name.
    """
    plain = root / path.lstrip("/")
    if root == Path("/"):
        return plain
    try:
        return _walk(root, [part for part in path.split("/") if part not in ("", ".")], follow, lambda _: None) or plain
    except Refused:
        return plain


def _walk(root: Path, parts: Sequence[str], follow: bool, visit: Callable[[str], None]) -> Optional[Path]:
    """Follow `parts` from `root`, above which nothing leads, and `visit` each directory; None for a loop of links."""
    top = str(root).rstrip("/")
    todo = list(reversed(parts))
    here: List[str] = []
    links = 0
    while todo:
        name = todo.pop()
        if name == "..":
            here = here[:-1]
            continue
        step = "/".join([top, *here, name])
        target = _read_link(step) if todo or follow else None
        if target is not None:
            links += 1
            here = [] if target.startswith("/") else here
            todo.extend(part for part in reversed(target.split("/")) if part not in ("", "."))
        else:
            if todo:
                visit(step)
            here.append(name)
        if links > MAX_LINKS:
            return None
    return root.joinpath(*here)


def _read_link(path: str) -> Optional[str]:
    try:
        return decode(os.readlink(name_of(path)))
    except ValueError:  # a NUL in a name, as of a kernel that some file claims to run
        return None
    except OSError as error:
        if error.errno in NO_LINK:
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
