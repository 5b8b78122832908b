"""How long `kexec-initd entries` takes on a grub.cfg of many entries, beside GRUB's own grub-script-check; and `status`.

Whole processes are timed, by the processor time of the best of some runs each: ours starts Python with its modules
compiled, as a package has them, reads, runs every entry and prints JSON; the peer, in C, only parses. `status` looks at a
host where it is installed and a kernel is loaded; its peers are Python that does nothing, and Python that imports jinja2.
`python -m tests.bench.entries [ENTRIES...]` prints two tables and the gates, and fails where one is not passed.
"""

import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List, NamedTuple, Sequence

from tests.bench.report import Gate, table_of_gates
from tests.unit.grub2_hosts import write_many_entries
from tests.unit.loaded_host import make_loaded_host

SIZES = (625, 1250, 2500, 5000)
RUNS = 5
STATUS_RUNS = 20
# By what Python alone takes to start, which is 0.015 s on a quiet machine: 0.15 s for status, 0.7 s for 5000 entries there.
STATUS_LIMIT = 10.0
ENTRIES_LIMIT = 47.0
MEMORY_LIMIT = 26.0  # MiB, of status
# What the kernel counts for a process that has ended holds that of its parent; this is of its own.
PEAK = """
import atexit, runpy, sys
atexit.register(lambda: sys.stderr.write(open("/proc/self/status").read()))
runpy.run_module("kexec_initd", run_name="__main__")
"""


class Row(NamedTuple):
    """One size: seconds of the best run of ours and of the peer's, and the size of the file in MiB."""

    entries: int
    ours: float
    peer: float
    size: float


def best(argv: Sequence[str], runs: int) -> float:
    """Return the seconds of processor time of the fastest of some runs, after one that is not counted."""
    return min([seconds(argv) for _ in range(runs + 1)][1:])


def seconds(argv: Sequence[str]) -> float:
    """Return the seconds of processor time that a process takes; a busy machine adds nothing to them."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(entries: int, runs: int = RUNS) -> Row:
    """Time both on a host with `entries` entries."""
    peer = shutil.which("grub-script-check")
    if peer is None:
        raise FileNotFoundError("grub-script-check is not installed (package grub-common)")
    with tempfile.TemporaryDirectory() as directory:
        config = write_many_entries(Path(directory), entries)
        ours = [sys.executable, "-m", "kexec_initd", "entries", "--json", "--root", directory]
        return Row(entries, best(ours, runs), best([peer, str(config)], runs), config.stat().st_size / 2**20)


def table(rows: Sequence[Row]) -> str:
    """Lay the rows out; `growth` is the time of one row by that of the row before."""
    lines = ["| entries | MiB | ours, s | grub-script-check, s | ours / peer | growth |", "|---|---|---|---|---|---|"]
    for number, row in enumerate(rows):
        growth = "{:.2f}".format(row.ours / rows[number - 1].ours) if number else ""
        line = "| {} | {:.1f} | {:.2f} | {:.2f} | {:.1f} | {} |"
        lines.append(line.format(row.entries, row.size, row.ours, row.peer, row.ours / row.peer, growth))
    return "\n".join(lines)


class Start(NamedTuple):
    """What a process of Python takes: seconds of processor time at best."""

    title: str
    seconds: float


def peak(args: Sequence[str]) -> float:
    """Return the peak of memory, in MiB, of the command with some arguments."""
    argv = [sys.executable, "-c", PEAK, *args]
    told = subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE).stderr.decode()
    return int(told.split("VmHWM:")[1].split()[0]) / 1024


def measure_status(root: Path, runs: int = STATUS_RUNS) -> List[Start]:
    """Time `status` and its peers; status comes first, Python alone second."""
    processes = {
        "kexec-initd status": ["-m", "kexec_initd", "status", "--root", str(root)],
        "Python that does nothing": ["-c", ""],
        "Python that imports jinja2": ["-c", "import jinja2"],
    }
    return [Start(title, best([sys.executable, *args], runs)) for title, args in processes.items()]


def table_of_starts(starts: Sequence[Start]) -> str:
    """Lay out what processes take, each by what Python alone takes."""
    lines = ["| | s | by Python alone |", "|---|---|---|"]
    return "\n".join(
        lines
        + ["| {} | {:.3f} | {:.1f} |".format(one.title, one.seconds, one.seconds / starts[1].seconds) for one in starts]
    )


def main(sizes: Sequence[int]) -> int:
    """Measure and print all; return the exit code."""
    rows = [measure(size) for size in sizes]
    with tempfile.TemporaryDirectory() as directory:
        root = make_loaded_host(Path(directory) / "root").root
        starts, memory = measure_status(root), peak(["status", "--root", str(root)])
    alone = starts[1].seconds
    gates = [
        Gate("kexec-initd status / Python that does nothing", starts[0].seconds / alone, STATUS_LIMIT),
        Gate("MiB of memory, peak of kexec-initd status", memory, MEMORY_LIMIT),
        Gate("{} entries / Python that does nothing".format(rows[-1].entries), rows[-1].ours / alone, ENTRIES_LIMIT),
    ]
    print("\n\n".join([table(rows), table_of_starts(starts), table_of_gates(gates)]))
    return 0 if all(gate.passed for gate in gates) else 1


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]] or SIZES))
