"""Read many inputs in several processes, and write down each one that is a finding: a host that can become a fixture."""

import argparse
import os
import shutil
import sys
import tempfile
import time
from multiprocessing import Process, Queue, cpu_count
from pathlib import Path
from queue import Empty
from typing import Dict, List, NamedTuple, Optional

from tests.fuzz import check
from tests.fuzz.damage import make_input, read_fixtures

STEP = 50  # inputs after which a process reports


class Report(NamedTuple):
    """What a process says: how many inputs it has read since the last time, and the finding, if there is one."""

    read: int
    number: int
    fault: Optional[str]


def work(first: int, step: int, last: int, seed: str, queue: "Queue[Report]") -> None:
    """Read the inputs from `first` to `last`, each `step` of them."""
    check.limit_memory()
    fixtures = read_fixtures()
    with tempfile.TemporaryDirectory(prefix="kexec-initd-fuzz-") as directory:
        read = 0
        for number in range(first, last, step):
            fault = check.find_fault(make_input(fixtures, seed, number), Path(directory))
            read += 1
            if fault is not None or read == STEP:
                queue.put(Report(read, number, fault))
                read = 0
        queue.put(Report(read, -1, None))


def write_finding(out: Path, seed: str, number: int, fault: str) -> Path:
    """Write a host as the input makes it, and what is wrong with it; return the directory."""
    place = out / "{}-{}".format(seed, number)
    shutil.rmtree(str(place), ignore_errors=True)
    place.mkdir(parents=True)
    one = make_input(read_fixtures(), seed, number)
    (place / "fault.txt").write_text(
        "scripts/fuzz --seed {} --only {}\nfrom tests/bootloader/{}, changed: {}\n\n{}\n".format(
            seed, number, one.host, ", ".join([*one.files, *one.odd]), fault
        )
    )
    with tempfile.TemporaryDirectory() as directory, check.placed(one, Path(directory)) as root:
        shutil.copytree(str(root), str(place / "root"), symlinks=True, copy_function=_copy)
    return place


def _copy(source: str, target: str) -> None:
    if os.path.isfile(source):
        shutil.copyfile(source, target)
    else:
        os.mkfifo(target)


def run(args: argparse.Namespace) -> int:
    """Start the processes, and gather what they find; return the exit code."""
    queue: "Queue[Report]" = Queue()
    first, last = (args.only, args.only + 1) if args.only is not None else (0, args.inputs)
    workers = [
        Process(target=work, args=(first + index, args.jobs, last, args.seed, queue), daemon=True)
        for index in range(args.jobs)
    ]
    for worker in workers:
        worker.start()
    start = time.monotonic()
    read, findings = 0, []  # type: int, List[Path]
    while any(worker.is_alive() for worker in workers) or not queue.empty():
        try:
            report = queue.get(timeout=1)
        except Empty:
            pass
        else:
            read += report.read
            if report.fault is not None:
                findings.append(write_finding(args.out, args.seed, report.number, report.fault))
                print("{}: {}".format(findings[-1], report.fault.strip().split("\n")[-1]), flush=True)
        if args.seconds and time.monotonic() - start > args.seconds:
            break
    return summary(args, workers, read, len(findings), time.monotonic() - start)


def summary(args: argparse.Namespace, workers: List[Process], read: int, findings: int, seconds: float) -> int:
    """Say how it went; return the exit code."""
    codes: Dict[int, int] = {}
    for worker in workers:
        if worker.exitcode:
            codes[worker.exitcode] = codes.get(worker.exitcode, 0) + 1
    print("seed {}: {} inputs in {:.0f} s, {} findings".format(args.seed, read, seconds, findings))
    if codes:
        print("processes that broke off, by exit code: {}".format(codes), file=sys.stderr)
    wanted = 1 if args.only is not None else args.inputs
    complete = read == wanted or bool(args.seconds)
    return 0 if complete and not findings and not codes else 1


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10000, help="how many (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0, help="stop after so many (default: at the last input)")
    parser.add_argument("--seed", default="1", help="another one makes other inputs (default: %(default)s)")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="only this input of the seed")
    parser.add_argument("--jobs", type=int, default=cpu_count(), help="processes (default: one for each processor)")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).resolve().parents[2] / "build/fuzz", help="where findings go"
    )
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
