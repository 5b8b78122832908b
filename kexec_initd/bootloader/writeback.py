"""Write-back of the loader's own records, in its place: a wish for one boot only is taken back.

A kexec goes around the loader. For the next cold boot to choose as if this one had gone through it, the changes that
its reader has planned are carried out here, early in the shutdown and as the last thing before the decision: all of
them, or none.

A file is overwritten in place, since its blocks are what GRUB finds and its size is fixed (grub-editenv(1)). An EFI variable
is deleted with its file; efivarfs makes most of them immutable against an rm by mistake (the kernel's
Documentation/filesystems/efivarfs.rst).
"""

import contextlib
import errno
import os
from pathlib import Path
from typing import Iterator, List, Sequence

from kexec_initd.bootloader import LoaderWrite
from kexec_initd.errors import Error
from kexec_initd.system.encoding import name_of
from kexec_initd.system.files import distrust
from kexec_initd.system.inode_flags import IMMUTABLE, read_flags, write_flags
from kexec_initd.system.safe_path import below

WITHOUT_FLAGS = (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
OPEN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def consume(root: Path, changes: Sequence[LoaderWrite]) -> None:
    """Carry out `changes` on the host below `root`. Raises Error when one fails; then all is as it was."""
    done: List[LoaderWrite] = []
    for change in changes:
        try:
            _apply(root, change)
        except (Error, OSError) as error:
            restore(root, done)
            reason = error.message if isinstance(error, Error) else error.strerror
            raise Error("cannot write what the boot loader would ({}): {}".format(change.text, reason))
        done.append(change)


def restore(root: Path, changes: Sequence[LoaderWrite]) -> None:
    """Undo `changes` as far as that is possible."""
    for change in changes:
        path = below(root, str(change.path), follow=False)
        created = os.O_CREAT | os.O_EXCL if change.after is None else 0
        with contextlib.suppress(OSError), _opened(path, os.O_WRONLY | created) as fd:
            _overwrite(fd, change.before)


def _apply(root: Path, change: LoaderWrite) -> None:
    path = below(root, str(change.path), follow=False)
    with _opened(path, os.O_RDONLY if change.after is None else os.O_RDWR) as fd:
        reason = distrust(os.fstat(fd))
        if reason:
            raise Error("it {}".format(reason))
        if os.read(fd, len(change.before) + 1) != change.before:
            raise Error("it has changed meanwhile")
        if change.after is None:
            _delete(fd, path)
            return
        try:
            _overwrite(fd, change.after)
        except OSError:
            with contextlib.suppress(OSError):
                _overwrite(fd, change.before)
            raise


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    fd = os.open(name_of(path), flags | OPEN, 0o644)
    try:
        yield fd
    finally:
        os.close(fd)


def _overwrite(fd: int, data: bytes) -> None:
    """Write `data` in one call, as efivarfs wants it, and make it durable."""
    if os.pwrite(fd, data, 0) != len(data):
        raise OSError(errno.EIO, "it was only written in part")
    os.fsync(fd)


def _delete(fd: int, path: Path) -> None:
    """Delete the file that is open as `fd`, for which it must not be immutable."""
    flags = _get_flags(fd)
    if flags & IMMUTABLE:
        write_flags(fd, flags & ~IMMUTABLE)
    try:
        os.unlink(name_of(path))
    except OSError:
        if flags & IMMUTABLE:
            write_flags(fd, flags)
        raise


def _get_flags(fd: int) -> int:
    """Return the flags of chattr(1); none where the file system knows none."""
    try:
        return read_flags(fd)
    except OSError as error:
        if error.errno not in WITHOUT_FLAGS:
            raise
        return 0
