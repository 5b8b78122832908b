"""The faults that a guest can have: what is done to it, what is typed, and what came of it, from the table in tests/faults."""

import json
from typing import Callable, Dict, Union

import pytest

from kexec_initd.codes import Code
from kexec_initd.history import attempts, last_cold
from kexec_initd.history.guard import Outcome
from tests.faults.model import (
    COLD,
    EITHER,
    KEXEC,
    REFUSED,
    RESET,
    SINGLE,
    STAYS,
    UNDECIDED,
    UNDER_WAY,
    Scenario,
)
from tests.faults.table import SCENARIOS
from tests.vm.conftest import StartMachine
from tests.vm.evidence import assert_came_by_kexec, assert_came_cold, gather
from tests.vm.offline import read_disk
from tests.vm.qemu import EndReason, Machine, Setup
from tests.vm.reboots import COLD as WENT_COLD
from tests.vm.reboots import assert_goes_cold, assert_said_why, read_late, reboot_by_kexec
from tests.vm.snapshot import Snapshot

HARM_LIMIT = 200.0


def by_kexec(machine: Machine, scenario: Scenario) -> str:
    reboot_by_kexec(machine, scenario.command)
    assert scenario.reason in machine.log_text()
    return KEXEC


def through_firmware(machine: Machine, scenario: Scenario) -> str:
    before = gather(machine)
    assert_goes_cold(machine, scenario.reason, scenario.command)
    code = assert_kept(machine, scenario.kept)
    if scenario.comes_back:
        machine.restart()
        machine.wait_login()
        assert_came_cold(before, gather(machine))
        if machine.run("test -e /usr/bin/python3").status == 0:
            found = json.loads(machine.check("kexec-initd status --json"))
            assert (found["last_reboot"], found["last_code"]) == ("cold", code)
    return COLD


def assert_kept(machine: Machine, kept: str) -> str:
    """Fail unless the disk is clean and its state has of a cold reboot what is `kept`; return the code that is told of it."""
    *others, root = read_disk(machine)
    assert all(volume.is_clean() for volume in (*others, root))
    code, _, sentence = root.read(str(last_cold.PATH)).rstrip("\n").partition(" ")
    if kept == UNDER_WAY:
        last = attempts.parse_record(root.read(str(attempts.PATH)).encode("ascii")).last
        assert last is not None and last.outcome is Outcome.UNDER_WAY
        return str(Code.LOST)
    if kept == UNDECIDED:
        assert (code, sentence) == last_cold.UNDECIDED
    else:
        assert sentence == find_said(machine)
    assert code in [str(known) for known in Code]
    return code


def find_said(machine: Machine) -> str:
    """Return what the last step has given on the console as the reason of a cold reboot."""
    return "; ".join(read_late(machine.log_text()))


def either(machine: Machine, scenario: Scenario) -> str:
    before, old = gather(machine), len(machine.log_text())
    machine.send(scenario.command)
    end = machine.wait_end()
    if end is EndReason.RESET:
        assert_said_why(machine, old, scenario.reason)
        assert_kept(machine, scenario.kept)
        return COLD
    assert end is EndReason.LOGIN
    machine.talk().greet(60.0)
    assert_came_by_kexec(before, gather(machine))
    return KEXEC


def refused(machine: Machine, scenario: Scenario) -> str:
    before = gather(machine)
    done = machine.run(scenario.command)
    assert (done.status, len(done.output.splitlines())) == (3, 1), done
    assert scenario.reason in done.output
    assert gather(machine) == before
    return REFUSED


def single_user(machine: Machine, scenario: Scenario) -> str:
    machine.send(scenario.command)
    # The question for root's password is what single-user mode begins with.
    assert machine.wait_end() is EndReason.STRANDED
    assert machine.resets() == 0
    assert "kexec-initd" not in machine.log_text().rsplit("INIT: ", 1)[1]
    return SINGLE


def stays(machine: Machine, scenario: Scenario) -> str:
    before = gather(machine)
    machine.check(scenario.command, limit=HARM_LIMIT)
    assert gather(machine) == before
    return STAYS


def reset_by_the_next(machine: Machine, scenario: Scenario) -> str:
    old = len(machine.log_text())
    machine.send(scenario.command)
    assert machine.wait_end() is EndReason.RESET
    said = machine.log_text()[old:]
    assert "kexec-initd: starting the loaded kernel" in said
    assert scenario.reason in said
    assert WENT_COLD not in said, "the new kernel was never started"
    assert_kept(machine, UNDER_WAY)
    return RESET


ACTS: Dict[str, Callable[[Machine, Scenario], str]] = {
    KEXEC: by_kexec, COLD: through_firmware, EITHER: either, REFUSED: refused, SINGLE: single_user, STAYS: stays,
    RESET: reset_by_the_next,
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if row.smoke else pytest.mark.full) for name, row in SCENARIOS.items()]
)
def test_fault(
    name: str, request: pytest.FixtureRequest, start: StartMachine, record_property: Callable[[str, object], None]
) -> None:
    scenario = SCENARIOS[name]
    given: Union[Snapshot, Setup] = request.getfixturevalue(scenario.start)
    machine = start(given.setup() if isinstance(given, Snapshot) else given)
    machine.check(scenario.harm, limit=HARM_LIMIT)
    outcome = ACTS[scenario.expect](machine, scenario)
    record_property("outcome", outcome)
    record_property("said", find_said(machine))
    if outcome in (COLD, RESET):
        record_property("kept", scenario.kept)
    if scenario.after:
        machine.check(scenario.after)
