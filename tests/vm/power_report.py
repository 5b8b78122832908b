"""$(scripts/venv) -m tests.vm.power_report [-n N] [--missing]: cut the power at every moment, and write the report.

That is docs/reports/power-cuts.md. What was seen adds up in build/power-cuts.json from run to run. With `--missing` only what
has not passed yet is run, with `--write` nothing. Exit status: that of the tests.
"""

import argparse
import json
import sys
import time
from typing import Dict, List

import pytest

from tests.vm.cache import CHECKOUT
from tests.vm.moments import MOMENTS

TEST = f"{CHECKOUT}/tests/vm/test_power_cuts.py::test_after_a_power_cut_the_machine_is_sound_and_the_guard_is_right"
FAILED = "FAILED"
RESULTS = CHECKOUT / "build" / "power-cuts.json"
DOCUMENT = CHECKOUT / "docs" / "reports" / "power-cuts.md"
# For each moment: what the guard was, how many writes were lost (or none could be), the journal, seconds, day.
Results = Dict[str, List[str]]

TEMPLATE = """\
# Power cuts during a reboot, {days}

Written by `$(scripts/venv) -m tests.vm.power_report`, never by hand; a moment that nobody has run says "not run".

A guest with its kernel loaded is told to reboot, and QEMU is killed at a moment between the word and the end of the boot
that the kexec has led to. The disk is then made anew from the log of all that the guest wrote: with every write that
had reached the disk, or, where writes are said to be lost, only with those before the last flush, as from a disk whose
volatile cache is gone. What the guest held in its own memory is gone in both. Later writes in another order, and a write
torn in two, are not shown by this.

After each cut, e2fsck -f found nothing in the file system once its journal was recovered, and the machine came up to its
login through firmware. Then: no error of a file system in the kernel's ring; the package as it was before; no file of
ours empty or unfinished, but for the one that the next write begins anew; `status` without a warning; the guard as below.
"Held" means that the next reboot is cold because an attempt never arrived, until GUARD_BOOTS good boots. After {followed} of the
cuts those reboots were made: cold with the reason as often as that, and then kexec, or kexec at once.

| | the power fails | the guard should be | it was | writes lost | journal | seconds |
|---|---|---|---|---|---|---|
{rows}
"""


class Recorder:
    """The plugin that takes in what the tests have seen."""

    def __init__(self) -> None:
        self.seen: Results = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in one report; a failure counts as well as what a test has seen."""
        name = report.nodeid.partition("[")[2][:-1]
        if report.when == "call" or report.failed:
            seen = dict(report.user_properties).get("seen")
            told = seen if report.passed and isinstance(seen, list) else [FAILED, "", ""]
            self.seen[name] = [*told, f"{report.duration:.0f}", time.strftime("%Y-%m-%d")]
            RESULTS.write_text(json.dumps({**read(), **self.seen}, indent=1), encoding="utf-8")


def read() -> Results:
    """Return what earlier runs have seen, of the moments that still are in the table."""
    found: Results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    return {name: row for name, row in found.items() if name in MOMENTS}


def render(results: Results, followed: int) -> str:
    """Return the document."""
    rows = []
    for number, (name, moment) in enumerate(MOMENTS.items(), 1):
        guard, lost, journal, seconds, _ = results.get(name, ["not run", "", "", "", ""])
        cells = [str(number), name, moment.guard, guard, lost, journal, seconds]
        rows.append("| {} |".format(" | ".join(cells)))
    days = sorted({row[-1] for row in results.values()})
    seen = " to ".join(sorted({days[0], days[-1]})) if days else "not run"
    return TEMPLATE.format(days=seen, followed=followed, rows="\n".join(rows))


def main() -> int:
    """Run, write, say where."""
    from tests.vm.test_power_cuts import FOLLOWED

    parser = argparse.ArgumentParser(prog="python -m tests.vm.power_report", description="Cut the power at every moment.")
    parser.add_argument("--write", action="store_true", help="run nothing, write what was seen so far")
    parser.add_argument("-n", default="0", metavar="N", help="processes of pytest-xdist (default: one guest after the other)")
    parser.add_argument("--missing", action="store_true", help="only the moments that have not passed yet")
    options = parser.parse_args()
    recorder, code = Recorder(), 0
    if not options.write:
        passed = {name for name, row in read().items() if options.missing and row[0] != FAILED}
        wanted = [f"{TEST}[{name}]" for name in MOMENTS if name not in passed]
        args = ["-p", "no:cacheprovider", "-v", "-n", options.n, "--rootdir", str(CHECKOUT), *wanted]
        code = int(pytest.main(args, plugins=[recorder]))
    results = {**read(), **recorder.seen}
    followed = sum(name in results for name in FOLLOWED)
    DOCUMENT.write_text(render(results, followed), encoding="utf-8")
    print(f"written: {DOCUMENT.relative_to(CHECKOUT)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
