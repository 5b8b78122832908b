"""What the runs say: one row for each way, the gates, and what ours adds before the new kernel starts."""

from statistics import median
from typing import Dict, List, NamedTuple, Optional, Sequence

from tests.bench.guests import (
    BY_HAND_SYSTEMD,
    COLD,
    COLD_SYSTEMD,
    DEBIAN,
    OURS,
    OURS_SYSTEMD,
    PRELOADED,
    SHELL,
    SYSTEMD_WAYS,
    UNPACKED,
    WAYS,
    Memory,
    Run,
    Way,
)

ALL = (*WAYS, *SYSTEMD_WAYS)
# The first way, as a part of the second one, may be at most this long.
LIMITS = (
    (OURS, DEBIAN, 0.44),
    (OURS, SHELL, 1.05),
    (OURS, PRELOADED, 0.97),
    (UNPACKED, PRELOADED, 0.90),
    (OURS, COLD, 0.80),
    (OURS_SYSTEMD, BY_HAND_SYSTEMD, 1.03),
    (OURS_SYSTEMD, COLD_SYSTEMD, 0.85),
)
# Until the old system ends, ours may take so many seconds more than the other one; fewer where it is negative.
ADDED_LIMITS = ((COLD, 0.5), (PRELOADED, -0.1))
MEMORY_LIMIT = 12.0
# The runtime's start, Python's own included, until it has looked whether this is the end of a shutdown.
FIRST_CHECK_LIMIT = 0.07


class Row(NamedTuple):
    """A way's times from `reboot` to login in seconds of the guest's clock, the medians of its parts, and the host's."""

    way: str
    minimum: float
    median: float
    maximum: float
    leave: float
    jump: float
    start: float
    wall: float


class Gate(NamedTuple):
    """Something that was measured, `value`, and that may be `limit` at most."""

    label: str
    value: float
    limit: float

    @property
    def passed(self) -> bool:
        """Tell whether it is fast enough, or small enough."""
        return self.value <= self.limit


class Report(NamedTuple):
    """The result of a benchmark. `parts` names what ours adds to a cold reboot: a piece of work and its seconds."""

    runs: List[Run]
    rows: List[Row]
    gates: List[Gate]
    parts: Dict[str, float]

    @property
    def passed(self) -> bool:
        """Tell whether every gate is passed."""
        return all(gate.passed for gate in self.gates)


def summarize(
    runs: List[Run], parts: Dict[str, float], memory: Optional[Memory] = None, first_check: Optional[float] = None
) -> Report:
    """Return the report on `runs`; of a way that was not measured there is no row and no gate."""
    measured = {run.way for run in runs}
    rows = {way: row_for(way, [run for run in runs if run.way == way.name]) for way in ALL if way.name in measured}
    gates = [
        Gate(f"{one.title} / {other.title}", rows[one].median / rows[other].median, limit)
        for one, other, limit in LIMITS
        if one in rows and other in rows
    ]
    gates += [
        Gate(f"seconds until the kernel's entry, {OURS.title} - {other.title}", added(runs, other), limit)
        for other, limit in ADDED_LIMITS
        if OURS in rows and other in rows
    ]
    if memory is not None:
        gates.append(Gate(f"MiB of memory, peak of the last step ({memory.program})", memory.peak, MEMORY_LIMIT))
    if first_check is not None:
        gates.append(Gate("seconds from the runtime's start to its first check", first_check, FIRST_CHECK_LIMIT))
    return Report(runs, list(rows.values()), gates, parts)


def added(runs: Sequence[Run], other: Way) -> float:
    """Return the seconds that ours takes longer than another way until the old system ends."""
    ours, others = (median(run.leave for run in runs if run.way == way.name) for way in (OURS, other))
    return ours - others


def row_for(way: Way, runs: Sequence[Run]) -> Row:
    """Return the row of one way."""
    totals = [run.total for run in runs]
    return Row(
        way.name,
        min(totals),
        median(totals),
        max(totals),
        median(run.leave for run in runs),
        median(run.jump for run in runs),
        median(run.start for run in runs),
        median(run.wall for run in runs),
    )


def table_of_gates(gates: Sequence[Gate]) -> str:
    """Lay the gates out as a Markdown table."""
    lines = ["| gate | is | at most | |", "|---|---|---|---|"]
    for gate in gates:
        lines.append(f"| {gate.label} | {gate.value:.2f} | {gate.limit:.2f} | {'PASS' if gate.passed else 'FAIL'} |")
    return "\n".join(lines)


def render(report: Report) -> str:
    """Return the report as text with Markdown tables."""
    titles = {way.name: way.title for way in ALL}
    lines = [
        "| from `reboot` to login | min | median | max | leave | jump | start | wall |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in report.rows:
        times = " | ".join(f"{value:.2f}" for value in row[1:7])
        lines.append(f"| {titles[row.way]} | {times} | {row.wall:.0f} |")
    lines += ["", table_of_gates(report.gates)]
    if report.parts:
        lines += ["", "| what ours adds between `reboot` and the kernel's entry | s |", "|---|---|"]
        lines += [f"| {label} | {seconds:.3f} |" for label, seconds in report.parts.items()]
    return "\n".join(lines)


def as_json(report: Report) -> Dict[str, object]:
    """Return the report as what json.dumps() takes."""
    return {
        "passed": report.passed,
        "rows": [row._asdict() for row in report.rows],
        "gates": [dict(gate._asdict(), passed=gate.passed) for gate in report.gates],
        "parts": report.parts,
        "runs": [dict(run._asdict(), total=run.total) for run in report.runs],
    }
