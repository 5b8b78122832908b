"""With each setting of GRUB a plain `reboot` starts what GRUB boots: GRUB itself is the judge, from the same disk."""

from pathlib import Path
from typing import NamedTuple, Tuple

import pytest

from tests.vm.conftest import PRELOAD, StartMachine
from tests.vm.evidence import Boot, own_words
from tests.vm.grub_settings import SETTINGS, WITNESS_WORDS, Setting, make
from tests.vm.image import STOCK, build
from tests.vm.kernels import INSTALL_NEWER, Kernels, find_kernels
from tests.vm.qemu import Machine
from tests.vm.reboots import reboot_by_kexec, reboot_cold
from tests.vm.snapshot import Snapshot, take


class Started(NamedTuple):
    """What has to be the same: the kernel, its command line, and whether the witness in an initrd spoke."""

    release: str
    cmdline: str
    early: bool


def started(machine: Machine, boot: Boot) -> Started:
    """Return what was started with `boot`, the running one."""
    return Started(boot.release, own_words(boot), WITNESS_WORDS in machine.check("dmesg"))


def compare(machine: Machine, setting: Setting, kernels: Kernels) -> None:
    """Reboot by kexec, then cold from the same disk, and fail unless both started the same, which is the setting's."""
    warm = started(machine, reboot_by_kexec(machine))
    cold = started(machine, reboot_cold(machine, "asked for by /no-kexec-reboot", "coldreboot"))
    assert warm == cold
    assert cold.release == getattr(kernels, setting.kernel)
    assert setting.word in cold.cmdline
    assert cold.early == setting.early


@pytest.mark.full
@pytest.mark.parametrize("name", SETTINGS)
def test_kexec_starts_what_grub_boots(two_kernels: Snapshot, start: StartMachine, name: str) -> None:
    machine = start(two_kernels.setup())
    kernels = find_kernels(machine)
    make(machine, SETTINGS[name], kernels)
    compare(machine, SETTINGS[name], kernels)


@pytest.mark.full
def test_kexec_starts_what_grub_boots_from_a_separate_boot(debs: Tuple[Path, ...], start: StartMachine) -> None:
    image = build(STOCK._replace(boot_partition=True))
    machine = start(take(image, debs, (INSTALL_NEWER, *PRELOAD)).setup())
    kernels = find_kernels(machine)
    setting = Setting("old", "GRUB_DEFAULT='1>2'", word="BOOT_IMAGE=/vmlinuz-")
    make(machine, setting, kernels)
    compare(machine, setting, kernels)
