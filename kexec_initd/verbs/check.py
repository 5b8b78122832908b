"""The verb check: every precondition of a reboot through kexec, a line each, and an exit code for monitoring."""

import argparse
from pathlib import Path

from kexec_initd.check import output, report
from kexec_initd.check.findings import Gathered
from kexec_initd.decision.verdict import judge
from kexec_initd.history import last_cold
from kexec_initd.install.integrations import find_integration
from kexec_initd.settings import reader
from kexec_initd.state import store
from kexec_initd.system.host import Host
from kexec_initd.system.stdio import emit


def run_check(args: argparse.Namespace, host: Host) -> int:
    """Tell every precondition, and return 0 where all hold; Refused where nothing can be told, or nothing ever hooked.

    Metrics are for a program that looks at them itself: that they are written is what their exit code says.
    """
    if host.root == Path("/"):
        from kexec_initd.verbs.common import require_root

        require_root()
    store.refuse_unreadable(host.root)
    read = reader.read_all(host.root, host.family)
    gathered = Gathered(host, *read, judge(host, read.settings))
    if gathered.verdict.manifest is None:
        find_integration(host)
    found = report.make_report(gathered, args.advise)
    emit(_format(args, host, found))
    return report.HEALTHY if args.prometheus else found.exit_code


def _format(args: argparse.Namespace, host: Host, found: report.Report) -> str:
    if args.prometheus:
        from kexec_initd.check.prometheus import as_textfile

        return as_textfile(found, last_cold.find(host.root, found.verdict.found.record))
    return output.as_json(found) if args.json else output.as_text(found)
