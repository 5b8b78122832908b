"""Files as they are, opened without waiting and read whole: the part of `files` that imports nothing that takes long.

The last step reads with it, and so does every other reader of a file below a root.
"""

import errno
import os
import stat

from kexec_initd.system.encoding import decode, name_of

TYPE_CHECKING = False  # as in typing, whose import takes longer than all that the last step imports
if TYPE_CHECKING:
    from typing import Optional

    from kexec_initd.system.encoding import Name

# Of open(2), for a file that is missing, that is none, or that is not for us; ENXIO: a socket.
MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES, errno.EINVAL, errno.ENXIO)
CHUNK = 1 << 18  # bytes: a file that is read whole takes so much more memory than it has


def open_to_read(place: "Name", follow: bool = True) -> int:
    """Open whatever is at `place` without waiting for it, be it a FIFO or a terminal. Raises OSError, ValueError."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    return os.open(name_of(place), flags if follow else flags | os.O_NOFOLLOW)


def open_regular(place: "Name", follow: bool = True) -> "Optional[int]":
    """Open a regular file, as those that the kernel makes up in /proc and /sys are, too; None for anything else."""
    fd = open_to_read(place, follow)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


def read_up_to(fd: int, limit: int) -> bytes:
    """Return up to `limit` bytes (-1: all) of an open file, which is closed then. Raises OSError."""
    parts, left = [], limit
    try:
        while left:
            part = os.read(fd, CHUNK if left < 0 else min(left, CHUNK))
            if not part:
                break
            parts.append(part)
            left -= len(part) if left > 0 else 0
    finally:
        os.close(fd)
    return b"".join(parts)


def read_bytes(path: "Name", limit: int) -> "Optional[bytes]":
    """Return up to `limit` bytes (-1: all) of a regular file.

    None where there is no such file, where something else is in its place, and where it must not be read: a FIFO or a
    device could be waited for without end.
    """
    try:
        fd = open_regular(path)
        return None if fd is None else read_up_to(fd, limit)
    except ValueError:  # a NUL byte in the name
        return None
    except OSError as error:
        if error.errno in MISSING:
            return None
        raise


def read_text(path: "Name", limit: int = 65536) -> "Optional[str]":
    """Return what `read_bytes` does as text, without its last newline.

    Undecodable bytes become surrogates, so that they can be restored unchanged.
    """
    data = read_bytes(path, limit)
    if data is None:
        return None
    text = decode(data)
    return text[:-1] if text.endswith("\n") else text


def exists(path: "Name") -> bool:
    """Tell whether a path leads to something; Path.exists raises for a loop of links before Python 3.8."""
    return os.path.exists(name_of(path))
