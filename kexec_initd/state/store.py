"""Every file that we keep, named in this one place, and how it is read and written: whole, ours, and no link.

What is `Volatile` is gone with the next boot, as a loaded kernel is; what is `Lasting` survives it. Plain shell has the same
files under the same names (templates/common/early.sh). kexec-initd(8) says what each is for. The last step reads here.
"""

import enum
import os
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Union

from kexec_initd.errors import Refused
from kexec_initd.system import files
from kexec_initd.system.files import Unfit, is_directory, read_trusted, write_atomic
from kexec_initd.system.safe_path import SUDO, locate
from kexec_initd.system.virt import find_state_directory

if TYPE_CHECKING:
    from kexec_initd.system.sysroot import Tree

LASTING = "/var/lib/kexec-initd"
# There for as long as we are installed, and never on another file system than /etc.
ORIGINALS = "/etc/kexec-initd/originals"
MANIFESTS = ("manifest.json", "manifest")  # of install, and of install.sh
LIMIT = 65536


class Volatile(enum.Enum):
    """The files that last until the next boot."""

    DECISION = "decision"
    STOPPING = "stopping"  # the shutdown has begun: only its early step loads any more
    REMOVED = "removed"  # kexec-initd was removed since the machine came up: nothing is to be loaded any more
    STAMP = "stamp"
    LOADED = "loaded.json"
    ATTEMPT = "attempt"  # what the record of attempts will be when the loaded kernel gets under way
    BEFORE = "before"  # what it was before that, should the decision be taken back
    CHANGED = "changed"
    SETTINGS = "settings"  # what plain shell needs of them
    WATCHDOG = "watchdog"  # the name of the device that the last step starts
    ATTENDED = "attended"  # the uptime at which `trial` was called
    LOCK = "lock"
    PRELOAD_LOG = "preload.log"
    PRINTED = "printed"  # by a program that a script calls, until the script says it
    DEAD_MAN = "dead-man"  # the process that resets the machine; with the uptime at which init has started it before rc
    SESSION = "session"  # of init's rc, on RHEL: the shutdown that has been decided
    PRELOADED = "preloaded"  # the id of the boot at whose end `preload` was called, and the uptime then
    PANIC_KERNEL = "panic-kernel"  # whether one was loaded, and why not
    LAST_COLD = "last-cold"  # why the running boot came through firmware; empty for a kexec


class Lasting(enum.Enum):
    """The files that survive a reboot."""

    ATTEMPTS = "attempts"
    LAST_COLD = "last-cold"
    LEAVING = "leaving"  # when the early step of a reboot began: its uptime, and by the time of the file
    HISTORY = "history"  # a line for each boot that a reboot has led to
    HISTORY_DAMAGED = "history.damaged"  # what was in its place, and could not be read
    WATCHDOG = "watchdog"  # the driver of the device that is armed at the next jump, for the boot after it
    STARTER = "starter.json"  # what the last firmware boot has shown of who started the machine
    KEXEC_LOADER = "kexec-loader"  # it is there where the boot loader itself starts kernels through kexec
    MANIFEST = "manifest.json"
    LOCK = "lock"


StateFile = Union[Volatile, Lasting]


class Damaged(Refused):
    """A file of the state is not what we have written, or somebody else could have."""


class Newer(Refused):
    """A file of the state is whole, and a newer version of us has written it: it is kept, and not understood."""

    def __init__(self, path: object) -> None:
        super().__init__("{} was written by a newer version of kexec-initd".format(path), "install that version again")


def path_of(root: Path, file: StateFile) -> Path:
    """Return the path of `file` as the host sees it."""
    return Path(LASTING if isinstance(file, Lasting) else find_state_directory(root)) / str(file.value)


def place_of(root: Path, file: StateFile) -> Path:
    """Return where `file` is below `root`."""
    return root / path_of(root, file).relative_to("/")


def is_there(root: Path, file: StateFile) -> bool:
    """Tell whether anything has that name, be it a link that leads nowhere."""
    return files.is_there(place_of(root, file))


def read(root: Path, file: StateFile, limit: int = LIMIT) -> Optional[bytes]:
    """Return the content of `file`, of at most `limit` bytes; None where there is none. Raises Damaged."""
    if not is_there(root, file):
        return None
    path = path_of(root, file)
    try:
        _refuse_link(root, file)
        return read_trusted(root, path, limit, follow=False)
    except Unfit as error:
        raise Damaged(error.message)
    except Refused as error:
        raise Damaged("it cannot be trusted: {}".format(error.message), error.hint)


def refuse_unreadable(root: Path) -> None:
    """Raise Refused for a user who may not look into the directories of the state: what he was told would be wrong."""
    for file in (Lasting.MANIFEST, Volatile.STAMP):
        place = place_of(root, file).parent
        if place.is_dir() and not os.access(str(place), os.R_OK | os.X_OK, effective_ids=True):
            raise Refused("only root can read {}".format(path_of(root, file).parent), SUDO)


def modified(root: Path, file: StateFile) -> int:
    """Return when `file` was written, in seconds since 1970. Raises OSError."""
    return int(os.lstat(str(place_of(root, file))).st_mtime)


def directory(root: Path, file: StateFile) -> Path:
    """Return the directory of `file`, made with mode 0700 where it is missing. Raises Refused, OSError.

    It has to be one, not a link to one, that only root may change, as all above it.
    """
    from kexec_initd.system.sysroot import Tree  # for writing only, which the last step does not do

    _refuse_link(root, file)
    refuse_unmounted(Tree(root), file)
    located = locate(root, str(path_of(root, file))).parent
    located.mkdir(mode=0o700, parents=True, exist_ok=True)
    return located


def refuse_unmounted(tree: "Tree", file: StateFile) -> None:
    """Raise Refused where the file system of what is lasting is not mounted: another file may be below its mount point.

    fstab(5) does not have all of them, as datasets of ZFS and systemd's mount units; without its manifest it is another place.
    """
    if not isinstance(file, Lasting):
        return
    from kexec_initd.system.mounts import find_unmounted

    unmounted = find_unmounted(tree, LASTING)
    if unmounted is not None:
        raise Refused("{} is in /etc/fstab, but not mounted".format(unmounted), "mount it")
    place = tree.root / LASTING.lstrip("/")
    if (tree.root / ORIGINALS.lstrip("/")).is_dir() and not any(files.is_there(place / name) for name in MANIFESTS):
        raise Refused(
            "{} has no manifest: it is not the one that install has made, whose file system is not mounted".format(
                LASTING
            ),
            "mount it; if it is, kexec-initd install makes the manifest anew",
        )


def _refuse_link(root: Path, file: StateFile) -> None:
    if place_of(root, file).parent.is_symlink():
        raise Refused("{} is a symbolic link".format(path_of(root, file).parent), "put a directory there")


def write(root: Path, file: StateFile, data: bytes) -> None:
    """Give `file` that content, whole or not at all; an empty directory in its place goes. Raises Refused, OSError."""
    place = directory(root, file) / file.value
    if is_directory(place):
        try:
            place.rmdir()
        except OSError as error:
            raise Refused("cannot write {}, a directory: {}".format(path_of(root, file), error.strerror), "remove it")
    write_atomic(place, data, 0o600)


def remove(root: Path, file: StateFile) -> None:
    """Remove `file`, or what is in its place. Raises OSError, as for a directory with something in it."""
    place = place_of(root, file)
    try:
        if is_directory(place):
            place.rmdir()
        else:
            place.unlink()
    except FileNotFoundError:
        pass
