"""The one module that owns QEMU: it starts a guest, talks to it, and knows for certain how it ended.

A guest never resets inside QEMU: a cold reboot or a power-off stops it, and the monitor's SHUTDOWN event names the
reason. Whatever shows a new login in the same process has therefore come by kexec. Only processes that were started
here are ever ended, by their own id.
"""

import enum
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import List, NamedTuple, Optional, Tuple, Type

from tests.vm.accel import TCG, accel_args
from tests.vm.cache import logs_dir, make_run_dir
from tests.vm.console import HALTED, LOGIN, STRANDED, Console, Result
from tests.vm.hardware import DEVICES, UEFI, disk_args, uefi_args
from tests.vm.qmp import Qmp, QmpError

MEMORY = 768
PAYLOAD_SIZE = 32 * 1024 * 1024
# Under software emulation a jump may take minutes and be silent for most of them.
STUCK_AFTER = 300.0


class EndReason(enum.Enum):
    """How it came out: the guest is in again (LOGIN), gone, waiting for a person (STRANDED), or STUCK: nothing."""

    LOGIN = "login"
    RESET = "guest-reset"
    POWEROFF = "guest-shutdown"
    PANIC = "guest-panic"
    HALTED = "halted"
    STRANDED = "stranded"
    CRASHED = "qemu-crashed"
    STUCK = "stuck"


class Setup(NamedTuple):
    """What a machine is started with. A machine gets its own overlay on `disk`, unless `writable`.

    `state` is a saved state to go on from: it fits only the same accelerator, memory and devices. `payload` is a tar
    that the guest reads from /dev/vdb (`Machine.unpack`). With `deterministic` the guest's clock counts instructions.
    With `variables` its firmware is UEFI and starts with a copy of them, which cold reboots keep; else it is a PC's BIOS.
    With `logged` each write to its disk is logged, too, for a power cut that loses some of them (power.py).
    """

    disk: Path
    state: Optional[Path] = None
    payload: Optional[Path] = None
    accel: str = TCG
    memory: int = MEMORY
    deterministic: bool = False
    writable: bool = False
    logged: bool = False
    kernel: Optional[Path] = None
    initrd: Optional[Path] = None
    append: str = ""
    extra_disks: Tuple[Path, ...] = ()
    extra_args: Tuple[str, ...] = ()
    variables: Optional[Path] = None

    def hardware(self) -> str:
        """Return what a saved state depends on, as text."""
        version = subprocess.check_output(["qemu-system-x86_64", "--version"], text=True).splitlines()[0]
        args = [*accel_args(self.accel, self.deterministic), *DEVICES, str(self.memory), *self.extra_args]
        return " ".join([version, *args, str(len(self.extra_disks)), *([str(UEFI)] if self.variables else [])])


class Machine:
    """One guest. Use as a context manager: at the end QEMU is gone, its disk too, and the log is kept on failure."""

    def __init__(self, name: str, setup: Setup) -> None:
        self.name = name
        self.setup = setup
        self.log = logs_dir() / (name + ".log")
        self.log.write_text("", encoding="utf-8")
        self.directory = Path(make_run_dir())
        self.disk = setup.disk if setup.writable else self.directory / "disk.qcow2"
        self.variables = self.directory / "variables.fd"
        self.debug, self.writes = self.directory / "debugcon", self.directory / "writes"
        self.process: Optional["subprocess.Popen[bytes]"] = None
        self.console: Optional[Console] = None
        self.qmp: Optional[Qmp] = None
        self.keep_log = False
        # By our own clock: when the last line was typed that nobody waited for, and how long it took from there to the login.
        self.typed = self.took = 0.0

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.keep_log = self.keep_log or kind is not None
        self.close()

    def close(self) -> None:
        """End the machine and remove its disk, and its log unless that is to be kept."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        if not self.keep_log:
            self.log.unlink()

    # starting and ending

    def start(self) -> None:
        """Start QEMU: from the saved state if the setup has one, else from the firmware (or the given kernel)."""
        if not self.setup.writable and not self.disk.exists():
            create_overlay(self.setup.disk, self.disk)
        if self.setup.variables is not None and not self.variables.exists():
            shutil.copyfile(self.setup.variables, self.variables)
        self.write_payload()
        self.writes.touch()
        mine = [socket.socketpair() for _ in range(2)]
        theirs = [pair[1].fileno() for pair in mine]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.argv(*theirs), stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=theirs
            )
        for pair in mine:
            pair[1].close()
        self.console = Console(mine[0][0], self.log)
        self.qmp = Qmp(mine[1][0])
        self.qmp.handshake()

    def restart(self) -> None:
        """Start again from the firmware on the same disk, as a machine does after a cold reset."""
        self.stop()
        self.setup = self.setup._replace(state=None, kernel=None)
        self.start()

    def stop(self) -> None:
        """End QEMU: by its monitor, which completes the disk image, else by its process id."""
        if self.process is None:
            return
        if self.process.poll() is None and self.qmp is not None:
            try:
                self.qmp.command("quit", 5.0)
                self.process.wait(10.0)
            except (QmpError, subprocess.TimeoutExpired):
                self.kill()
        if self.console is not None:
            self.console.close()
        if self.qmp is not None:
            self.qmp.connection.close()
        self.process = None

    def kill(self) -> None:
        """End QEMU as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait(30.0)

    def pid(self) -> int:
        """Return the process id of QEMU."""
        if self.process is None:
            raise RuntimeError(self.name + " is not running")
        return self.process.pid

    def argv(self, console_fd: int, monitor_fd: int) -> List[str]:
        """Return QEMU's command line."""
        setup = self.setup
        # setpriv only asks the kernel to kill QEMU should this process die, and becomes QEMU
        argv = ["setpriv", "--pdeathsig", "KILL",
                "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-name", self.name, *DEVICES,
                "-m", str(setup.memory), *accel_args(setup.accel, setup.deterministic),
                "-chardev", f"socket,id=console,fd={console_fd}", "-serial", "chardev:console",
                "-chardev", f"socket,id=monitor,fd={monitor_fd}", "-mon", "chardev=monitor,mode=control",
                "-chardev", f"file,id=debug,path={self.debug},append=on", "-device",
                "isa-debugcon,chardev=debug,iobase=0xe9"]
        if setup.variables is not None:
            argv += uefi_args(self.variables)
        argv += disk_args("root", self.disk, log=self.writes if setup.logged else None)
        argv += disk_args("payload", self.directory / "payload.raw", ",readonly=on")
        for number, path in enumerate(setup.extra_disks):
            argv += disk_args(f"extra{number}", path)
        if setup.kernel is not None:
            argv += ["-kernel", str(setup.kernel), "-initrd", str(setup.initrd), "-append", setup.append]
        if setup.state is not None:
            argv += ["-incoming", "exec:zstd -dcq " + shlex.quote(str(setup.state))]
        return [*argv, *setup.extra_args]

    def write_payload(self) -> None:
        """Write the payload disk: of one size always, since a saved state remembers it."""
        with open(self.directory / "payload.raw", "wb") as target:
            if self.setup.payload is not None:
                target.write(self.setup.payload.read_bytes())
                if target.tell() > PAYLOAD_SIZE - 1024 * 1024:
                    raise ValueError(f"{self.setup.payload} does not fit the payload disk")
            target.truncate(PAYLOAD_SIZE)

    # talking to it

    def talk(self) -> Console:
        """Return the console of a running machine."""
        if self.console is None:
            raise RuntimeError(self.name + " is not running")
        return self.console

    def monitor(self) -> Qmp:
        """Return the monitor of a running machine."""
        if self.qmp is None:
            raise RuntimeError(self.name + " is not running")
        return self.qmp

    def boot(self, limit: float = STUCK_AFTER) -> None:
        """Start, and wait for the shell: of the saved state, or of a boot from firmware."""
        self.start()
        if self.setup.state is None:
            self.wait_login(limit)
            return
        deadline = time.monotonic() + 60.0
        while self.monitor().command("query-status")["status"] != "running":
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: the saved state was not loaded, see {self.log}")
            time.sleep(0.05)
        self.talk().greet(60.0)
        self.run(f"date -u -s @{int(time.time())} >/dev/null")

    def run(self, command: str, limit: float = 60.0) -> Result:
        """Run shell text in the guest and return output and status; `limit` in seconds."""
        return self.talk().run(command, limit)

    def check(self, command: str, limit: float = 60.0) -> str:
        """Run shell text that must succeed; return its output."""
        result = self.run(command, limit)
        if result.status != 0:
            raise AssertionError(f"in the guest: {command}: status {result.status}\n{result.output}")
        return result.output

    def put(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Write a small file in the guest."""
        self.talk().put(path, data, mode)

    def unpack(self, directory: str = "/root") -> None:
        """Unpack the payload in the guest; read past its cache, which may hold another machine's payload."""
        self.check(f"dd if=/dev/vdb iflag=direct bs=1M status=none | tar -xf - -C {shlex.quote(directory)}")

    def send(self, line: str) -> None:
        """Type a line and do not wait: for `reboot` and its like."""
        self.typed = time.monotonic()
        self.talk().send(line)

    # waiting

    def wait_end(self, limit: float = STUCK_AFTER) -> EndReason:
        """Wait until there is a result: a new login, an end, or nothing within `limit` seconds, which is STUCK."""
        deadline = time.monotonic() + limit
        reasons = (EndReason.LOGIN, EndReason.HALTED, EndReason.STRANDED)
        while time.monotonic() < deadline:
            found = self.talk().look([LOGIN, HALTED, STRANDED], 0.5)
            self.monitor().poll()
            ends = [event["data"] for event in self.monitor().events if event["event"] == "SHUTDOWN"]
            if ends:
                self.talk().look([], 0.1)
                return EndReason(ends[-1]["reason"]) if ends[-1]["guest"] else EndReason.CRASHED
            if found >= 0:
                return reasons[found]
            if self.process is None or self.process.poll() is not None:
                return EndReason.CRASHED
        return EndReason.STUCK

    def wait_login(self, limit: float = STUCK_AFTER) -> None:
        """Wait for a login and greet the shell; anything else is an error."""
        end = self.wait_end(limit)
        if end is not EndReason.LOGIN:
            self.keep_log = True
            raise AssertionError(f"{self.name}: no login but {end}, see {self.log}")
        self.took = time.monotonic() - self.typed
        self.talk().greet(180.0)

    def resets(self) -> int:
        """Return how often the guest was reset or went off since QEMU started."""
        self.monitor().poll()
        return sum(event["event"] in ("RESET", "SHUTDOWN") for event in self.monitor().events)

    def log_text(self) -> str:
        """Return the console log so far, with plain line ends."""
        return self.log.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")

    def save(self, state: Path) -> None:
        """Stop the guest and save its state; its disk is complete once the machine is stopped."""
        self.monitor().command("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        self.monitor().command("migrate", uri=f"exec:zstd -1 -T2 -q -o {shlex.quote(str(state))}")
        deadline = time.monotonic() + 300.0
        while True:
            status = self.monitor().command("query-migrate")["status"]
            if status == "completed":
                return
            if status == "failed" or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: its state could not be saved ({status})")
            time.sleep(0.1)


def create_overlay(backing: Path, disk: Path) -> Path:
    """Create `disk`, which begins as what `backing` holds and leaves that as it is; return it."""
    form = "qcow2" if backing.suffix == ".qcow2" else "raw"
    run_tool(["qemu-img", "create", "-q", "-f", "qcow2", "-F", form, "-b", str(backing), str(disk)])
    return disk


def run_tool(argv: List[str]) -> None:
    """Run one of QEMU's tools."""
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
