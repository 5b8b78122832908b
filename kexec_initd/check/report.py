"""The answer of `check`: every finding, what the next reboot waits for, and at last what it would do; as text or as JSON."""

import json
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

from kexec_initd.check.configuration import check_copied, check_hand_made, check_hooks, check_settings
from kexec_initd.check.findings import Finding, Gathered, Severity
from kexec_initd.check.installation import check_boot_end, check_installation
from kexec_initd.check.kernel_log import check_kernel_log
from kexec_initd.check.loaded import check_image, check_loaded, check_watch
from kexec_initd.check.preconditions import check_preconditions
from kexec_initd.codes import Code
from kexec_initd.decision.verdict import Verdict
from kexec_initd.errors import one_line

VERSION = 1
HEALTHY, ATTENTION = 0, 1
CHECKS: Tuple[Callable[[Gathered], Iterable[Finding]], ...] = (
    check_installation,
    check_settings,
    check_hooks,
    check_preconditions,
    check_copied,
    check_hand_made,
    check_image,
    check_loaded,
    check_boot_end,
    check_watch,
    check_kernel_log,
)
MARKS = {Severity.OK: "ok", Severity.WARNING: "warning", Severity.BLOCKS: "blocks kexec"}


class Report(NamedTuple):
    """The verdict and all findings."""

    verdict: Verdict
    findings: List[Finding]

    @property
    def exit_code(self) -> int:
        """Return 0 where a reboot goes through kexec and nothing needs attention, else 1."""
        fine = all(finding.level is Severity.OK for finding in self.findings)
        return HEALTHY if fine and self.verdict.decision.kexec else ATTENTION


def make_report(gathered: Gathered) -> Report:
    """Return what all checks find."""
    return Report(gathered.verdict, [finding for check in CHECKS for finding in check(gathered)])


def as_json(report: Report) -> str:
    """Return the report as one JSON object, see docs/schema/check.json."""
    decision = report.verdict.decision
    found = {
        "version": VERSION,
        "reboot": "kexec" if decision.kexec else "cold",
        "code": decision.code.value,
        "reason": decision.reason,
        "kernel": report.verdict.kernel,
        "entry": report.verdict.name,
        "healthy": report.exit_code == HEALTHY,
        "findings": [_as_object(finding) for finding in report.findings],
    }
    return json.dumps(found, indent=2)


def _as_object(finding: Finding) -> Dict[str, object]:
    return {
        "check": finding.check,
        "level": finding.level.value,
        "fact": finding.fact,
        "file": finding.place.file,
        "line": finding.place.line,
        "advice": finding.advice or None,
    }


def as_text(report: Report) -> str:
    """Return the report for a person, a line for each finding, and what a reboot would do as the last."""
    lines = [_as_line(finding) for finding in report.findings]
    return "\n".join(one_line(line) for line in [*lines, describe_reboot(report.verdict)])


def _as_line(finding: Finding) -> str:
    text = "{:<12}  {}: {}".format(MARKS[finding.level], finding.check, finding.fact)
    file, line = finding.place
    if file is not None and (line is not None or file not in finding.fact):
        text += " ({}{})".format(file, ":{}".format(line) if line else "")
    return text + ("; {}".format(finding.advice) if finding.advice and finding.level is not Severity.OK else "")


def describe_reboot(verdict: Verdict) -> str:
    """Say what a `reboot` would do now, and into which kernel."""
    decision, kernel = verdict.decision, _describe_kernel(verdict)
    if decision.kexec:
        return "reboot: through kexec into {}".format(kernel or "a kernel that was loaded by hand")
    then = ", then {}".format(kernel) if kernel else ""
    return "reboot: through firmware{}, since {} ({})".format(then, decision.reason, decision.code)


def _describe_kernel(verdict: Verdict) -> Optional[str]:
    kernel = "kernel {}".format(verdict.kernel) if verdict.kernel else ""
    name = None if verdict.decision.code is Code.BY_HAND else verdict.name
    return ", ".join(part for part in (kernel, name) if part) or None
