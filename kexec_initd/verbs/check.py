"""The verb check: every precondition of a reboot through kexec, a line each, and an exit code for monitoring."""

import argparse
from pathlib import Path

from kexec_initd.check import report
from kexec_initd.check.findings import Gathered
from kexec_initd.decision.verdict import judge
from kexec_initd.install.integrations import find_integration
from kexec_initd.settings import reader
from kexec_initd.state import store
from kexec_initd.system.host import Host
from kexec_initd.system.stdio import emit
from kexec_initd.verbs.common import require_root


def run_check(args: argparse.Namespace, host: Host) -> int:
    """Tell every precondition, and return 0 where all hold; Refused where nothing can be told, or nothing ever hooked."""
    if host.root == Path("/"):
        require_root()
    store.refuse_unreadable(host.root)
    settings, warnings = reader.read(host.root, host.family)
    gathered = Gathered(host, settings, warnings, judge(host, settings))
    if gathered.verdict.manifest is None:
        find_integration(host)
    found = report.make_report(gathered)
    emit(report.as_json(found) if args.json else report.as_text(found))
    return found.exit_code
