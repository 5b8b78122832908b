"""The last step of a reboot: check, hooks, sync, unmount, execute the loaded kernel. Called by `/etc/init.d/kexec-initd jump`.

It imports as little as it can (no jinja2, no distro), and everything before the first unmount. When it comes back,
the script reboots cold: exit code 3 says that it refused (not in a shutdown), 10 that it went cold; both after having
said why. Any other end means that it failed, and the script goes on alone.
"""

import os
import re
import sys
import time
from pathlib import Path
from typing import Callable, List, Optional, Sequence

from kexec_initd.errors import Error, Refused, one_line
from kexec_initd.state import checksum, store
from kexec_initd.state.store import Volatile
from kexec_initd.system import hooks, process
from kexec_initd.system.console import Console
from kexec_initd.system.encoding import escape_output
from kexec_initd.system.files import read_bytes, read_text
from kexec_initd.system.filesystems import Mount, parse_mounts
from kexec_initd.system.virt import confinement, find_container, find_runlevel, is_chroot

HOOKS = hooks.PRE_JUMP
STEP_TIMEOUT = 12.0
TOTAL_TIMEOUT = 56.0  # the script kills us after 60 s
WENT_COLD = 10
NOT_UNMOUNTED = "noproc,nosysfs,nodevtmpfs,nodevpts,notmpfs"
DETACH_TIMEOUT = 5.0
KEPT = (b"/", b"/usr")  # where programs come from

MODULE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z")

Say = Callable[[str], None]


class Cold(Error):
    """The reboot must go through firmware."""


class LastStep:
    """The last step below `root`, in order; `no_ifdown` leaves the network up (NETDOWN=no), `modules` are removed.

    Each step may take `step` seconds, all of them `total`.
    """

    def __init__(
        self,
        root: Path,
        no_ifdown: bool,
        say: Say,
        step: float = STEP_TIMEOUT,
        total: float = TOTAL_TIMEOUT,
        modules: Sequence[str] = (),
    ) -> None:
        self.root = root
        self.say = say
        self.modules = modules
        self.step = step
        self.total = total
        self.deadline = time.monotonic() + total
        self.sync = [str(process.require(root, "sync"))]
        self.umount = [str(process.require(root, "umount"))]
        self.losetup = process.find(root, "losetup")
        self.mount = process.find(root, "mount")
        self.modprobe = [str(process.require(root, "modprobe")), "-r"] if modules else []
        self.kexec = [str(process.require(root, "kexec")), "-e"] + (["-x"] if no_ifdown else [])

    def run(self) -> None:
        """Go all the way; come back only by raising Error."""
        refuse_outside_shutdown(self.root)
        if read_text(self.root / "sys/kernel/kexec_loaded") != "1":
            raise Cold("no kernel is loaded")
        found = hooks.find(self.root, HOOKS)
        if found.doubt is not None:
            raise Cold(found.doubt)
        for hook in found.programs:
            self.bounded([str(hook)])
        for module in self.modules:
            self.remove_module(module)
        self.bounded(self.sync)
        self.unmount()
        left = self.writable()
        if left:
            raise Cold("{} is still writable".format(left[0]))
        name = start_watchdog(self.root)
        if name:
            self.say("{} watches the jump".format(name))
        self.bounded(self.kexec)
        raise Cold("kexec -e came back")

    def remove_module(self, name: str) -> None:
        """Remove a kernel module that would not survive the jump; Cold where it is still there then."""
        if not MODULE.match(name):
            raise Cold("REMOVE_MODULES names no module: {}".format(name))
        if self.has_module(name):
            self.bounded([*self.modprobe, name])
        if self.has_module(name):
            raise Cold("the module {} could not be removed".format(name))

    def has_module(self, name: str) -> bool:
        """Tell whether a module is there; modprobe(8) takes a hyphen for an underscore."""
        rows = read_text(self.root / "proc/modules", limit=1 << 20) or ""
        return any(row.startswith(name.replace("-", "_") + " ") for row in rows.splitlines())

    def unmount(self) -> None:
        """Unmount all; what is busy becomes read-only. What `umount` says is not evidence, /proc/mounts is.

        Where something stays writable, what may have held it up goes, and all is tried once more: file systems of
        servers that do not answer are detached (never one on a block device, which would be left unclean), loop
        devices let go.
        """
        self.unmount_all()
        if not self.writable():
            return
        for mount in reversed(self.mounts()):
            if mount.is_remote and mount.where not in KEPT:
                self.tried([*self.umount, "-l", mount.path], DETACH_TIMEOUT)
        if self.losetup is not None:
            self.tried([str(self.losetup), "-D"], DETACH_TIMEOUT)
        self.unmount_all()
        self.make_read_only()

    def unmount_all(self) -> None:
        """Unmount what can be, in the order of umount(8)."""
        self.tried([*self.umount, "-a", "-r", "-t", NOT_UNMOUNTED], self.step)

    def make_read_only(self) -> None:
        """Make read-only what umount(8) does not know, since there was no mtab to write to when it was mounted."""
        for mount in self.writable() if self.mount is not None else ():
            self.tried([str(self.mount), "-n", "-o", "remount,ro", mount.path], DETACH_TIMEOUT)

    def mounts(self) -> List[Mount]:
        """Return all that is mounted. Raises Unreadable."""
        return parse_mounts(read_bytes(self.root / "proc/mounts", limit=-1))

    def writable(self) -> List[Mount]:
        """Return what a kexec would leave unclean. Raises Unreadable."""
        return [mount for mount in self.mounts() if mount.is_writable_disk]

    def tried(self, argv: Sequence[str], limit: float) -> None:
        """Run one step whose failure shows otherwise."""
        try:
            self.bounded(argv, limit)
        except process.CommandError:
            pass

    def bounded(self, argv: Sequence[str], limit: Optional[float] = None) -> None:
        """Run one step within its own limit and that of the whole."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Cold("the last step took more than {:g} s".format(self.total))
        process.run(argv, min(left, self.step if limit is None else limit))


def refuse_outside_shutdown(root: Path) -> None:
    """Raise Refused unless this is the last step of a reboot of a whole machine."""
    confined = confinement(find_container(root), is_chroot(root))
    if confined is not None:
        raise Refused(confined[1])
    told = {level for level in (os.environ.get("RUNLEVEL"), find_runlevel(root)) if level}
    if told != {"6"}:
        raise Refused("the runlevel is {}, not 6".format(" or ".join(sorted(told)) or "unknown"))


def start_watchdog(root: Path) -> Optional[str]:
    """Start the timer that the load has made ready, if it has, and leave it running; return the device's name."""
    data = store.read(root, Volatile.WATCHDOG)
    if data is None:
        return None
    try:
        name = checksum.single(data)
    except ValueError as error:
        raise Cold("{} is damaged: {}".format(store.path_of(root, Volatile.WATCHDOG), error))
    try:
        os.close(os.open(str(root / "dev" / name), os.O_WRONLY | os.O_CLOEXEC))
    except OSError as error:
        raise Cold("{} cannot be started: {}".format(name, error.strerror))
    return name


def main(argv: Sequence[str], root: Path = Path("/")) -> int:
    """Run the last step; return the exit code for the script, see above. Behind `--` are the modules to remove, in one word."""
    console = Console(root)

    def say(text: str) -> None:
        console.say("kexec-initd: " + one_line(text))

    escape_output()
    try:
        modules = argv[argv.index("--") + 1].split() if "--" in argv else ()
        LastStep(root, "-x" in argv, say, modules=modules).run()
    except Refused as error:
        say("refused: {}".format(error))
        return Refused.exit_code
    except (Error, OSError) as error:
        say("reboot goes through firmware: {}".format(error))
    return WENT_COLD


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
