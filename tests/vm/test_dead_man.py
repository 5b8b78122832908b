"""The last script of the shutdown is gone, broken or hangs, or nobody can say a word: the dead-man resets the machine, clean."""

import pytest

from tests.vm.conftest import StartMachine
from tests.vm.deaf import INSISTING, STOPS, UNHEARD_LIMIT, assert_reboots_unheard
from tests.vm.evidence import assert_came_cold, gather
from tests.vm.qemu import EndReason, Machine
from tests.vm.snapshot import Snapshot

SCRIPT = "/etc/init.d/reboot"
SAID = "kexec-initd: the shutdown did not lead to a reboot, "
# What is done to the last script, and what the dead-man says: a hang shows by the limit alone.
HARM = {
    "hanging": (f"printf '#!/bin/sh\\nsleep 1000\\n' >{SCRIPT}", "it takes longer than 40 s"),
    "missing": (f"rm {SCRIPT}", "it has come to an end without one"),
    "empty": (f": >{SCRIPT}", "it has come to an end without one"),
    "not-executable": (f"chmod a-x {SCRIPT}", "it has come to an end without one"),
    "bad-interpreter": (f"sed -i '1s/.*/#!\\/bin\\/none/' {SCRIPT}", "it has come to an end without one"),
    "killed-at-once": (f"sed -i '2i kill -9 $$' {SCRIPT}", "it has come to an end without one"),
    "killed-in-its-midst": (f"sed -i 's/^bounded 240/kill -9 $$\\n&/' {SCRIPT}", "it has come to an end without one"),
    "open-quote": (f"sed -i '2i \"' {SCRIPT}", "it has come to an end without one"),
}


def wait_reset(machine: Machine) -> EndReason:
    """Wait for the end; that init asks for the root password on the way is what the dead-man is for."""
    end = machine.wait_end()
    return machine.wait_end() if end is EndReason.STRANDED else end


@pytest.mark.full
@pytest.mark.parametrize("name", HARM)
def test_the_dead_man_resets_what_does_not_end(preloaded: Snapshot, start: StartMachine, name: str) -> None:
    harm, reason = HARM[name]
    machine = start(preloaded.setup())
    # Long enough for any shutdown of this guest under emulation.
    limit = 40 if name == "hanging" else 600
    machine.check(f"echo SHUTDOWN_LIMIT={limit} >>/etc/default/kexec-initd; {harm}")
    before = gather(machine)
    machine.send("reboot")
    assert wait_reset(machine) is EndReason.RESET
    assert SAID + reason in machine.log_text()
    machine.restart()
    machine.wait_login()
    assert_came_cold(before, gather(machine))


@pytest.mark.full
@pytest.mark.parametrize("stop", [*STOPS, INSISTING])
def test_a_console_that_takes_no_output_holds_no_reboot_up(preloaded: Snapshot, start: StartMachine, stop: str) -> None:
    machine = start(preloaded.setup())
    machine.check(f"echo SHUTDOWN_LIMIT={UNHEARD_LIMIT} >>/etc/default/kexec-initd")
    assert_reboots_unheard(machine, stop)
