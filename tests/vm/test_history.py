"""What the history tells of a reboot in a guest: its phases add up to the time seen from outside."""

import pytest

from tests.vm.conftest import WAIT_LOADED, StartMachine
from tests.vm.reboots import assert_history_tells, reboot_by_kexec


@pytest.mark.full
@pytest.mark.parametrize("host", ["preloaded", "under_systemd"])
def test_the_phases_add_up(host: str, request: pytest.FixtureRequest, start: StartMachine) -> None:
    machine = start(request.getfixturevalue(host).setup())
    for kinds in (("kexec",), ("kexec", "kexec")):
        reboot_by_kexec(machine)
        machine.check(f"({WAIT_LOADED})", limit=180)
        assert_history_tells(machine, *kinds)
