"""The answer of `check`: every finding, what the next reboot waits for, and at last what it would do."""

from typing import Callable, Iterable, List, NamedTuple, Optional, Tuple

from kexec_initd.check.configuration import check_copied, check_hand_made, check_hooks, check_replaced, check_settings
from kexec_initd.check.findings import Finding, Gathered, Severity
from kexec_initd.check.installation import check_boot_end, check_installation
from kexec_initd.check.kernel_log import check_kernel_log
from kexec_initd.check.loaded import check_image, check_loaded, check_watch
from kexec_initd.check.preconditions import check_preconditions
from kexec_initd.check.waits import Wait
from kexec_initd.decision.verdict import Verdict

HEALTHY, ATTENTION = 0, 1
CHECKS: Tuple[Callable[[Gathered], Iterable[Finding]], ...] = (
    check_installation,
    check_settings,
    check_hooks,
    check_preconditions,
    check_copied,
    check_hand_made,
    check_replaced,
    check_image,
    check_loaded,
    check_boot_end,
    check_watch,
    check_kernel_log,
)


class Report(NamedTuple):
    """The verdict, all findings, and what the reboot waits for; None where that was not asked for, and it counts for nothing."""

    verdict: Verdict
    findings: List[Finding]
    waits: Optional[List[Wait]]

    @property
    def exit_code(self) -> int:
        """Return 0 where a reboot goes through kexec and nothing needs attention, else 1."""
        fine = all(finding.severity is Severity.OK for finding in self.findings)
        return HEALTHY if fine and self.verdict.decision.kexec else ATTENTION


def make_report(gathered: Gathered, advise: bool) -> Report:
    """Return what all checks find, and what the reboot waits for where somebody wants to be advised."""
    findings = [finding for check in CHECKS for finding in check(gathered)]
    if not advise:
        return Report(gathered.verdict, findings, None)
    from kexec_initd.check.advice import list_waits

    return Report(gathered.verdict, findings, list_waits(gathered))
