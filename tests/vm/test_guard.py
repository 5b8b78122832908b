"""A kexec that never arrives: the next reboot is cold and says why, until the admin trusts it again."""

import pytest

from tests.vm.conftest import StartMachine
from tests.vm.evidence import gather
from tests.vm.qemu import Machine
from tests.vm.reboots import reboot_by_kexec, reboot_cold
from tests.vm.snapshot import Snapshot

JUMP = "kexec-initd: starting the loaded kernel"
JUMP_LIMIT = 240.0


def lose_power_at_the_jump(machine: Machine) -> None:
    """Type `reboot`, cut the power when the jump has been announced, and let the machine boot again."""
    machine.send("reboot")
    assert machine.talk().look([JUMP], JUMP_LIMIT) == 0, machine.log_text()[-2000:]
    machine.kill()
    machine.restart()
    machine.wait_login()


@pytest.mark.full
def test_after_a_kexec_that_never_arrived_reboots_are_cold_until_it_is_trusted(
    preloaded: Snapshot, start: StartMachine
) -> None:
    machine = start(preloaded.setup())
    lose_power_at_the_jump(machine)
    assert gather(machine).attempt is None
    reboot_cold(machine, "never arrived; kexec again after 3 more good boots")
    assert "reboot:     through firmware: attempt " in machine.check("kexec-initd status")
    assert "the guard is open again: attempt " in machine.check("kexec-initd trust")
    reboot_by_kexec(machine)
    assert "reboot:     through firmware: attempt " not in machine.check("kexec-initd status")
