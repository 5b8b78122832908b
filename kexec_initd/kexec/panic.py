"""The slot of the kernel that a panic starts: what may stand in the way of loading one, and what became of that.

Whoever has set up kdump has set up more than this: a capture kernel with an initrd of its own that writes the dump. So Debian's
kdump-tools and RHEL's kdump win where they are enabled, and so does whatever somebody has loaded.
"""

import contextlib
import re
from pathlib import Path
from typing import Optional

from kexec_initd import sentences
from kexec_initd.kexec.program import PANIC, is_capture, is_loaded
from kexec_initd.settings.reader import Settings
from kexec_initd.state import store
from kexec_initd.state.store import Damaged, Volatile
from kexec_initd.system.files import read_text
from kexec_initd.system.host import Host
from kexec_initd.system.safe_path import below

IOMEM_LIMIT = 1 << 20
LOADED = "loaded: "
NOT_RESERVED = (
    "no memory is reserved for one: add crashkernel=256M to the kernel's command line in the boot loader, and reboot"
)
# Its service is started at boot, by links of each init system; `kdump` is the name on RHEL, Fedora and SUSE.
KDUMP = (
    "etc/rc[2-5].d/S[0-9][0-9]{}",
    "etc/rc.d/rc[2-5].d/S[0-9][0-9]{}",
    "etc/systemd/system/*.wants/{}.service",
    "etc/runlevels/*/{}",
)


def find_obstacle(root: Path) -> Optional[str]:
    """Say why no panic kernel is to be loaded now; None where one may be."""
    if is_loaded(root, PANIC):
        return "another one is loaded already, and stays"
    name = find_kdump(root)
    if name is not None:
        return "{} is enabled, and loads its own".format(name)
    return None if is_reserved(root) else NOT_RESERVED


def is_reserved(root: Path) -> bool:
    """Tell whether memory was reserved at boot; kernels before 2.6.32 show it in the list of resources only."""
    size = read_text(below(root, "sys/kernel/kexec_crash_size"))
    if size is not None:
        return size not in ("", "0")
    return "Crash kernel" in (read_text(below(root, "proc/iomem"), IOMEM_LIMIT) or "")


def find_kdump(root: Path) -> Optional[str]:
    """Return the name of a service of kdump that is enabled; kdump-tools has a switch of its own besides."""
    if _is_started(root, "kdump"):
        return "kdump"
    values = re.findall(
        r"^[ \t]*USE_KDUMP=[\"']?(\w*)", read_text(below(root, "etc/default/kdump-tools"), 65536) or "", re.M
    )
    return "kdump-tools" if values[-1:] == ["1"] and _is_started(root, "kdump-tools") else None


def _is_started(root: Path, service: str) -> bool:
    return any(next(root.glob(pattern.format(service)), None) is not None for pattern in KDUMP)


def note(root: Path, sentence: str) -> None:
    """Keep, for `status`, what became of the load."""
    store.write(root, Volatile.PANIC_KERNEL, (sentence + "\n").encode("utf-8", "backslashreplace"))


def has_loaded(root: Path) -> bool:
    """Tell whether we have loaded the panic kernel that is there."""
    return is_loaded(root, PANIC) and _read_note(root).startswith(LOADED)


def describe(host: Host, settings: Settings) -> Optional[str]:
    """Say whether a panic kernel of ours is loaded, and why not; None where none is wanted."""
    if settings.panic_kernel == "no":
        return None
    if is_capture(host.root, host.cmdline):
        return "not loaded: " + sentences.CAPTURE
    said = _read_note(host.root)
    if said.startswith(LOADED) and not is_loaded(host.root, PANIC):
        return "not loaded: somebody has unloaded it"
    return said or "not loaded: that is done at the end of a boot"


def _read_note(root: Path) -> str:
    with contextlib.suppress(Damaged):
        return (store.read(root, Volatile.PANIC_KERNEL) or b"").decode("utf-8", "replace").strip()
    return ""
