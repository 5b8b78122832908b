"""The clocks of the running boot, and what the shutdown before it has left: all that the phases of a reboot are reckoned from.

Nothing can be written once / is read-only, so what is known of the moments between is what others write down: halt(8) of sysvinit
and systemd's update-utmp a record in wtmp(5), just before /var is unmounted. The kernel's start is the clock less /proc/uptime.
That process 1 has become init shows nowhere; the thread that the mount of the root has started is the nearest to it.
"""

import contextlib
import os
import re
import struct
import time
from pathlib import Path
from typing import Iterator, NamedTuple, Optional, Tuple

from kexec_initd.errors import Error
from kexec_initd.history.running_boot import read_uptime
from kexec_initd.state import store
from kexec_initd.state.store import Lasting, Volatile
from kexec_initd.system import process
from kexec_initd.system.encoding import list_names
from kexec_initd.system.host import Host, InitSystem
from kexec_initd.system.raw import open_regular, read_text, read_up_to
from kexec_initd.system.safe_path import below

WTMP = "var/log/wtmp"
WTMP_TAIL = 384 * 64
WTMP_RECORD = struct.Struct("=h2xi32s4s32s256s4xiii36x")  # utmp(5), the same for programs of 32 and of 64 bits
RUN_LEVEL = 1
# Threads of the kernel that serve a mounted file system which keeps a journal.
JOURNALS = ("jbd2/", "kjournald", "xfsaild/", "btrfs-cleaner", "f2fs_ckpt-", "txg_sync")
STAT = re.compile(r"[0-9]+ \((.*)\) (.*)\Z", re.DOTALL)
STARTED = 19  # of the fields behind the name in proc(5)'s stat
TICKS = 100.0  # USER_HZ of every architecture that has kexec
NUMBER = re.compile(r"(0|[1-9][0-9]{0,10})(\.[0-9]{1,9})?\Z")
MANAGER_TIMEOUT = 10.0
MANAGER = ("UserspaceTimestampMonotonic", "FinishTimestampMonotonic")


class Leaving(NamedTuple):
    """What the early step of the reboot wrote: the boot that ended with its kernel, its uptime, and the time of the clock."""

    boot: str
    uptime: float
    release: str
    time: float


class Clocks(NamedTuple):
    """Moments of a reboot; None for what nothing has shown.

    By the clock, in seconds since 1970: `left`, the early step (and `left_uptime`, of the kernel that ended), `over`, services
    stopped, and `now`. By the new kernel's uptime: `uptime` at `now`; `init`, the real init's start; `ended`, the boot's end.
    Since the reset, as the firmware tells: `loader`, the boot loader's start, `kernel`, the kernel's.
    """

    left: Optional[float] = None
    left_uptime: Optional[float] = None
    over: Optional[float] = None
    now: Optional[float] = None
    uptime: Optional[float] = None
    init: Optional[float] = None
    ended: Optional[float] = None
    loader: Optional[float] = None
    kernel: Optional[float] = None


def read_clocks(host: Host, leaving: Optional[Leaving], firmware: Optional[Tuple[float, float]], ask: bool) -> Clocks:
    """Return the clocks of the running boot; `ask`: systemd, too, where it runs, which takes a program. Raises Error, OSError."""
    now, uptime = time.time(), read_uptime(host.root)
    init, ended = find_mount(host.root), find_end(host)
    if ask and host.init is InitSystem.SYSTEMD:
        init, ended = ask_systemd(host.root) or (init, ended)
    loader, kernel = firmware or (None, None)
    left = None if leaving is None else leaving.time
    over = None if left is None else find_shutdown(host.root, left, now - uptime)
    return Clocks(left, None if leaving is None else leaving.uptime, over, now, uptime, init, ended, loader, kernel)


def read_leaving(root: Path) -> Optional[Leaving]:
    """Return what the last shutdown has left; None where there is nothing whole. Raises Error, OSError."""
    data = store.read(root, Lasting.LEAVING, 512)
    if data is None:
        return None
    lines = data.decode("ascii", "replace").split("\n")
    words = lines[0].split(" ")
    if len(lines) != 3 or lines[0] != lines[1] or lines[2] or len(words) != 3:
        return None
    uptime = find_number(words[1])
    if uptime is None:
        return None
    return Leaving(words[0], uptime, words[2], os.lstat(str(store.place_of(root, Lasting.LEAVING))).st_mtime)


def find_number(text: str) -> Optional[float]:
    """Return the number that `text` is; None for anything else."""
    return float(text) if NUMBER.match(text) else None


def find_shutdown(root: Path, first: float, last: float) -> Optional[float]:
    """Return when init wrote the last shutdown between these two times into wtmp(5); None where it did not."""
    found = [moment for moment in _list_shutdowns(root) if first <= moment <= last]
    return found[-1] if found else None


def _list_shutdowns(root: Path) -> Iterator[float]:
    fd = open_regular(below(root, WTMP)) if below(root, WTMP).exists() else None
    if fd is None:
        return
    size = os.fstat(fd).st_size
    os.lseek(fd, max(0, size // WTMP_RECORD.size * WTMP_RECORD.size - WTMP_TAIL), os.SEEK_SET)
    data = read_up_to(fd, WTMP_TAIL)
    for start in range(0, len(data) - WTMP_RECORD.size + 1, WTMP_RECORD.size):
        kind, _, _, _, user, _, _, seconds, micros = WTMP_RECORD.unpack_from(data, start)
        if kind == RUN_LEVEL and user.rstrip(b"\0") == b"shutdown":
            yield (seconds & 0xFFFFFFFF) + micros / 1e6


def find_mount(root: Path) -> Optional[float]:
    """Return the uptime at which the first file system with a journal was mounted, the root's; None where none is."""
    return min(_list_journals(below(root, "proc")), default=None)


def _list_journals(place: Path) -> Iterator[float]:
    if not place.is_dir():
        return
    for name in list_names(place):
        found = STAT.match(read_text(place / name / "stat", 4096) or "") if name.isdigit() else None
        if found is not None and found.group(1).startswith(JOURNALS):
            fields = found.group(2).split(" ")
            if len(fields) > STARTED and fields[STARTED].isdigit():
                yield int(fields[STARTED]) / TICKS


def find_end(host: Host) -> Optional[float]:
    """Return the uptime at which the step at the end of this boot was called; None where it was not."""
    mark = store.read(host.root, Volatile.PRELOADED) or b""
    words = mark.decode("ascii", "replace").split()
    boot = host.tree.read_text("/proc/sys/kernel/random/boot_id") or ""
    return find_number(words[1]) if len(words) == 2 and words[0] == boot.rstrip("\n") else None


def ask_systemd(root: Path) -> Optional[Tuple[float, float]]:
    """Return the uptimes at which systemd began, behind the initrd, and ended the boot; None where it does not say."""
    program = process.find(root, "systemctl")
    if program is None:
        return None
    with contextlib.suppress(Error, OSError):
        said = process.run([str(program), "show", *("--property=" + name for name in MANAGER)], MANAGER_TIMEOUT)
        fields = dict(line.partition("=")[::2] for line in said.splitlines())
        init, ended = (int(fields.get(name) or "0") / 1e6 for name in MANAGER)
        if init and ended:
            return init, ended
    return None
