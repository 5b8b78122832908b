"""How long `kexec-initd entries` takes on a grub.cfg of many entries, beside GRUB's own grub-script-check.

Whole processes are timed, by the processor time of the best of some runs each: ours starts Python with its modules
compiled, as a package has them, reads, runs every entry and prints JSON; the peer, in C, only parses.
`python -m tests.bench.entries [ENTRIES...]` prints a table.
"""

import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, Sequence

from tests.unit.grub2_hosts import write_many_entries

SIZES = (625, 1250, 2500, 5000)
RUNS = 5


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


if __name__ == "__main__":
    print(table([measure(int(size)) for size in sys.argv[1:] or SIZES]))
    print("peak memory of one run: {} MiB".format(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024))
