"""The answer of `check` for people and for programs, as text and as JSON."""

import json
from typing import Dict, Optional

from kexec_initd.check.findings import Finding, Origin, Severity
from kexec_initd.check.report import HEALTHY, Report
from kexec_initd.check.waits import Wait
from kexec_initd.codes import Code
from kexec_initd.decision.verdict import Verdict
from kexec_initd.errors import one_line

VERSION = 1
MARKS = {Severity.OK: "ok", Severity.WARNING: "warning", Severity.BLOCKS: "blocks kexec"}


def as_text(report: Report) -> str:
    """Return the report for a person, a line for each finding, and what a reboot would do as the last."""
    lines = [_as_line(finding) for finding in report.findings]
    lines += [_describe_wait(wait) for wait in report.waits or ()]
    if report.waits == []:
        lines.append(_join("waits", "reboot", "for nothing that is known", Origin(), ""))
    return "\n".join(one_line(line) for line in [*lines, describe_reboot(report.verdict)])


def _as_line(finding: Finding) -> str:
    advice = "" if finding.severity is Severity.OK else finding.advice
    return _join(MARKS[finding.severity], finding.check, finding.fact, finding.origin, advice)


def _describe_wait(wait: Wait) -> str:
    long = "nobody knows how long" if wait.seconds is None else "about {:.0f} s".format(max(wait.seconds, 1))
    return _join("waits", wait.name, "{}: {}".format(long, wait.fact), wait.origin, wait.advice)


def _join(mark: str, name: str, fact: str, origin: Origin, advice: str) -> str:
    """Return a line with what, where, and what to do; a file that the fact names already is not told again."""
    file, line = origin
    where = ""
    if file is not None and (line is not None or file not in fact):
        where = " ({}{})".format(file, ":{}".format(line) if line else "")
    return "{:<12}  {}: {}{}{}".format(mark, name, fact, where, "; " + advice if advice else "")


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
        "waits": None if report.waits is None else [_wait_as_object(wait) for wait in report.waits],
    }
    return json.dumps(found, indent=2)


def _as_object(finding: Finding) -> Dict[str, object]:
    return {
        "check": finding.check,
        "level": finding.severity.value,
        "fact": finding.fact,
        "file": finding.origin.file,
        "line": finding.origin.line,
        "advice": finding.advice or None,
    }


def _wait_as_object(wait: Wait) -> Dict[str, object]:
    return {
        "wait": wait.name,
        "seconds": None if wait.seconds is None else round(wait.seconds, 1),
        "fact": wait.fact,
        "file": wait.origin.file,
        "line": wait.origin.line,
        "advice": wait.advice,
    }
