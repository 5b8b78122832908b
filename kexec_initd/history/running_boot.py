"""The running boot, for the record of attempts: its id, when it began, and what shows by what it came.

That a kexec has led to it shows in the number of the loader, which kexec-tools and the kernel's own file load set to 0xd?
(the kernel's Documentation/arch/x86/boot.rst; arch/x86/kernel/kexec-bzimage64.c), elsewhere than on x86 in a property
of the device tree that the file load sets (drivers/of/kexec.c). Some boot loaders are kernels themselves (ZFSBootMenu,
LinuxBoot): there a boot through firmware shows the same, and is remembered in a file, so that it proves nothing.
"""

import re
import time
from pathlib import Path
from typing import Optional

from kexec_initd.cmdline.words import find_attempts
from kexec_initd.errors import Error
from kexec_initd.history.guard import Boot, Last, when_began
from kexec_initd.state import store
from kexec_initd.state.store import Lasting
from kexec_initd.system.files import exists, read_text
from kexec_initd.system.host import Host
from kexec_initd.system.sysroot import Tree

LOADER_TYPE = "/proc/sys/kernel/bootloader_type"
PROPERTY = "proc/device-tree/chosen/linux,booted-from-kexec"
KEXEC = frozenset(str(number) for number in range(0xD0, 0xE0))
BOOT_ID = re.compile(r"[!-~]{1,64}\Z")
UPTIME = re.compile(r"([0-9]{1,10}(\.[0-9]{1,9})?)( |\Z)")


def read_boot(host: Host, last: Optional[Last]) -> Boot:
    """Return the running boot, `last` being the last attempt; random(4) has its id since before SysV init had dependencies.

    Raises Error.
    """
    found = find_id(host)
    if not found or host.cmdline is None:
        raise Error("the id of this boot is unknown: /proc is not mounted")
    if not BOOT_ID.match(found):
        raise Error("the id of this boot is unknown: /proc/sys/kernel/random/boot_id is not of the form of random(4)")
    by_kexec = shows_kexec(host.tree) and not store.is_there(host.root, Lasting.KEXEC_LOADER)
    began = when_began(time.time(), read_uptime(host.root))
    shown = last.attempt.id if last and last.attempt.id in find_attempts(host.cmdline) else None
    return Boot(found, shown, began, by_kexec)


def find_id(host: Host) -> Optional[str]:
    """Return the id of the running boot; None where nothing tells."""
    found = host.tree.read_text("/proc/sys/kernel/random/boot_id")
    return None if found is None else found.rstrip("\n")


def shows_kexec(tree: Tree) -> bool:
    """Tell whether the running kernel was started by a kexec, be it a boot loader's."""
    return (tree.read_text(LOADER_TYPE) or "").rstrip("\n") in KEXEC or exists(tree.root / PROPERTY)


def read_uptime(root: Path) -> float:
    """Return for how many seconds the running kernel has run, by proc(5); 0 where it does not say."""
    found = UPTIME.match(read_text(root / "proc/uptime") or "")
    return float(found.group(1)) if found else 0.0
