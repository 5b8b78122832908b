"""Drivers whose device may not come up again under the next kernel unless they are removed before the jump: a table.

REMOVE_MODULES=auto stands for the drivers of graphics, in the order in which they can be removed. Of those without a fault none
is known: such are the chips of servers' own consoles and of virtual machines.
"""

from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

from kexec_initd.system.kernel_modules import AUTO, plain_name, read_loaded


class Driver(NamedTuple):
    """A module, what is known to happen after a jump over which it stays loaded, and who has seen that.

    `until` is the first kernel in which that was mended. Only with `in_auto` does REMOVE_MODULES=auto stand for it, too.
    """

    module: str
    fault: str = ""
    source: str = ""
    until: Tuple[int, int] = (999, 0)
    in_auto: bool = True


# Those of sound and of the management engine that hold i915 and xe without showing it: see igt_kmod.c of igt-gpu-tools.
HOLDERS = ("snd_hda_intel", "snd_hdmi_lpe_audio", "intel_ips", "mei_pxp", "mei_hdcp", "mei_gsc_proxy", "mei_gsc")

DRIVERS = (
    *(Driver(name) for name in ("nvidia_drm", "nvidia_modeset", "nvidia_uvm", "nvidia_peermem")),
    Driver("nvidia", "the next kernel cannot take hold of the device", "wiki.archlinux.org/title/Kexec"),
    *(Driver(name) for name in HOLDERS),
    Driver(
        "i915",
        "its device may not come up again, or go on writing to memory",
        "github.com/onedr0p/home-ops/pull/8568; mail-archive.com/dri-devel@lists.freedesktop.org/msg552946.html",
    ),
    Driver("xe"),
    Driver("amdgpu", "the screen may stay dark", "github.com/NixOS/nixpkgs/pull/536384"),
    Driver("radeon"),
    Driver(
        "nouveau",
        "the device is not brought to rest, and may not come up again",
        'Linux 310326bb7df4, "nouveau: pci: quiesce GPU on shutdown", which kernels from 7.1 on have',
        until=(7, 1),
    ),
    *(Driver(name) for name in ("ast", "mgag200", "hibmc_drm", "gma500_gfx", "udl", "bochs", "bochs_drm", "cirrus")),
    *(Driver(name) for name in ("cirrus_qemu", "qxl", "virtio_gpu", "vmwgfx", "vboxvideo", "hyperv_drm")),
    Driver(
        "ena",
        "the network card goes on writing to memory",
        'bugs.launchpad.net/1869948; Linux 428c491332bc, "net: ena: Add PCI shutdown handler", in 5.7',
        until=(5, 7),
        in_auto=False,
    ),
)

GRAPHICS = tuple(driver.module for driver in DRIVERS if driver.in_auto)


def expand(names: Sequence[str]) -> List[str]:
    """Return the names that the last step is given for those of the settings; "auto" stays there, before what it stands for."""
    return [word for name in names for word in ((AUTO, *GRAPHICS) if name == AUTO else (name,))]


def list_faulty(root: Path, release: Optional[str], removed: Sequence[str]) -> List[str]:
    """Return a warning for each loaded driver that is known not to survive a jump, and is not among the `removed`."""
    loaded = read_loaded(str(root))
    known = {plain_name(name) for name in expand(removed)}
    faulty = [row for row in DRIVERS if row.fault and row.module in loaded and row.module not in known]
    return [_describe(row) for row in faulty if _parse_release(release or "") < row.until]


def _describe(driver: Driver) -> str:
    setting = AUTO if driver.in_auto else driver.module
    told = "the driver {} may not survive a kexec ({}); REMOVE_MODULES={} removes it before"
    return told.format(driver.module, driver.fault, setting)


def _parse_release(release: str) -> Tuple[int, int]:
    """Return the first two numbers of a kernel's release; those of one that is older than all where it has none."""
    words = release.split("-")[0].split(".")
    return (int(words[0]), int(words[1])) if len(words) > 1 and all(word.isdigit() for word in words[:2]) else (0, 0)
