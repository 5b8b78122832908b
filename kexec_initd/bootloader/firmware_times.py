"""The time that firmware and boot loader took, as they tell it: since the reset, so that no clock of the system counts.

By the Boot Loader Interface (systemd-boot and others), else by ACPI's Firmware Performance Data Table, which Linux shows since
5.12. Both are those of the last boot through firmware, also after a kexec.
"""

from typing import Optional, Tuple

from kexec_initd.bootloader import efivars
from kexec_initd.system.sysroot import Tree

VARIABLES = ("LoaderTimeInitUSec", "LoaderTimeExecUSec")
TABLE = "/sys/firmware/acpi/fpdt/boot/"
FIELDS = ("bootloader_launch_ns", "exitbootservice_end_ns")


def find_times(tree: Tree) -> Optional[Tuple[float, float]]:
    """Return for how many seconds the machine had run when the boot loader began, and when it started the kernel."""
    by_loader = [_number(efivars.read_string(tree, name)) / 1e6 for name in VARIABLES]
    by_table = [_number(tree.read_text(TABLE + name)) / 1e9 for name in FIELDS]
    for began, started in (by_loader, by_table):
        if 0 < began <= started:
            return began, started
    return None


def _number(text: Optional[str]) -> int:
    word = (text or "").strip()
    return int(word) if word.isdigit() and len(word) < 20 else 0
