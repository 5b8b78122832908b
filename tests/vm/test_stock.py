"""The stock guest, without our package: the facts that the design rests on."""

import pytest

from tests.vm.conftest import StartMachine
from tests.vm.evidence import assert_came_by_kexec, assert_came_cold, gather
from tests.vm.qemu import EndReason
from tests.vm.snapshot import Snapshot

LOAD = (
    "kexec -l /boot/vmlinuz-$(uname -r) --initrd=/boot/initrd.img-$(uname -r) --no-checks"
    " --append=\"$(cat /proc/cmdline) kexec_initd.attempt=0123456789abcdef\""
)


@pytest.mark.full
def test_reboot_without_kexec_is_cold_and_comes_back(stock: Snapshot, start: StartMachine) -> None:
    machine = start(stock.setup())
    before = gather(machine)
    machine.check("echo LOAD_KEXEC=false >/etc/default/kexec")
    machine.send("reboot")
    assert machine.wait_end() is EndReason.RESET
    machine.restart()
    machine.wait_login()
    assert_came_cold(before, gather(machine))


@pytest.mark.full
def test_loaded_kernel_is_executed_by_debians_own_script(stock: Snapshot, start: StartMachine) -> None:
    machine = start(stock.setup())
    before = gather(machine)
    machine.check(LOAD)
    machine.send("reboot")
    machine.wait_login()
    assert_came_by_kexec(before, gather(machine))


@pytest.mark.full
def test_poweroff_with_a_loaded_kernel_powers_off(stock: Snapshot, start: StartMachine) -> None:
    machine = start(stock.setup())
    machine.check(LOAD)
    machine.send("poweroff")
    assert machine.wait_end() is EndReason.POWEROFF


@pytest.mark.full
def test_halt_with_a_loaded_kernel_halts(stock: Snapshot, start: StartMachine) -> None:
    machine = start(stock.setup())
    # out of the box Debian's `halt` powers off as well
    machine.check("echo HALT=halt >/etc/default/halt")
    machine.check(LOAD)
    machine.send("halt")
    assert machine.wait_end() is EndReason.HALTED
