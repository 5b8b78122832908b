"""A reboot starts what GRUB would boot: the proof is a cold boot of the same disk."""

import pytest

from tests.vm.conftest import StartMachine
from tests.vm.evidence import own_words
from tests.vm.kernels import INSTALL_NEWER, UPDATE_LIMIT, find_kernels
from tests.vm.reboots import reboot_by_kexec, reboot_cold
from tests.vm.snapshot import Snapshot

DIGEST = "sha256sum /boot/grub/grubenv"
OLD_BY_ID = "gnulinux-advanced-@UUID@>gnulinux-@OLD@-advanced-@UUID@"
WISHED = (
    "sed -n '/^menuentry /,/^}/p' /boot/grub/grub.cfg | "
    "sed 's/^menuentry .*/menuentry wished --id wished {/; s/ ro / ro wished=1 /' >/boot/grub/custom.cfg"
)


@pytest.mark.full
def test_a_changed_entry_is_started_as_a_cold_boot_starts_it(preloaded: Snapshot, start: StartMachine) -> None:
    machine = start(preloaded.setup())
    machine.check("sed -i 's|^GRUB_CMDLINE_LINUX=.|&added=1 more=a,b |' /etc/default/grub")
    machine.check("sh -c update-grub 2>/dev/null", UPDATE_LIMIT)
    warm = reboot_by_kexec(machine)
    assert "added=" in warm.cmdline
    machine.check("touch /no-kexec-reboot")
    cold = reboot_cold(machine, "asked for by /no-kexec-reboot")
    assert own_words(warm) == cold.cmdline


@pytest.mark.full
def test_a_newer_kernel_is_started_and_the_older_one_when_grub_is_told_so(
    preloaded: Snapshot, start: StartMachine
) -> None:
    machine = start(preloaded.setup())
    machine.check(INSTALL_NEWER, UPDATE_LIMIT)
    kernels = find_kernels(machine)
    assert reboot_by_kexec(machine).release == kernels.new
    machine.check("echo GRUB_DEFAULT=saved >>/etc/default/grub; update-grub", UPDATE_LIMIT)
    machine.check(kernels.fill_in(f"grub-set-default '{OLD_BY_ID}'"))
    assert reboot_by_kexec(machine).release == kernels.old


@pytest.mark.full
def test_a_wish_is_honoured_once_and_taken_back(preloaded: Snapshot, start: StartMachine) -> None:
    machine = start(preloaded.setup())
    machine.check(WISHED)
    machine.check("grub-reboot wished")
    warm = reboot_by_kexec(machine)
    assert "wished=1" in warm.cmdline
    block = machine.check(DIGEST)
    assert "wished" not in reboot_by_kexec(machine).cmdline
    machine.check("grub-reboot wished; touch /no-kexec-reboot")
    cold = reboot_cold(machine, "asked for by /no-kexec-reboot")
    assert (own_words(warm), block) == (cold.cmdline, machine.check(DIGEST))


def test_another_entry_is_started_once_and_then_the_usual_one(two_kernels: Snapshot, start: StartMachine) -> None:
    machine = start(two_kernels.setup())
    kernels = find_kernels(machine)
    block = machine.check(DIGEST)
    assert '"default": true' in machine.check("kexec-initd entries --json")
    assert machine.run("kexec-initd reboot-into 9.9.9").status == 2
    other = reboot_by_kexec(machine, f"kexec-initd reboot-into {kernels.old}")
    assert (other.release, "single" in other.cmdline.split()) == (kernels.old, False)
    assert machine.check(DIGEST) == block
    assert reboot_by_kexec(machine).release == kernels.new
