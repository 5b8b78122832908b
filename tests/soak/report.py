"""What the samples of a soak say: has anything grown between its first boots and its last ones?"""

from statistics import median
from typing import Callable, Dict, List, NamedTuple, Sequence

from tests.soak.samples import Sample

ENDS = 5  # so many boots at the beginning and at the end are compared, by their medians


class Gate(NamedTuple):
    """A quantity, and by which part of itself it may be worse at the end (more, or less of what should stay)."""

    title: str
    value: Callable[[Sample], float]
    allowed: float
    more_is_worse: bool = True


GATES = (
    Gate("boot time: the guest's uptime at login, s", lambda sample: sample.uptime, 0.10),
    Gate("MemTotal, KiB", lambda sample: sample.total, 0.001, False),
    Gate("MemFree without caches, KiB", lambda sample: sample.free, 0.01, False),
    Gate("reserved by the kernel's line Memory:, KiB", lambda sample: sample.reserved, 0.01),
    Gate("reserved in /proc/iomem, KiB", lambda sample: sample.iomem, 0.0),
    Gate("ranges in the memory map", lambda sample: sample.ranges, 0.0),
    Gate("command line, bytes", lambda sample: sample.cmdline_bytes, 0.0),
    Gate("files and directories of ours", lambda sample: sample.files, 0.0),
    Gate("bytes in them", lambda sample: sample.files_bytes, 0.01),
)


class Row(NamedTuple):
    """The median of a quantity in the first boots and in the last ones, its extremes in all, and whether that is well."""

    title: str
    first: float
    last: float
    minimum: float
    maximum: float
    passed: bool


class Report(NamedTuple):
    """The result; `warnings` are messages of a kernel that the first boot through kexec did not have."""

    samples: List[Sample]
    rows: List[Row]
    warnings: List[str]

    @property
    def passed(self) -> bool:
        """Tell whether nothing has grown."""
        return not self.warnings and all(row.passed for row in self.rows)


def summarize(samples: Sequence[Sample]) -> Report:
    """Return the report on `samples`, one for each boot through kexec, in their order; at least two."""
    known = samples[0].warnings
    new = sorted({line for sample in samples[1:] for line in sample.warnings - known})
    return Report(list(samples), [row_for(gate, samples) for gate in GATES], new)


def row_for(gate: Gate, samples: Sequence[Sample]) -> Row:
    """Return the row of one quantity."""
    values = [gate.value(sample) for sample in samples]
    ends = min(ENDS, len(values) // 2)
    first, last = median(values[:ends]), median(values[-ends:])
    worse = last - first if gate.more_is_worse else first - last
    return Row(gate.title, first, last, min(values), max(values), worse <= gate.allowed * first)


def render(report: Report) -> str:
    """Return the report as text with two Markdown tables."""
    count = len(report.samples)
    ends = min(ENDS, count // 2)
    lines = [
        f"{count} reboots through kexec in a row, none of them cold.",
        "",
        f"| | first {ends} | last {ends} | min | max | |",
        "|---|---|---|---|---|---|",
    ]
    for row in report.rows:
        numbers = " | ".join(f"{value:.2f}".rstrip("0").rstrip(".") for value in row[1:5])
        lines.append(f"| {row.title} | {numbers} | {verdict(row.passed)} |")
    lines.append(
        f"| new messages of level warning or worse | | {len(report.warnings)} | | | {verdict(not report.warnings)} |"
    )
    lines += [f"    {line}" for line in report.warnings]
    lines += [
        "",
        "| reboot | uptime at login | wall | MemTotal | MemFree | reserved | iomem | files | bytes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for turn, sample in enumerate(report.samples, 1):
        lines.append(
            f"| {turn} | {sample.uptime:.2f} | {sample.wall:.0f} | {sample.total} | {sample.free} "
            f"| {sample.reserved} | {sample.iomem} | {sample.files} | {sample.files_bytes} |"
        )
    return "\n".join(lines)


def verdict(passed: bool) -> str:
    """Return the word for a gate."""
    return "PASS" if passed else "FAIL"


def as_json(report: Report) -> Dict[str, object]:
    """Return the report as what json.dumps() takes."""
    return {
        "passed": report.passed,
        "rows": [row._asdict() for row in report.rows],
        "warnings": report.warnings,
        "samples": [dict(sample._asdict(), warnings=sorted(sample.warnings)) for sample in report.samples],
    }
