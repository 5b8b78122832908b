"""What came of each test that the table names: kept from run to run, and written as the table that people read.

A pytest plugin gathers it under `--faults`, also with pytest-xdist, where the workers' reports come to one place. Runs
of different tests add up in build/faults.json: a row is shown as it was seen last, a row that never ran as "not run".
"""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple

import pytest

from tests.faults.model import Fault
from tests.faults.table import FAULTS, SCENARIOS, node_of

CHECKOUT = Path(__file__).resolve().parents[2]
RESULTS = CHECKOUT / "build" / "faults.json"
TABLE = CHECKOUT / "build" / "faults.md"
NOT_RUN = "not run"
FAILED = "FAILED"


class Result(NamedTuple):
    """The outcome that a test saw (or "passed", or "FAILED"), its seconds, the day of the run.

    `said` is what the console gave as the reason of a cold reboot, `kept` what the state on the disk has of it.
    """

    outcome: str
    seconds: float
    day: str
    said: str = ""
    kept: str = ""


Results = Dict[str, Result]
NAMED = {test for fault in FAULTS for test in fault.tests} | {node_of(name) for name in SCENARIOS}


def find_named(node: str) -> str:
    """Return what the table calls the test that pytest calls `node`; empty when the table does not name it."""
    below = node.split("tests/", 1)[-1]
    return next((name for name in (below, below.split("[", 1)[0]) if name in NAMED), "")


class Recorder:
    """The plugin: it listens to the reports of one run and adds them to what earlier runs have left in the file `path`.

    What took long is kept at once: a run that is cut short was not for nothing.
    """

    def __init__(self, path: Path = RESULTS) -> None:
        self.path = path
        self.seen: Results = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in one report: several cases of a test are one result, and one that failed is the result."""
        name = find_named(report.nodeid)
        if not name or (report.when != "call" and report.passed):
            return
        told = dict(report.user_properties)
        outcome = str(told.get("outcome", "passed")) if report.passed else FAILED
        before = self.seen.get(name, Result("passed", 0.0, ""))
        if before.outcome == FAILED:
            outcome = FAILED
        seconds = before.seconds + report.duration
        said, kept = (str(told.get(word, "")) for word in ("said", "kept"))
        self.seen[name] = Result(outcome, seconds, time.strftime("%Y-%m-%d"), said, kept)
        if report.duration > 1.0:
            merge(self.path, self.seen)

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Keep what was seen, and print the table."""
        results = merge(self.path, self.seen)
        TABLE.write_text(render(results), encoding="utf-8")
        terminalreporter.section("faults")
        terminalreporter.write_line(render_rows(results))


def merge(path: Path, seen: Results) -> Results:
    """Add `seen` to the results in the file `path`, which several runs may do at once; return all of them."""
    path.parent.mkdir(exist_ok=True)
    with open(str(path) + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        results = read(path)
        results.update(seen)
        with open(str(path) + ".new", "w", encoding="utf-8") as stream:
            json.dump(results, stream, indent=1, sort_keys=True)
        os.replace(str(path) + ".new", str(path))
    return results


def read(path: Path) -> Results:
    """Return the results in the file `path`, those of tests that the table still names."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return {name: Result(*fields) for name, fields in found.items() if name in NAMED}


def render(results: Results) -> str:
    """Return the whole document: a row for each fault, then one for each scenario, then the tests of each row."""
    return TEMPLATE.format(
        rows=render_rows(results),
        scenarios="\n".join(render_scenario(name, results) for name in SCENARIOS),
        tests="\n".join(render_tests(fault, results) for fault in FAULTS if fault.tests),
        when=render_days(results),
    )


TEMPLATE = """\
# What may go wrong, and what comes of it

{when}
Written by `$(scripts/venv) -m tests.faults`, never by hand. A row is what was seen; what nobody has run says "not run".

{rows}

## In a virtual machine

Each begins with a guest that has our package installed and, unless "nothing loaded" is said, its kernel loaded; then
something is done to it, and `reboot` typed. "cold" was seen as the reset of the machine, with the reason on its console in
exactly one line, the reason in the state, and a disk whose file systems are clean; "kexec" as a boot that shows a fresh
attempt, with no reset in between, and file systems that were clean.

The state is read from the disk as the reset left it. It has the code and the same sentence, unless the last column of its row
says what it has instead, which is asserted as well. "nothing was decided" was put there at the end of the boot and stays where
no more can be written: / is full or read-only, or what would have written was killed. A jump that fails comes after the last
write; the attempt that is then under way was written before it, and the next boot tells that it never arrived.

| scenario | expected | outcome | seconds | reason on the console | in the state |
|---|---|---|---|---|---|
{scenarios}

## Other tests that show a row

{tests}
"""


def render_rows(results: Results) -> str:
    """Return the table of all faults."""
    head = "| | fault | wanted | outcome | shown by | seconds |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(render_row(fault, results) for fault in FAULTS)


def render_row(fault: Fault, results: Results) -> str:
    """Return the row of one fault."""
    guests = [node_of(name) for name in fault.scenarios]
    done = [results[name] for name in (*guests, *fault.tests) if name in results]
    shown = ["{} in a guest".format(len(guests))] * bool(guests) + ["{} tests".format(len(fault.tests))] * bool(
        fault.tests
    )
    seconds = "{:.0f}".format(sum(result.seconds for result in done)) if done else ""
    cells = [
        str(fault.number),
        fault.fault,
        fault.wanted,
        sum_up(guests, fault.tests, results),
        ", ".join(shown),
        seconds,
    ]
    return "| {} |".format(" | ".join(cells))


def sum_up(guests: Iterable[str], others: Iterable[str], results: Results) -> str:
    """Return the outcomes of a row in a few words: each that was seen, what failed, what was not run."""
    wanted = [*guests, *others]
    done = [results[name].outcome for name in wanted if name in results]
    words = ["as wanted" if word == "passed" else word for word in done]
    counted = ["{} ({})".format(word, words.count(word)) for word in sorted(set(words))]
    if len(done) < len(wanted) or not wanted:
        counted.append(NOT_RUN + (" ({})".format(len(wanted) - len(done)) if done else ""))
    return ", ".join(counted)


def render_scenario(name: str, results: Results) -> str:
    """Return the row of one scenario."""
    scenario = SCENARIOS[name]
    result = results.get(node_of(name))
    seen = [NOT_RUN, "", "", ""]
    if result:
        seen = [result.outcome, "{:.0f}".format(result.seconds), result.said, result.kept]
    loaded = ", nothing loaded" if scenario.start == "installed" and "nothing-loaded" not in name else ""
    cells = [name.replace("-", " ") + loaded, scenario.expect, *seen]
    return "| {} |".format(" | ".join(cells))


def render_tests(fault: Fault, results: Results) -> str:
    """Return the line that names the tests of a row, with what came of those that did not pass."""

    def told(name: str) -> str:
        result = results.get(name)
        word = NOT_RUN if result is None else result.outcome
        return "`{}`".format(name) + ("" if word == "passed" else " ({})".format(word))

    return "{}. {}".format(fault.number, ", ".join(map(told, fault.tests)))


def render_days(results: Results) -> str:
    """Return when the tests ran."""
    days: List[str] = sorted({result.day for result in results.values()})
    if not days:
        return "No test has run."
    return "Run on {}.".format(days[0] if len(days) == 1 else "{} to {}".format(days[0], days[-1]))
