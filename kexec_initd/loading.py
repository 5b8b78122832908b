"""Load a boot entry: open, validate, load from the same descriptors, record.

`kexec -l` accepts cut and corrupted files, so success there proves nothing: what is loaded was read and checked here.
"""

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Optional, TypeVar

from kexec_initd import cmdline, kexec, stamp
from kexec_initd.bootloader import BootEntry
from kexec_initd.bootloader.naming import below
from kexec_initd.errors import Error, Refused
from kexec_initd.files import open_trusted
from kexec_initd.host import Host
from kexec_initd.images.initrd import check_initrd
from kexec_initd.images.kernel import KernelInfo, check_kernel
from kexec_initd.settings import Settings, path_for

T = TypeVar("T")


class Checked(NamedTuple):
    """An entry's files, open and validated."""

    kernel_fd: int
    initrd_fd: Optional[int]
    info: KernelInfo


@contextlib.contextmanager
def checked(host: Host, entry: BootEntry) -> Iterator[Checked]:
    """Open and validate the files of `entry`; they stay open inside the `with`. Raises Refused."""
    if len(entry.initrds) > 1:
        raise Refused("the entry {} has several initrds".format(entry.title))
    with contextlib.ExitStack() as stack:
        kernel_fd = _open(stack, below(host.root, entry.kernel))
        info = _named(entry.kernel, partial(check_kernel, kernel_fd, host.root))
        initrd_fds = [_open(stack, below(host.root, path)) for path in entry.initrds]
        for path, fd in zip(entry.initrds, initrd_fds):
            _named(path, partial(check_initrd, fd, host.root))
        yield Checked(kernel_fd, initrd_fds[0] if initrd_fds else None, info)


def load_entry(host: Host, settings: Settings, entry: BootEntry, chosen: bool = False) -> stamp.Loaded:
    """Validate `entry`, load it in place of what is loaded, and record it; `chosen` when the admin named it himself.

    Raises Error; then nothing of ours is loaded.
    """
    try:
        return _load(host, settings, entry, chosen)
    except Error:
        drop(host.root)
        raise


def drop(root: Path) -> None:
    """Unload what we have loaded, and forget it; a kernel that the admin loaded by hand stays."""
    if stamp.exists(root):
        kexec.unload(root)
        stamp.remove(root)


def watched(host: Host, entry: BootEntry) -> List[Path]:
    """Return the files whose change makes a load of `entry` stale."""
    return [entry.kernel, *entry.initrds, Path("/") / path_for(host.root, host.family).relative_to(host.root)]


def _load(host: Host, settings: Settings, entry: BootEntry, chosen: bool) -> stamp.Loaded:
    attempt = cmdline.new_attempt()
    text = cmdline.with_attempt(entry.cmdline, attempt)
    seen = stamp.text_for(host.root, watched(host, entry))
    with checked(host, entry) as files:
        length = len(os.fsencode(text))
        if length > files.info.cmdline_size:
            raise Refused("the command line has {} bytes, the kernel takes {}".format(length, files.info.cmdline_size))
        kexec.load(host.root, kexec.Image(files.kernel_fd, files.initrd_fd, text, settings.purgatory_checks))
        initrd = str(entry.initrds[0]) if entry.initrds else None
        loaded = stamp.Loaded(
            files.info.version, str(entry.kernel), initrd, text, attempt, settings.purgatory_checks, chosen
        )
    stamp.write(host.root, seen, loaded)
    return loaded


def _open(stack: contextlib.ExitStack, path: Path) -> int:
    fd = open_trusted(path)
    stack.callback(os.close, fd)
    return fd


def _named(path: Path, check: Callable[[], T]) -> T:
    """Run `check`, and name the file in what it refuses."""
    try:
        return check()
    except Refused as error:
        raise Refused("{}: {}".format(path, error.message), error.hint)
