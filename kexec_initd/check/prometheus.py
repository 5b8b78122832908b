"""The answer of `check` as node_exporter's textfile collector reads it: the text format of Prometheus, version 0.0.4."""

from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from kexec_initd.check.findings import Severity
from kexec_initd.check.report import HEALTHY, Report
from kexec_initd.history.last_cold import LastCold

Labels = Dict[str, str]


class Metric(NamedTuple):
    """One metric with its type, what it says, and its samples, each with its labels."""

    name: str
    kind: str
    text: str
    samples: List[Tuple[Labels, float]]


def as_textfile(report: Report, last_cold: Optional[LastCold]) -> str:
    """Return the metrics; `last_cold` says why the running system came through firmware, None where it did not."""
    return "\n".join(line for metric in list_metrics(report, last_cold) for line in _format(metric))


def list_metrics(report: Report, last_cold: Optional[LastCold]) -> Iterator[Metric]:
    """Yield the metrics of a report."""
    decision, found = report.verdict.decision, report.verdict.found
    yield _gauge("reboot_kexec", "Whether a reboot would go through kexec now.", decision.kexec)
    yield _gauge("healthy", "Whether that is so, and nothing needs attention.", report.exit_code == HEALTHY)
    text = "The decision on a reboot now, by its code."
    yield Metric("decision", "gauge", text, [({"code": decision.code.value}, 1)])
    yield _gauge("installed", "Whether what a reboot through kexec needs is in place.", report.verdict.installed)
    yield _gauge("loaded", "Whether a kernel of ours is loaded.", found.present.is_ours)
    text = "The kernel that a reboot would start, by its release."
    yield Metric("next_kernel", "gauge", text, [({"release": report.verdict.kernel or ""}, 1)])
    text = "What was looked at, by how it stands."
    counts = [(severity, [finding.severity for finding in report.findings].count(severity)) for severity in Severity]
    yield Metric("findings", "gauge", text, [({"level": severity.value}, count) for severity, count in counts])
    yield Metric("kexecs_total", "counter", "Kexecs that have arrived.", [({}, found.record.total)])
    yield _gauge("kexecs_since_firmware", "Kexecs since the last boot through firmware.", found.record.kexecs)
    yield _gauge(
        "guard_closed", "Whether a kexec that never arrived sends reboots through firmware.", found.guard is not None
    )
    text = "Whether the running system came through firmware, by the code of why."
    yield Metric("last_cold", "gauge", text, [({"code": last_cold.code}, 1)] if last_cold else [({"code": ""}, 0)])
    if report.waits is not None:
        text = "What the next reboot waits for, about how long."
        totals: Dict[str, float] = {}
        for wait in report.waits:
            totals[wait.name] = totals.get(wait.name, 0) + (wait.seconds or 0)
        yield Metric("wait_seconds", "gauge", text, [({"wait": name}, total) for name, total in totals.items()])


def _gauge(name: str, text: str, value: float) -> Metric:
    return Metric(name, "gauge", text, [({}, value)])


def _format(metric: Metric) -> Iterator[str]:
    name = "kexec_initd_" + metric.name
    yield "# HELP {} {}".format(name, metric.text)
    yield "# TYPE {} {}".format(name, metric.kind)
    for labels, value in metric.samples:
        said = ",".join('{}="{}"'.format(key, _escape(text)) for key, text in labels.items())
        yield "{}{} {:.15g}".format(name, "{{{}}}".format(said) if said else "", value)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").encode("utf-8", "replace").decode()
