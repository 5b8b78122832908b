"""The guests of the benchmark: one for each way to reboot, equal but for that, with time stamps built in."""

import threading
import time
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import List, NamedTuple, Optional, Tuple, Type

from tests.bench.stamps import MissingStamp, Stamp, between, parse
from tests.vm.qemu import EndReason, Machine, Setup, run_tool
from tests.vm.snapshot import write_payload

SOURCES = Path(__file__).resolve().parent / "guest"
FILES = ("prepare", "plain-reboot", "preloaded-reboot", "rc.local")
STAMP = "/usr/local/sbin/stamp"
# The idle time before each run, the same in all ways; ours loads the next kernel meanwhile.
IDLE = 12
# How long a reboot may take by the host's clock, which says nothing: a busy one has needed more than five minutes for a jump.
SLOWEST = 1200.0
WAIT_LOADED = (
    "for i in $(seq 300); do"
    " [ $(cat /sys/kernel/kexec_loaded) = 1 ] && ! pgrep -f 'kexec_initd preload' >/dev/null && break; sleep 1; done;"
    " [ $i -lt 300 ]"
)
UNPACKED_RECORD = "grep '\"unpacked\": true' /run/kexec-initd/loaded.json"
# While it is there, the wrapper of kexec stamps the peak memory of the process that calls `kexec -e`.
WATCH_MEMORY = "/usr/local/lib/real/watch-memory"
# A cold reboot is to stay inside the same QEMU, whose clock goes on. The processor is QEMU's plain one, without RDRAND,
# as servers of the age that SysV init has left: a cold boot then waits for entropy, which kexec hands over.
MACHINE = ("-action", "reboot=reset", "-cpu", "qemu64")


class Way(NamedTuple):
    """A way to reboot: `leaves` is the stamp of what ends the old system; `resets` whether the machine is reset.

    `preloads`: a kernel is loaded after each boot. `ours`: by kexec-initd. `passes` is a stamp without which it was another way.
    With `systemd` that is the init system.
    """

    name: str
    title: str
    leaves: str = "kexec-e"
    resets: bool = False
    preloads: bool = False
    ours: bool = False
    passes: str = "begin"
    systemd: bool = False


OURS = Way("ours", "kexec-initd", preloads=True, ours=True)
UNPACKED = Way("unpacked", "kexec-initd, initrd unpacked", preloads=True, ours=True)
DEBIAN = Way("debian", "kexec-tools' own scripts")
SHELL = Way("shell", "plain do_stop in shell", passes="umount-a")
PRELOADED = Way("preloaded", "preloaded shell", preloads=True, passes="umount-a")
COLD = Way("cold", "cold, through firmware", "reboot-d", resets=True)
WAYS = (OURS, UNPACKED, DEBIAN, SHELL, PRELOADED, COLD)
OURS_SYSTEMD = Way("systemd-ours", "kexec-initd under systemd", preloads=True, ours=True, systemd=True)
BY_HAND_SYSTEMD = Way("systemd-by-hand", "systemd, loaded by hand after the boot", preloads=True, systemd=True)
# systemd-shutdown makes the system call itself: no stamp between the word and the initramfs.
COLD_SYSTEMD = Way("systemd-cold", "cold under systemd", "begin", resets=True, systemd=True)
SYSTEMD_WAYS = (OURS_SYSTEMD, BY_HAND_SYSTEMD, COLD_SYSTEMD)


class Run(NamedTuple):
    """One reboot in seconds of the guest's clock, `wall` in the host's.

    From typing `reboot` to what ends the old system (`leave`), on to the new system's first program (`jump`), on to
    root's login shell (`start`).
    """

    way: str
    leave: float
    jump: float
    start: float
    wall: float

    @property
    def total(self) -> float:
        """Return the time from typing `reboot` to the login shell."""
        return self.leave + self.jump + self.start


class Memory(NamedTuple):
    """The peak resident memory of a process, in MiB, and the name of its program."""

    program: str
    peak: float


class WrongWay(AssertionError):
    """A reboot has not gone the way that was to be measured."""


class Guest:
    """A guest that reboots in one way, again and again; stopped in between. Use as a context manager."""

    def __init__(self, way: Way, disk: Path) -> None:
        self.way = way
        self.machine = Machine("bench-" + way.name, Setup(disk=disk, deterministic=True, extra_args=MACHINE))
        self.position = 0
        self.busy = threading.Lock()

    def __enter__(self) -> "Guest":
        self.machine.__enter__()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.machine.__exit__(kind, error, trace)

    def boot(self) -> None:
        """Start from the firmware, wait for the login shell, and stop the guest's clock."""
        self.machine.boot()
        self.machine.monitor().command("stop")

    def measure(self) -> Run:
        """Let the guest go on, reboot it once, and stop it again; one caller at a time."""
        with self.busy:
            self.machine.monitor().command("cont")
            run = self.reboot()
            self.machine.monitor().command("stop")
        return run

    def reboot(self) -> Run:
        """Reboot once."""
        begun, stamps, ended = self.stamps_of_a_reboot()
        return split(self.way, stamps, ended - begun)

    def stamps_of_a_reboot(self) -> Tuple[float, List[Stamp], float]:
        """Reboot once; return its stamps, and when on the host's clock it began and ended."""
        machine = self.machine
        before = self.settle()
        resets = machine.resets()
        self.new_stamps()
        begun = time.monotonic()
        machine.send(f"{STAMP} begin; reboot")
        end = machine.wait_end(SLOWEST)
        ended = time.monotonic()
        if end is not EndReason.LOGIN:
            raise WrongWay(f"{self.way.name}: no login but {end.value}, see {machine.log}")
        machine.talk().greet(60.0)
        self.verify(before, machine.resets() > resets)
        return begun, self.new_stamps(), ended

    def peak_memory(self) -> Memory:
        """Reboot once more, and return the peak memory of what has called `kexec -e`."""
        self.machine.check(f"touch {WATCH_MEMORY}")
        _, stamps, _ = self.stamps_of_a_reboot()
        self.machine.check(f"rm {WATCH_MEMORY}")
        return find_memory(stamps)

    def settle(self) -> str:
        """Give the guest the time before a run, and return the id of its boot."""
        self.machine.check(f"sync; sleep {IDLE}", 300.0)
        if self.way.preloads:
            self.machine.check(WAIT_LOADED, 300.0)
        if self.way.ours:
            self.machine.check(f"{'' if self.way is UNPACKED else '! '}{UNPACKED_RECORD}")
        return self.boot_id()

    def boot_id(self) -> str:
        """Return the id of the guest's boot."""
        return self.machine.check("cat /proc/sys/kernel/random/boot_id")

    def verify(self, before: str, was_reset: bool) -> None:
        """Raise WrongWay unless this is another boot, reached in the way that was to be measured."""
        if self.boot_id() == before:
            raise WrongWay(f"{self.way.name}: still the same boot")
        if was_reset != self.way.resets:
            raise WrongWay(f"{self.way.name}: the machine was {'' if was_reset else 'not '}reset")
        if self.way.ours:
            self.machine.check("grep -q kexec_initd.attempt= /proc/cmdline")

    def new_stamps(self) -> List[Stamp]:
        """Return the stamps since the last call."""
        data = self.machine.debug.read_bytes()
        new, self.position = data[self.position :], len(data)
        return parse(new.decode("ascii", "replace"))

    def cost(self, command: str, times: int = 5) -> float:
        """Return the seconds of the guest's clock that `command` takes: the median of several, less the stamp's own."""
        self.new_stamps()
        stamped = f"{STAMP} none; {STAMP} from; {command} >/dev/null 2>&1; {STAMP} to"
        self.machine.check(f"for i in $(seq {times}); do {stamped}; done", 300.0)
        seconds = [stamp.seconds for stamp in self.new_stamps()]
        return median(
            (to - begin) - (begin - none) for none, begin, to in zip(seconds[::3], seconds[1::3], seconds[2::3])
        )


def split(way: Way, stamps: List[Stamp], wall: float) -> Run:
    """Return the run that `stamps` tell of. Raises MissingStamp, WrongWay."""
    if way.passes not in [stamp.tag for stamp in stamps]:
        raise WrongWay(f"{way.name}: the reboot has not passed {way.passes}")
    return Run(
        way.name,
        between(stamps, "begin", way.leaves),
        between(stamps, way.leaves, "init"),
        between(stamps, "init", "login"),
        wall,
    )


def find_memory(stamps: List[Stamp]) -> Memory:
    """Return the peak memory that one of `stamps` tells of: its tag is "memory=PROGRAM=KIBIBYTES"."""
    for stamp in stamps:
        if stamp.tag.startswith("memory="):
            _, program, size = stamp.tag.split("=")
            return Memory(program, int(size) / 1024)
    raise MissingStamp("the peak memory of the last step was not stamped")


def write_kit(directory: Path, deb: Path) -> Path:
    """Write the payload from which a guest is prepared, the .deb included, and return its path."""
    stamp = directory / "stamp"
    run_tool(["as", "-o", str(directory / "stamp.o"), str(SOURCES / "stamp.S")])
    run_tool(["ld", "-o", str(stamp), str(directory / "stamp.o")])
    return write_payload(directory / "payload.tar", [stamp, *(SOURCES / name for name in FILES), deb])


def prepare(way: Way, image: Path, kit: Path, directory: Path) -> Path:
    """Make the disk of the guest that reboots in `way`, on top of `image`, and return its path."""
    disk = directory / (way.name + ".qcow2")
    run_tool(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(image), str(disk)])
    with Machine("bench-prepare-" + way.name, Setup(disk=disk, payload=kit, writable=True)) as machine:
        machine.boot()
        machine.unpack()
        machine.check("/root/prepare " + way.name, 300.0)
        machine.send("poweroff")
        end = machine.wait_end()
        if end is not EndReason.POWEROFF:
            raise WrongWay(f"{way.name}: no power-off but {end.value}, see {machine.log}")
    return disk
