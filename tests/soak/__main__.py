"""Reboot one guest through kexec again and again, and compare its boots. Started by scripts/soak."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List, Sequence

from tests.bench.guests import WAIT_LOADED
from tests.soak.report import as_json, render, summarize
from tests.soak.samples import QUESTION, Sample, parse_sample
from tests.vm.cache import cache_dir, logs_dir
from tests.vm.evidence import assert_came_by_kexec, gather
from tests.vm.image import build
from tests.vm.packages import build_deb
from tests.vm.qemu import Machine, Setup, run_tool
from tests.vm.snapshot import install_line, write_payload

STARTED = time.monotonic()
LIMIT = 300.0
# Without it the kernel warns of "Lost RTC interrupts" whenever this machine, not the guest, is busy.
HARDWARE = ("-machine", "hpet=off")


def parse_args(argv: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line; ends with exit code 2 when it makes no sense. scripts/soak -h explains it."""
    parser = argparse.ArgumentParser(prog="scripts/soak", add_help=False)
    parser.add_argument("--reboots", type=at_least_two, default=50, metavar="N")
    parser.add_argument("--minutes", type=int, default=24 * 60, metavar="M")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args(argv)


def at_least_two(text: str) -> int:
    """Return `text` as a number of at least two: one boot alone cannot show growth."""
    number = int(text)
    if number < 2:
        raise ValueError(text)
    return number


def say(text: str) -> None:
    """Show progress."""
    print(f"{time.monotonic() - STARTED:6.0f} s  {text}", file=sys.stderr, flush=True)


def soak(directory: Path, reboots: int, minutes: int) -> List[Sample]:
    """Return a sample for each of `reboots` in a row, or as many as begin within `minutes`; the disk is in `directory`.

    The guest's clock counts instructions, so that its boot time does not depend on how busy this machine is.
    """
    deb = build_deb()
    payload = write_payload(directory / "payload.tar", [deb])
    disk = directory / "disk.qcow2"
    run_tool(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(build().disk), str(disk)])
    setup = Setup(disk=disk, payload=payload, writable=True, deterministic=True, extra_args=HARDWARE)
    with Machine("soak", setup) as machine:
        machine.boot()
        machine.unpack()
        machine.check(install_line([deb]), LIMIT)
        machine.check("sync; /etc/init.d/kexec-initd preload", LIMIT)
        say("the guest is up")
        samples: List[Sample] = []
        while len(samples) < reboots and (len(samples) < 2 or time.monotonic() - STARTED < minutes * 60):
            samples.append(reboot(machine, len(samples) + 1))
            say(f"{len(samples)}/{reboots}  uptime {samples[-1].uptime:.2f} s, {samples[-1].wall:.0f} s of ours")
        return samples


def reboot(machine: Machine, turn: int) -> Sample:
    """Reboot as soon as the next kernel is loaded, prove that it came through kexec as its own attempt, and sample it."""
    machine.check(WAIT_LOADED, LIMIT)
    before = gather(machine)
    begun = time.monotonic()
    machine.send("reboot")
    machine.wait_login()
    wall = time.monotonic() - begun
    uptime = float(machine.check("cat /proc/uptime").split()[0])
    machine.check(WAIT_LOADED, LIMIT)  # it writes some of what is counted
    assert_came_by_kexec(before, gather(machine))
    assert f"\nkexecs {turn}\n" in machine.check("cat /var/lib/kexec-initd/attempts")
    return parse_sample(machine.check(QUESTION.strip()), uptime, wall)


def main(argv: Sequence[str]) -> int:
    """Soak and report; return the exit code."""
    args = parse_args(argv)
    try:
        with tempfile.TemporaryDirectory(prefix="soak-", dir=cache_dir()) as directory:
            report = summarize(soak(Path(directory), args.reboots, args.minutes))
        if args.json is not None:
            args.json.write_text(json.dumps(as_json(report), indent=1) + "\n", encoding="ascii")
    except (AssertionError, ValueError, RuntimeError, OSError, subprocess.CalledProcessError) as error:
        print(f"scripts/soak: {error}; the guest's console is in {logs_dir()}", file=sys.stderr)
        return 1
    print(render(report))
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
