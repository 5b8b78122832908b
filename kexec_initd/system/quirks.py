"""Platforms on which kexec is known to fail: a table, each row with its source. A hypervisor or a cloud tells from files.

What is not in the table is tried: KVM and VMware guests do well, and most machines of metal do. An architecture on which
nobody has tried that counts as unfit, too. See
Documentation/ABI/stable/sysfs-hypervisor-xen and testing/sysfs-class-dmi in the kernel, xenfs for /proc/xen.
"""

from pathlib import Path
from typing import NamedTuple, Optional, Tuple

from kexec_initd import sentences
from kexec_initd.system.files import read_text
from kexec_initd.system.safe_path import below

DMI = "sys/class/dmi/id/"
CPU_FLAGS = "proc/cpuinfo"
# As uname(2) names them. One in which a guest has shown that a reboot comes back may join them.
TRIED = ("x86_64", "i386", "i486", "i586", "i686")


class Sign(NamedTuple):
    """A file, and a text that its content begins with; with `word`, a word on its line "flags"; "" for any content."""

    path: str
    text: str
    word: bool = False


class Platform(NamedTuple):
    """A platform by the signs that it shows, all of them, what happens on a kexec, and who has seen that."""

    name: str
    signs: Tuple[Sign, ...]
    fault: str
    source: str

    @property
    def reason(self) -> str:
        """Say why it is not tried."""
        return sentences.PLATFORM.format(self.name, self.fault)


PLATFORMS = (
    Platform(
        "Xen, as its control domain",
        (Sign("proc/xen/capabilities", "control_d"),),
        "the hypervisor stands between the kernel and the machine",
        "xen/docs/misc/kexec_and_kdump.txt",
    ),
    Platform(
        "Xen",
        (Sign("sys/hypervisor/type", "xen"),),
        "it does not take a guest's kernel, or the guest crashes (Amazon EC2 before Nitro)",
        "xen/docs/misc/kexec_and_kdump.txt; github.com/SUSE/suse-migration-services/pull/126, "
        "github.com/nix-community/nixos-anywhere/issues/164",
    ),
    Platform(
        "Xen",
        (Sign("proc/xen/capabilities", ""),),
        "it does not take a guest's kernel",
        "xen/docs/misc/kexec_and_kdump.txt; kernels before 3.0 have no sys/hypervisor",
    ),
    Platform(
        "Microsoft Hyper-V or Azure",
        (Sign(DMI + "sys_vendor", "Microsoft Corporation"), Sign(DMI + "product_name", "Virtual Machine")),
        "the guest crashes or hangs, since its synthetic devices cannot be connected to twice",
        "Microsoft KB 2858695; github.com/systemd/systemd/issues/20072, github.com/siderolabs/talos/pull/8838, "
        "github.com/SUSE/suse-migration-services/issues/111",
    ),
    Platform(
        "Google Compute Engine",
        (Sign(DMI + "product_name", "Google Compute Engine"),),
        "the guest may hang",
        "github.com/siderolabs/talos/pull/8838",
    ),
    Platform(
        "an Intel TDX guest",
        (Sign(CPU_FLAGS, "tdx_guest", word=True),),
        "the system freezes",
        "github.com/canonical/tdx/issues/204",
    ),
    Platform(
        "an AMD SEV-SNP guest",
        (Sign("sys/devices/platform/sev-guest/uevent", ""),),
        "the next kernel resets the machine",
        "github.com/enarx/enarx/issues/1221",
    ),
)


def find_unfit(root: Path, machine: str) -> Optional[str]:
    """Say why the host below `root`, whose architecture is `machine`, may not survive a kexec; None where it is known to."""
    if machine not in TRIED:
        return sentences.PLATFORM.format(machine, sentences.UNTRIED)
    for platform in PLATFORMS:
        if all(_shows(root, sign) for sign in platform.signs):
            return platform.reason
    return None


def _shows(root: Path, sign: Sign) -> bool:
    text = read_text(below(root, sign.path))
    if text is None:
        return False
    if not sign.word:
        return text.startswith(sign.text)
    flags = next((line for line in text.split("\n") if line.startswith("flags")), "")
    return sign.word and sign.text in flags.split()
