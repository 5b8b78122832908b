"""The verbs that steer reboots: cold for the next one, on and off until further notice. Each says what a reboot does now."""

import argparse
import os

from kexec_initd.decision.assess import COLD_ONCE
from kexec_initd.decision.verdict import judge
from kexec_initd.errors import Error, Refused
from kexec_initd.kexec import load, lock, stamp
from kexec_initd.settings import reader, switch
from kexec_initd.settings.listing import describe_value
from kexec_initd.stages.shutdown import describe
from kexec_initd.state import store
from kexec_initd.state.store import Volatile
from kexec_initd.system.files import is_directory
from kexec_initd.system.host import Host
from kexec_initd.system.virt import confinement
from kexec_initd.verbs.common import read_settings, require_root, tell


def run_cold(args: argparse.Namespace, host: Host) -> None:
    """Have the next reboot go through firmware, once, or take that back."""
    require_root()
    if host.runlevel in lock.IN_SHUTDOWN and store.is_there(host.root, Volatile.STOPPING):
        raise Refused("the machine is shutting down: its way is decided")
    done = (take_back if args.cancel else ask_for_cold)(host)
    tell(args, "{}; {}".format(done, describe_next(host, read_settings(host))))


def ask_for_cold(host: Host) -> str:
    """Leave the mark that the early step looks for and removes; say so."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        os.close(os.open(str(host.root / COLD_ONCE), flags, 0o644))
    except FileExistsError:
        return "/{} was there already".format(COLD_ONCE)
    return "/{} is there for the next reboot".format(COLD_ONCE)


def take_back(host: Host) -> str:
    """Remove that mark, be it an empty directory; say whether there was one."""
    mark = host.root / COLD_ONCE
    try:
        if is_directory(mark):
            mark.rmdir()
        else:
            mark.unlink()
    except FileNotFoundError:
        return "/{} was not there".format(COLD_ONCE)
    return "/{} is gone".format(COLD_ONCE)


def run_on(args: argparse.Namespace, host: Host) -> None:
    """Let reboots go through kexec until further notice; nothing is loaded now."""
    turn(host, True)
    hint = "" if stamp.exists(host.root) else "; kexec-initd load loads it now"
    text = describe_next(host, read_settings(host))
    tell(
        args, "{}: KEXEC=yes; {}{}".format(switch.path_for(host.family), text, hint if "through kexec" in text else "")
    )


def run_off(args: argparse.Namespace, host: Host) -> None:
    """Let reboots go through firmware until further notice; what we have loaded is unloaded."""
    turn(host, False)
    unloaded = ""
    if stamp.exists(host.root) and confinement(host.container, host.chroot) is None:
        with lock.lock(host.root):
            load.drop(host.root)
        unloaded = ", what was loaded is unloaded"
    text = describe_next(host, read_settings(host))
    tell(args, "{}: KEXEC=no{}; {}".format(switch.path_for(host.family), unloaded, text))


def turn(host: Host, kexec: bool) -> None:
    """Set KEXEC. Raises Error where a later file says otherwise."""
    require_root()
    switch.write(host.root, host.family, kexec)
    found = reader.read_all(host.root, host.family)
    if found.settings.kexec is not kexec:
        raise Error(
            "KEXEC={} in {} is read after {}, and holds".format(
                describe_value(found.settings.kexec), found.origins["KEXEC"], switch.path_for(host.family)
            ),
            "change it there",
        )


def describe_next(host: Host, settings: reader.Settings) -> str:
    """Say how a reboot would go now."""
    return "a " + describe(judge(host.renewed(), settings).decision)
