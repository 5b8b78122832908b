"""Load a boot entry: open, validate, load from the same descriptors, record.

`kexec -l` accepts cut and corrupted files, so success there proves nothing: what is loaded was read and checked here.
"""

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Optional, Sequence, Tuple, TypeVar

from kexec_initd import sentences
from kexec_initd.boot_entry import BootEntry
from kexec_initd.bootloader import firmware_record
from kexec_initd.cmdline import words
from kexec_initd.errors import Error, Refused, shortened
from kexec_initd.history import attempts
from kexec_initd.images.concat import as_one
from kexec_initd.images.consistency import check_initrd_release, check_modules, check_name, named_release
from kexec_initd.images.decompress import find_programs
from kexec_initd.images.initrd import check_initrd
from kexec_initd.images.kernel import KernelInfo, check_kernel
from kexec_initd.images.reader import Programs
from kexec_initd.kexec import program, stamp, unpack, watchdog
from kexec_initd.kexec.freshness import watched
from kexec_initd.kexec.stamp import Chosen
from kexec_initd.settings.reader import Settings
from kexec_initd.system import syslog
from kexec_initd.system.encoding import encode
from kexec_initd.system.files import open_trusted
from kexec_initd.system.host import Host
from kexec_initd.system.safe_path import real

LOADED = "loaded"  # the code of a load in the log

T = TypeVar("T")


class Checked(NamedTuple):
    """An entry's files, open and validated; several initrds have become one. `release` is the best that is known.

    `unpacked_fd` is what the initrds unpack to, where that is better loaded in their place.
    """

    kernel_fd: int
    initrd_fd: Optional[int]
    info: KernelInfo
    release: str
    unpacked_fd: Optional[int]

    def require_room(self, length: int) -> None:
        """Raise Refused where this kernel does not take a command line of `length` bytes."""
        if length > self.info.cmdline_size:
            raise Refused(sentences.TOO_LONG.format(length, self.info.cmdline_size))


@contextlib.contextmanager
def checked(host: Host, entry: BootEntry, settings: Settings = Settings()) -> Iterator[Checked]:
    """Open and validate the files of `entry`; they stay open inside the `with`. Raises Refused.

    `settings` say whether what the initrds unpack to is kept as well, which costs memory and is done for a load alone.
    """
    programs = find_programs(host.root)
    with contextlib.ExitStack() as stack:
        kernel_fd = _open(stack, host.root, entry.kernel)
        info, release = _check_kernel(host, entry.kernel, kernel_fd, programs)
        fds = _open_initrd(stack, host, entry, release, settings, programs) if entry.initrds else (None, None)
        yield Checked(kernel_fd, fds[0], info, release or "of unknown release", fds[1])


def _check_kernel(host: Host, path: Path, fd: int, programs: Programs) -> Tuple[KernelInfo, Optional[str]]:
    """Return what the kernel is, and its release as far as it is known. Raises Refused unless it is fit to be loaded."""
    info = _named(path, partial(check_kernel, fd, host.machine, programs))
    place = real(host.root, str(path))
    if info.version is not None:
        _named(path, partial(check_name, place, info.version))
    release = info.version or named_release(place)
    if release is not None:
        check_modules(host.root, release, host.kernel_release)
    return info, release


def _open_initrd(
    stack: contextlib.ExitStack,
    host: Host,
    entry: BootEntry,
    release: Optional[str],
    settings: Settings,
    programs: Programs,
) -> Tuple[int, Optional[int]]:
    """Open and validate the initrds of `entry`; return them as one file, and what they unpack to if wanted. Raises Refused."""
    files = [(str(path), _open(stack, host.root, path)) for path in entry.initrds]
    fd, parts = stack.enter_context(as_one(host.root, files))
    kept = stack.enter_context(unpack.keep_if_wanted(host.root, settings, sum(part.size for part in parts)))
    found = check_initrd(fd, programs, parts=parts, keep=kept)
    if release is not None:
        _named(", ".join(name for name, _ in files), partial(check_initrd_release, found, release))
    return fd, unpack.find_replacement(kept, settings)


def load_entry(
    host: Host,
    settings: Settings,
    entry: BootEntry,
    chosen: stamp.Choice = Chosen.BY_LOADER,
    config: Sequence[str] = (),
) -> stamp.Loaded:
    """Validate `entry`, load it in place of what is loaded, and record it; `chosen` says how it was chosen.

    `config` are the stamp's lines of what the entry was chosen by. Raises Error; then, and when it is interrupted, nothing of
    ours is loaded, or what is has no record that would fit.
    """
    firmware_record.keep(host.tree.again())  # the kernel that is loaded will not see it
    try:
        return _load(host, settings, entry, chosen, config)
    except BaseException:
        drop(host.root)
        raise


def drop(root: Path) -> None:
    """Unload what we have loaded, and forget it; a kernel that the admin loaded by hand stays."""
    if stamp.exists(root):
        program.unload(root)
        forget(root)


def forget(root: Path) -> None:
    """Forget what we had loaded: there is no jump into it, and none to be watched."""
    stamp.remove(root)
    watchdog.forget(root)


def _load(
    host: Host, settings: Settings, entry: BootEntry, chosen: stamp.Choice, config: Sequence[str]
) -> stamp.Loaded:
    record = attempts.record_boot(host, settings.guard_boots)
    attempt = words.new_attempt()
    text = words.with_attempt(entry.cmdline, attempt, settings.panic)
    seen = stamp.text_for(host.root, watched(host, entry), config)
    with checked(host, entry, settings) as files:
        files.require_room(len(encode(text)))
        stamp.begin(host.root)
        image = program.Image(files.kernel_fd, files.initrd_fd, text, settings.purgatory_checks, files.unpacked_fd)
        unpacked = program.load(host.root, image)
        initrds = [str(path) for path in entry.initrds]
        loaded = stamp.Loaded(
            files.release, str(entry.kernel), initrds, text, attempt, settings.purgatory_checks, chosen, unpacked
        )
    with contextlib.suppress(Error):  # then the jump is not watched, and `watchdog.describe_watch` says why
        watchdog.make_ready(host.root, settings.watchdog)
    stamp.write(host.root, seen, loaded, attempts.prepared(host, record, entry, attempt, loaded.release))
    syslog.tell(host.root, "loaded kernel {}: {}".format(loaded.release, shortened(entry.title)), LOADED)
    return loaded


def _open(stack: contextlib.ExitStack, root: Path, path: Path) -> int:
    fd = open_trusted(root, path)
    stack.callback(os.close, fd)
    return fd


def _named(name: object, check: Callable[[], T]) -> T:
    """Run `check`, and put the name of the file before what it refuses."""
    try:
        return check()
    except Refused as error:
        raise Refused("{}: {}".format(name, error.message), error.hint)
