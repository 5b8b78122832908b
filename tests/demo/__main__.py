"""Build the package and a guest, install the one in the other, reboot through kexec and cold. Started by scripts/demo."""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List, NamedTuple, Sequence

from tests.demo.stage import Stage
from tests.vm.accel import accelerator
from tests.vm.cache import cache_dir, logs_dir
from tests.vm.evidence import Boot, assert_came_by_kexec, assert_clean, gather
from tests.vm.image import build
from tests.vm.packages import build_deb
from tests.vm.qemu import EndReason, Machine, Setup
from tests.vm.snapshot import write_payload

# A cold reboot stays in the same QEMU: what tells it from a kexec is the reset that QEMU counts.
RESET_INSIDE = ("-action", "reboot=reset")
FAILURES = (AssertionError, RuntimeError, OSError, subprocess.CalledProcessError)
CLOSING = (
    "Firmware costs next to nothing in this virtual machine. On servers it takes from half a minute to a quarter of an "
    "hour, and kexec saves all of that. The seconds above are an emulated processor's, and depend on what else this "
    "host does; ./scripts/bench compares by a clock that does not."
)


class Reboot(NamedTuple):
    """A boot, and how many seconds passed from typing the command to root's login."""

    boot: Boot
    seconds: float


def reboot(machine: Machine, command: str) -> Reboot:
    """Type `command` and wait until root is logged in again."""
    started = time.monotonic()
    machine.send(command)
    end = machine.wait_end()
    seconds = time.monotonic() - started
    if end is not EndReason.LOGIN:
        raise AssertionError(f"{command}: no login but {end.value}")
    machine.talk().greet(60.0)
    return Reboot(gather(machine), seconds)


def assert_came_cold(before: Boot, after: Boot) -> None:
    """Fail unless `after` came through a reset of the machine, its firmware and its boot loader."""
    assert after.boot_id != before.boot_id, "the same boot still runs"
    # QEMU may count one reboot twice: the kernel pulls the reset line until it is gone
    assert after.resets > before.resets, "the machine was not reset"
    assert after.attempt is None, f"an attempt on the command line: {after.cmdline}"
    assert_clean(after)


def show(stage: Stage, machine: Machine, deb: Path) -> None:
    """Go through the whole in the guest, and show it."""
    with stage.step("the guest boots: SeaBIOS, GRUB, Linux, SysV init") as said:
        machine.boot()
        first = Reboot(gather(machine), 0.0)
        said.append(f"Linux {first.boot.release}, boot {first.boot.boot_id}")
    with stage.step(f"dpkg -i {deb.name}"):
        machine.unpack()
        machine.check(f"dpkg -i /root/{deb.name}", 300.0)
    with stage.step("kexec-initd load, which every later boot does by itself") as said:
        machine.check("kexec-initd load", 300.0)
        said += machine.check("kexec-initd status", 120.0).splitlines()
    with stage.step("reboot") as said:
        warm = reboot(machine, "reboot")
        assert_came_by_kexec(first.boot, warm.boot)
        said += [line for line in machine.log_text().splitlines() if line.startswith("kexec-initd: ")][-1:]
        said.append("/proc/cmdline: " + warm.boot.cmdline.split()[0] + " ...")
    with stage.step("coldreboot") as said:
        cold = reboot(machine, "coldreboot")
        assert_came_cold(warm.boot, cold.boot)
        said += [line for line in machine.log_text().splitlines() if line.startswith("kexec-initd: ")][-1:]
    stage.table(["", "first boot", "after reboot", "after coldreboot"], evidence(first, warm, cold))


def evidence(first: Reboot, warm: Reboot, cold: Reboot) -> List[List[str]]:
    """Return the rows that prove how each boot was reached."""
    visits = [first, warm, cold]
    boots = [visit.boot for visit in visits]
    return [
        ["boot id", *(boot.boot_id.split("-")[0] + "-..." for boot in boots)],
        ["kexec_initd.attempt", *(boot.attempt or "none" for boot in boots)],
        ["machine was reset", "", *("yes" if boot.resets else "no" for boot in boots[1:])],
        ["QEMU process", *(str(boot.qemu) for boot in boots)],
        ["root file system", *("unclean" if boot.unclean else "clean" for boot in boots)],
        ["command to login", "", *(f"{visit.seconds:.1f} s" for visit in visits[1:])],
    ]


def main(argv: Sequence[str]) -> int:
    """Run the demonstration; return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/demo", add_help=False)
    parser.add_argument("--svg", type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    stage = Stage()
    try:
        with stage.step("the package is built"):
            deb = build_deb()
        with stage.step("a guest is made, and kept for the next time: Debian 12 with SysV init and its own GRUB"):
            image = build()
        with tempfile.TemporaryDirectory(prefix="demo-", dir=cache_dir()) as directory:
            payload = write_payload(Path(directory) / "payload.tar", [deb])
            accel = accelerator(image.kernel)
            with Machine("demo", Setup(image.disk, payload=payload, accel=accel, extra_args=RESET_INSIDE)) as machine:
                show(stage, machine, deb)
    except FAILURES as error:
        print(f"scripts/demo: {error}; the guest's console is in {logs_dir() / 'demo.log'}", file=sys.stderr)
        return 1
    stage.say(CLOSING)
    if args.svg is not None:
        stage.save(args.svg)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
