"""What the runs say: one row for each way, the gates, and what ours adds before the new kernel starts."""

from statistics import median
from typing import Dict, List, NamedTuple, Optional, Sequence

from tests.bench.guests import COLD, DEBIAN, OURS, SHELL, WAYS, Run, Way

# Ours, as a part of each of the others, may be at most this long.
LIMITS = {DEBIAN.name: 0.50, COLD.name: 0.90, SHELL.name: 1.05}
ADDED_LIMIT = 0.5


class Row(NamedTuple):
    """A way's times from `reboot` to login in seconds of the guest's clock, the medians of its parts, and the host's.

    `ratio` is the median of ours divided by this one's.
    """

    way: str
    minimum: float
    median: float
    maximum: float
    leave: float
    jump: float
    start: float
    wall: float
    ratio: float
    limit: Optional[float]

    @property
    def passed(self) -> bool:
        """Tell whether ours is fast enough beside this one."""
        return self.limit is None or self.ratio <= self.limit


class Report(NamedTuple):
    """The result of a benchmark; `added` is what ours takes longer than cold before the old system ends, in seconds.

    `parts` names what it goes into: the label of a piece of work and its seconds.
    """

    runs: List[Run]
    rows: List[Row]
    added: float
    parts: Dict[str, float]

    @property
    def passed(self) -> bool:
        """Tell whether every gate is passed."""
        return self.added <= ADDED_LIMIT and all(row.passed for row in self.rows)


def summarize(runs: List[Run], parts: Dict[str, float]) -> Report:
    """Return the report on `runs`, of which there is at least one for each way."""
    by_way = {way.name: [run for run in runs if run.way == way.name] for way in WAYS}
    ours = median(run.total for run in by_way[OURS.name])
    rows = [row_for(way, by_way[way.name], ours) for way in WAYS]
    leave = {row.way: row.leave for row in rows}
    return Report(runs, rows, leave[OURS.name] - leave[COLD.name], parts)


def row_for(way: Way, runs: Sequence[Run], ours: float) -> Row:
    """Return the row of one way; `ours` is the median of ours."""
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
        ours / median(totals),
        LIMITS.get(way.name),
    )


def render(report: Report) -> str:
    """Return the report as text with two Markdown tables."""
    titles = {way.name: way.title for way in WAYS}
    lines = [
        "| from `reboot` to login | min | median | max | leave | jump | start | ours / this | at most | | wall |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in report.rows:
        times = " | ".join(f"{value:.2f}" for value in row[1:7])
        gate = " | | " if row.limit is None else f"{row.ratio:.2f} | {row.limit:.2f} | {verdict(row.passed)}"
        lines.append(f"| {titles[row.way]} | {times} | {gate} | {row.wall:.0f} |")
    lines += ["", "| what ours adds between `reboot` and the kernel's entry | s | at most | |", "|---|---|---|---|"]
    gate = f"{ADDED_LIMIT:.2f} | {verdict(report.added <= ADDED_LIMIT)}"
    lines.append(f"| all of it | {report.added:.3f} | {gate} |")
    lines += [f"| {label} | {seconds:.3f} | | |" for label, seconds in report.parts.items()]
    return "\n".join(lines)


def verdict(passed: bool) -> str:
    """Return the word for a gate."""
    return "PASS" if passed else "FAIL"


def as_json(report: Report) -> Dict[str, object]:
    """Return the report as what json.dumps() takes."""
    return {
        "passed": report.passed,
        "rows": [dict(row._asdict(), passed=row.passed) for row in report.rows],
        "added": {"seconds": report.added, "limit": ADDED_LIMIT, "parts": report.parts},
        "runs": [dict(run._asdict(), total=run.total) for run in report.runs],
    }
