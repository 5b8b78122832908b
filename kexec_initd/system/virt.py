"""Where we run: in a container, in a chroot, in which runlevel, as of a host below any root; `machine` has the answers."""

import os
from pathlib import Path
from typing import Mapping, Optional, Tuple

from kexec_initd.codes import Code
from kexec_initd.system import machine
from kexec_initd.system.files import is_directory, read_text
from kexec_initd.system.machine import OLD_STATE_DIR as OLD_STATE_DIR
from kexec_initd.system.machine import STATE_DIR as STATE_DIR
from kexec_initd.system.machine import find_told_runlevel as find_told_runlevel
from kexec_initd.system.machine import is_chroot as is_chroot
from kexec_initd.system.safe_path import below


def find_container(root: Path) -> Optional[str]:
    """Return what kind of container this is, as `container=` of process 1 or a mark in a file says; or None."""
    return machine.find_container(lambda path: below(root, path), root == Path("/"))


def confinement(container: Optional[str], chroot: bool) -> Optional[Tuple[Code, str]]:
    """Return why this is not a whole machine, as a stable code and a sentence; None where it is one."""
    found = machine.confinement(container, chroot)
    return None if found is None else (Code(found[0]), found[1])


def find_runlevel(root: Path, environ: Mapping[str, str] = os.environ) -> Optional[str]:
    """Return the runlevel, as "6", see `machine.find_runlevel`."""
    return machine.find_runlevel(lambda path: below(root, path), environ)


def find_process_1(root: Path) -> Optional[str]:
    """Return the name of the running init(8), as "init" or "systemd"; None in a tree that is not running."""
    name = read_text(below(root, "proc/1/comm"), 64)  # there from Linux 2.6.33 on
    if name is None:
        name = (read_text(below(root, "proc/1/stat"), 256) or "").partition("(")[2].rpartition(")")[0]
    return name or None


def find_state_directory(root: Path) -> str:
    """Return the directory, as the host sees it, of what must outlive the unmounting of /var, but not the boot.

    Distributions that know /run have made /var/run a link to it. The older ones keep such things in the tmpfs that
    udev puts on /dev, as their own early boot does (/dev/.udev, /dev/.initramfs).
    """
    old = below(root, "var/run", follow=False)
    return OLD_STATE_DIR if is_directory(old) else STATE_DIR
