"""With GRUB legacy a plain `reboot` starts what the loader boots: GRUB 0.97 itself is the judge, from the same disk."""

from pathlib import Path
from typing import Dict, NamedTuple, Tuple

import pytest

from tests.vm import grub_legacy
from tests.vm.conftest import StartMachine
from tests.vm.evidence import Boot, own_words
from tests.vm.grub_legacy import HEAD, entry
from tests.vm.kernels import Kernels, find_kernels
from tests.vm.qemu import Machine
from tests.vm.reboots import reboot_by_kexec, reboot_cold
from tests.vm.snapshot import Snapshot, take
from tests.vm.test_rhel import PRELOAD

# What grub-set-default(8) writes; GRUB may only overwrite it in place.
SAVED = "{}\n" + "#\n" * 10 + "# WARNING: do not remove any line from this file.\n"


class Setting(NamedTuple):
    """What stands before the entries, and their `extra` lines in grub.conf; the kernel and the word that GRUB starts with.

    The entries are one for the newer kernel, one for the older, one whose kernel is missing, and the older again with the
    word "last". `saved` is the number in /boot/grub/default.
    """

    head: str
    kernel: str
    word: str = ""
    saved: str = ""
    extra: str = ""


SETTINGS: Dict[str, Setting] = {
    "first": Setting("default=0\n", "new"),
    "number": Setting("default 1\n", "old", "second=1"),
    "beyond-the-last": Setting("default=9\n", "new"),
    "beyond-the-last-with-fallback": Setting("default=9\nfallback=1\n", "old", "second=1"),
    "fallback": Setting("default=2\nfallback=1\n", "old", "second=1"),
    "fallback-list": Setting("default 2\nfallback 2 3 1\n", "old", "last=1"),
    "saved": Setting("default saved\n", "old", "last=1", saved="3"),
    "saved-and-saves": Setting("default saved\n", "old", "second=1", saved="1", extra="\tsavedefault\n"),
    "saved-without-a-file": Setting("default saved\n", "new"),
}


def configuration(setting: Setting, kernels: Kernels) -> str:
    """Return the grub.conf of a setting."""
    entries = [
        entry(kernels.new), entry(kernels.old, "second=1"), entry("2.6.32-754.el6.x86_64"),
        entry(kernels.old, 'last=1 quoted="a b"'),
    ]
    return HEAD + setting.head + "".join(text + setting.extra for text in entries)


@pytest.fixture(scope="module", name="preloaded_legacy")
def _preloaded_legacy(rpm: Path) -> Snapshot:
    """Return the guest with our package, its kernel loaded as at the end of a boot: the newest."""
    return take(grub_legacy.build(), (rpm,), PRELOAD)


def started(boot: Boot) -> Tuple[str, str]:
    """Return what has to be the same."""
    return boot.release, own_words(boot)


def compare(machine: Machine, setting: Setting, kernels: Kernels) -> None:
    """Reboot by kexec, then cold from the same disk, and fail unless both started the same, which is the setting's."""
    warm = reboot_by_kexec(machine)
    machine.check("touch /no-kexec-reboot")
    cold = reboot_cold(machine, "asked for by /no-kexec-reboot", mark="root=")
    assert started(warm) == started(cold)
    assert cold.release == getattr(kernels, setting.kernel)
    assert setting.word in cold.cmdline


@pytest.mark.full
@pytest.mark.parametrize("name", SETTINGS)
def test_kexec_starts_what_grub_legacy_boots(preloaded_legacy: Snapshot, start: StartMachine, name: str) -> None:
    machine, setting = start(preloaded_legacy.setup()), SETTINGS[name]
    found = find_kernels(machine)
    kernels = Kernels(old=found.new, new=found.old)
    machine.put("/boot/grub/grub.conf", configuration(setting, kernels).encode())
    if setting.saved:
        machine.put("/boot/grub/default", SAVED.format(setting.saved).encode())
    compare(machine, setting, kernels)
