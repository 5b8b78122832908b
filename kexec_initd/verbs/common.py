"""Shared by the verbs: who may call them, and the settings, whose warnings are told."""

import argparse
import os
import sys
from typing import ContextManager

from kexec_initd.errors import Refused
from kexec_initd.kexec import program
from kexec_initd.settings import reader
from kexec_initd.system.colour import progress
from kexec_initd.system.host import Host
from kexec_initd.system.safe_path import SUDO
from kexec_initd.system.stdio import emit, warn
from kexec_initd.system.virt import confinement


def read_settings(host: Host) -> reader.Settings:
    """Return the settings of `host`; what is wrong with them is said on standard error."""
    found, warnings = reader.read(host.root, host.family)
    for warning in warnings:
        warn(warning)
    return found


def require_root() -> None:
    """Raise Refused for anyone but root."""
    if os.geteuid() != 0:
        raise Refused("only root can do this", SUDO)


def refuse_unfit(host: Host) -> None:
    """Raise Refused where loading a kernel would reach outside of what `host` is."""
    require_root()
    confined = confinement(host.container, host.chroot)
    reason = confined[1] if confined else program.unsupported(host.root, host.kernel_release, host.cmdline)
    if reason:
        raise Refused(reason)


def tell(args: argparse.Namespace, text: str) -> None:
    """Print what was done, unless --quiet says not to."""
    if not getattr(args, "quiet", False):
        emit(text)


def tell_more(args: argparse.Namespace, text: str) -> None:
    """Print a detail where --verbose asks for it."""
    if getattr(args, "verbose", False):
        emit(text)


def under_way(args: argparse.Namespace, text: str) -> ContextManager[None]:
    """Say on a terminal what takes long, unless --quiet says not to."""
    return progress(text, None if getattr(args, "quiet", False) else sys.stderr)
