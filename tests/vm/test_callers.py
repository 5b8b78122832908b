"""Debian 11 to sid under systemd: whoever asks for a reboot, it is by kexec into the loader's entry, or cold for a reason."""

from pathlib import Path
from typing import Tuple

import pytest

from tests.vm.callers import CALLERS, SEEN, Caller, Outcome
from tests.vm.conftest import WAIT_LOADED, StartMachine
from tests.vm.debian_systemd import SUITES, build_systemd, reboot_cold, recipe_of
from tests.vm.evidence import assert_came_cold, gather
from tests.vm.qemu import EndReason, Machine
from tests.vm.reboots import reboot_by_kexec
from tests.vm.snapshot import take


def ask(machine: Machine, caller: Caller) -> None:
    """Ask for a reboot as the caller does, and prove the way that the guest takes."""
    if caller.outcome is Outcome.KEXEC:
        reboot_by_kexec(machine, caller.command)
    elif caller.outcome is Outcome.COLD:
        reboot_cold(machine, caller.reason, caller.command)
        assert '"guard": null' in machine.check("kexec-initd status --json"), "an attempt was begun"
    elif caller.outcome is Outcome.SOFT:
        before = gather(machine)
        machine.send(caller.command)
        machine.wait_login()
        assert gather(machine) == before
    else:
        reset_by_itself(machine, caller.command)


def reset_by_itself(machine: Machine, command: str) -> None:
    """Ask for a reboot that nothing is unmounted in; prove that nothing of ours has a part in it."""
    before, old = gather(machine), len(machine.log_text())
    machine.check("sync")
    machine.send(command)
    assert machine.wait_end() is EndReason.RESET
    assert "kexec-initd" not in machine.log_text()[old:]
    machine.restart()
    machine.wait_login()
    assert_came_cold(before, gather(machine)._replace(unclean=()))


@pytest.mark.full
@pytest.mark.parametrize("number", range(len(CALLERS)), ids=str)
@pytest.mark.parametrize("suite", SUITES)
def test_whoever_reboots_it(suite: str, number: int, debs: Tuple[Path, ...], start: StartMachine) -> None:
    # what says why nothing is loaded before the shutdown does as well
    settled = f"({WAIT_LOADED.replace('loaded.json', 'preload.log')})"
    machine, caller = start(take(take(build_systemd(recipe_of(suite))), debs, (settled,)).setup()), CALLERS[number]
    version = machine.check("systemctl --version | sed -n '1s/systemd \\([0-9]*\\).*/\\1/p'")
    SEEN.keep(suite, "systemd", version)
    if not caller.since <= int(version) <= caller.until:
        SEEN.keep(suite, caller.name, "unknown")
        return
    SEEN.keep(suite, caller.name, "FAILED")
    ask(machine, caller)
    SEEN.keep(suite, caller.name, caller.outcome.value)
