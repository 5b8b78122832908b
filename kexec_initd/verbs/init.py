"""The verbs that the init scripts call: preload at the end of a boot, prepare early in a shutdown."""

import argparse

from kexec_initd.errors import Refused
from kexec_initd.settings import for_shell
from kexec_initd.stages import panic_kernel, shutdown
from kexec_initd.system.host import Host
from kexec_initd.system.stdio import emit
from kexec_initd.verbs.common import read_settings, refuse_unfit, require_root


def run_preload(args: argparse.Namespace, host: Host) -> None:
    """Load at the end of the boot; called by the init script."""
    refuse_unfit(host)
    settings = read_settings(host)
    try:
        emit(shutdown.preload(host, settings))
    finally:
        panic_kernel.preload(host, settings)


def run_prepare(args: argparse.Namespace, host: Host) -> None:
    """Decide the reboot that is under way, or settle how this boot came when it is to go off; called by the init script."""
    require_root()
    if args.settings:
        for_shell.write(host.root, read_settings(host))
        return
    if host.runlevel == "0":
        shutdown.record_boot(host, read_settings(host))
        return
    if host.runlevel != "6":
        raise Refused("the runlevel is {}, not 6".format(host.runlevel or "unknown"))
    decision = shutdown.prepare(host, read_settings(host))
    if not decision.kexec:
        emit("kexec-initd: " + shutdown.describe(decision))
