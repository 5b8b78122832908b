"""Measure ways to reboot in one guest, in turn, by QEMU's deterministic clock. Started by scripts/bench."""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from tests.bench.guests import COLD, OURS, SYSTEMD_WAYS, WAYS, Guest, Run, Way, prepare, write_kit
from tests.bench.report import Report, added, as_json, render, summarize
from tests.vm.cache import cache_dir, logs_dir
from tests.vm.debian_systemd import build_systemd
from tests.vm.image import build
from tests.vm.packages import build_deb

STARTED = time.monotonic()


def parse_args(argv: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line; ends with exit code 2 when it makes no sense. scripts/bench -h explains it."""
    parser = argparse.ArgumentParser(prog="scripts/bench", add_help=False)
    parser.add_argument("--runs", type=positive, default=5, metavar="N")
    parser.add_argument("--jobs", type=positive, default=2, metavar="N")
    parser.add_argument("--ways", type=choose_ways, default=WAYS, metavar="WAY,...")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args(argv)


def choose_ways(text: str) -> List[Way]:
    """Return the ways that `text` names, in our order."""
    names = text.split(",")
    known = [way.name for way in (*WAYS, *SYSTEMD_WAYS)]
    wrong = [name for name in names if name not in known]
    if wrong:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is none of {', '.join(known)}")
    return [way for way in (*WAYS, *SYSTEMD_WAYS) if way.name in names]


def positive(text: str) -> int:
    """Return `text` as a number of at least one."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def say(text: str) -> None:
    """Show progress."""
    print(f"{time.monotonic() - STARTED:6.0f} s  {text}", file=sys.stderr, flush=True)


def start_guests(ways: Sequence[Way], deb: Path, pool: ThreadPoolExecutor, stack: contextlib.ExitStack) -> List[Guest]:
    """Prepare and boot one guest for each of `ways`; `stack` ends them, and so would the end of the thread that started them."""
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=cache_dir())))
    kit = write_kit(directory, deb)

    def start(way: Way) -> Guest:
        image = build_systemd() if way.systemd else build()
        guest = Guest(way, prepare(way, image.disk, kit, directory))
        stack.push(guest)
        guest.boot()
        say(f"{way.title}: the guest is up")
        return guest

    return list(pool.map(start, ways))


def measure(guests: Sequence[Guest], runs: int, pool: ThreadPoolExecutor) -> List[Run]:
    """Reboot the guests in turn, `runs` times each."""

    def reboot(numbered: Tuple[int, Guest]) -> Run:
        number, guest = numbered
        run = guest.measure()
        say(f"{number}/{runs}  {guest.way.title}: {run.total:.2f} s of the guest's clock, {run.wall:.0f} s of ours")
        return run

    turns = [(number + 1, guest) for number in range(runs) for guest in guests]
    return list(pool.map(reboot, turns))


def measure_parts(guest: Guest, added: float) -> Dict[str, float]:
    """Return what `added` seconds go into: each piece of work, run by itself in the guest of ours, and the rest."""
    guest.settle()
    package = "/usr/lib/python3/dist-packages"
    bare, runtime, early = [
        guest.cost(command)
        for command in (
            "python3 -I -S -c pass",
            "python3 -I -S -c 'import sys; sys.path.append(\"{}\"); import kexec_initd.stages.last_step'".format(
                package
            ),
            "RUNLEVEL=6 /etc/init.d/kexec-initd stop",
        )
    ]
    return {
        "start of Python": bare,
        "import of the runtime": runtime - bare,
        "early step: is what is loaded still right": early,
        "last step: hooks, sync, unmounting": added - runtime - early,
    }


FIRST_CHECK = (
    "python3 -I -S -c \"import sys; sys.path.append('/usr/lib/python3/dist-packages');"
    " from kexec_initd.stages import last_step; last_step.Refused = SystemExit; last_step.refuse_outside_shutdown('/')\""
)


def look_closer(guest: Guest, runs: List[Run]) -> Report:
    """Return the report on `runs` with what is measured in the guest of ours alone."""
    guest.machine.monitor().command("cont")
    memory = guest.peak_memory()
    guest.settle()
    first_check = guest.cost(FIRST_CHECK)
    measured = {run.way for run in runs}
    parts = measure_parts(guest, added(runs, COLD)) if COLD.name in measured else {}
    return summarize(runs, parts, memory, first_check)


def benchmark(ways: Sequence[Way], runs: int, jobs: int) -> Report:
    """Measure everything."""
    say("building the package, and the guest's image if it is not there yet")
    with ThreadPoolExecutor(jobs) as pool, contextlib.ExitStack() as stack:
        guests = start_guests(ways, build_deb(), pool, stack)
        measured = measure(guests, runs, pool)
        ours = [guest for guest in guests if guest.way is OURS]
        return look_closer(ours[0], measured) if ours else summarize(measured, {})


def main(argv: Sequence[str]) -> int:
    """Measure and report; return the exit code."""
    args = parse_args(argv)
    try:
        report = benchmark(args.ways, args.runs, args.jobs)
        if args.json is not None:
            args.json.write_text(json.dumps(as_json(report), indent=1) + "\n", encoding="ascii")
    except (AssertionError, RuntimeError, OSError, subprocess.CalledProcessError) as error:
        print(f"scripts/bench: {error}; the guests' consoles are in {logs_dir()}", file=sys.stderr)
        return 1
    print(render(report))
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
