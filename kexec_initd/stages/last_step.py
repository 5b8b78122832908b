"""The last step of a reboot: check, hooks, sync, unmount, execute the loaded kernel. Called by `/etc/init.d/kexec-initd jump`.

When it comes back, the script reboots cold: exit code 3 says that it refused (not in a shutdown), 10 that it went cold; both
after having said why. Any other end means that it failed, and the script goes on alone.

Nothing is read from a disk after the first unmount but the programs that are called, and the start is short: the modules
that are imported here import the standard library only, and of that nothing that takes long (no typing, re, enum, pathlib;
tests/unit/test_quick.py has the list). What a host with hooks or a watchdog needs more is imported when that is seen.
"""

import os
import sys
import time

from kexec_initd import sentences
from kexec_initd.errors import Error, Refused, one_line
from kexec_initd.system import hook_places, machine, raw, spawn
from kexec_initd.system.console import Console
from kexec_initd.system.filesystems import Mount, parse_mounts
from kexec_initd.system.stdio import open_standard_files

TYPE_CHECKING = False  # as in typing, whose import takes longer than all that the last step imports
if TYPE_CHECKING:
    from typing import Callable, List, Optional, Sequence

    from kexec_initd.system.encoding import Name

    Say = Callable[[str], None]

HOOKS = hook_places.PRE_JUMP
STEP_TIMEOUT = 12.0
TOTAL_TIMEOUT = 56.0  # the script kills us after 60 s
WENT_COLD = 10
NOT_UNMOUNTED = "noproc,nosysfs,nodevtmpfs,nodevpts,notmpfs"
DETACH_TIMEOUT = 5.0
KEPT = (b"/", b"/usr")  # where programs come from


class Cold(Error):
    """The reboot must go through firmware."""


class LastStep:
    """The last step below `root`, in order; `no_ifdown` leaves the network up (NETDOWN=no), `modules` are removed.

    Each step may take `step` seconds, all of them `total`.
    """

    def __init__(
        self,
        root: "Name",
        no_ifdown: bool,
        say: "Say",
        step: float = STEP_TIMEOUT,
        total: float = TOTAL_TIMEOUT,
        modules: "Sequence[str]" = (),
    ) -> None:
        self.root = os.fspath(root)
        self.say = say
        self.modules = modules
        self.step = step
        self.total = total
        self.deadline = time.monotonic() + total
        self.sync = [spawn.require(self.root, "sync")]
        self.umount = [spawn.require(self.root, "umount")]
        self.losetup = spawn.find(self.root, "losetup")
        self.mount = spawn.find(self.root, "mount")
        self.kexec = [spawn.require(self.root, "kexec"), "-e"] + (["-x"] if no_ifdown else [])

    def run(self) -> None:
        """Go all the way; come back only by raising Error."""
        refuse_outside_shutdown(self.root)
        if raw.read_text(self.place("sys/kernel/kexec_loaded")) != "1":
            raise Cold(sentences.NOTHING_LOADED)
        for hook in find_hooks(self.root):
            self.bounded([hook])
        self.remove_modules()
        watchdog = find_watchdog(self.root)
        self.bounded(self.sync)
        self.unmount()
        left = self.writable()
        if left:
            raise Cold(sentences.STILL_WRITABLE.format(left[0]))
        if watchdog is not None:
            start_watchdog(self.root, watchdog)
            self.say("{} watches the jump".format(watchdog))
        self.bounded(self.kexec)
        raise Cold("kexec -e came back")

    def remove_modules(self) -> None:
        """Remove the kernel modules that would not survive the jump; Cold where one is still there then."""
        if not self.modules:
            return
        from kexec_initd.stages.removal import Removal

        obstacle = Removal(self.root, self.modules, self.tried, self.step).find_obstacle()
        if obstacle is not None:
            raise Cold(obstacle)

    def unmount(self) -> None:
        """Unmount all where a disk is writable still; what is busy becomes read-only. Raises Unreadable.

        What umountfs and umountroot have done a moment before is not done again. What `umount` says is not evidence,
        /proc/mounts is. Where something stays writable, what may have held it up goes, and all is tried once more: file
        systems of servers that do not answer are detached (never one on a block device, which would be left unclean),
        loop devices let go.
        """
        if not self.writable():
            return
        self.unmount_all()
        if not self.writable():
            return
        for mount in reversed(self.mounts()):
            if mount.is_remote and mount.where not in KEPT:
                self.tried([*self.umount, "-l", mount.path], DETACH_TIMEOUT)
        if self.losetup is not None:
            self.tried([self.losetup, "-D"], DETACH_TIMEOUT)
        self.unmount_all()
        self.make_read_only()

    def unmount_all(self) -> None:
        """Unmount what can be, in the order of umount(8)."""
        self.tried([*self.umount, "-a", "-r", "-t", NOT_UNMOUNTED], self.step)

    def make_read_only(self) -> None:
        """Make read-only what umount(8) does not know, since there was no mtab to write to when it was mounted."""
        if self.mount is not None:
            for mount in self.writable():
                self.tried([self.mount, "-n", "-o", "remount,ro", mount.path], DETACH_TIMEOUT)

    def place(self, path: str) -> str:
        """Return where a path of the host is."""
        return os.path.join(self.root, path)

    def mounts(self) -> "List[Mount]":
        """Return all that is mounted. Raises Unreadable."""
        return parse_mounts(raw.read_bytes(self.place("proc/mounts"), limit=-1))

    def writable(self) -> "List[Mount]":
        """Return what a kexec would leave unclean. Raises Unreadable."""
        return [mount for mount in self.mounts() if mount.is_writable_disk]

    def tried(self, argv: "Sequence[str]", limit: float) -> None:
        """Run one step whose failure shows otherwise."""
        try:
            self.bounded(argv, limit)
        except spawn.CommandError:
            pass

    def bounded(self, argv: "Sequence[str]", limit: "Optional[float]" = None) -> None:
        """Run one step within its own limit and that of the whole."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Cold("the last step took more than {:g} s".format(self.total))
        spawn.run(argv, min(left, self.step if limit is None else limit))


def refuse_outside_shutdown(root: "Name") -> None:
    """Raise Refused unless this is the last step of a reboot of a whole machine."""
    place = machine.running(root)
    container = machine.find_container(place, os.fspath(root) == "/")
    confined = machine.confinement(container, machine.is_chroot(root))
    if confined is not None:
        raise Refused(confined[1])
    told = {level for level in (os.environ.get("RUNLEVEL"), machine.find_runlevel(place, os.environ)) if level}
    if told != {"6"}:
        raise Refused(sentences.OUTSIDE_SHUTDOWN.format(" or ".join(sorted(told)) or "unknown"))


def find_hooks(root: str) -> "List[str]":
    """Return the admin's programs in their order. Raises Cold where nobody can know which were meant to run."""
    if hook_places.has_none(root, HOOKS):
        return []
    from pathlib import Path

    from kexec_initd.system import hooks

    found = hooks.find(Path(root), HOOKS)
    if found.doubt is not None:
        raise Cold(found.doubt)
    return [str(program) for program in found.programs]


def find_watchdog(root: str) -> "Optional[str]":
    """Return the name of the timer that the load has made ready, if it has. Raises Cold where it left something else."""
    places = (machine.STATE_DIR, machine.OLD_STATE_DIR)
    if not any(os.path.lexists("{}{}/watchdog".format(root.rstrip("/"), place)) for place in places):
        return None
    from pathlib import Path

    from kexec_initd.state import checksum, store

    data = store.read(Path(root), store.Volatile.WATCHDOG)
    try:
        return None if data is None else checksum.single(data)
    except ValueError as error:
        raise Cold("{} is damaged: {}".format(store.path_of(Path(root), store.Volatile.WATCHDOG), error))


def start_watchdog(root: str, name: str) -> None:
    """Start that timer, and leave it running."""
    try:
        os.close(os.open(os.path.join(root, "dev", name), os.O_WRONLY | os.O_CLOEXEC))
    except OSError as error:
        raise Cold("{} cannot be started: {}".format(name, error.strerror))


def main(argv: "Sequence[str]", root: "Name" = "/") -> int:
    """Run the last step; return the exit code for the script, see above. Behind `--` are the modules to remove, in one word."""
    open_standard_files()
    console = Console(root)

    def say(text: str) -> None:
        console.say("kexec-initd: " + one_line(text))

    try:
        modules = argv[argv.index("--") + 1].split() if "--" in argv else ()
        LastStep(root, "-x" in argv, say, modules=modules).run()
    except Refused as error:
        say("refused: {}".format(error))
        return Refused.exit_code
    except (Error, OSError) as error:
        say("reboot goes through firmware: {}".format(error))
    return WENT_COLD


def start() -> int:
    """Run the last step as the process that the script calls."""
    os.chdir("/")
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(start())
