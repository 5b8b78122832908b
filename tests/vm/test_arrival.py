"""A host on trial, and a kexec that leads to a system that is not good: what the first arrivals are worth."""

import pytest

from tests.vm.conftest import StartMachine
from tests.vm.qemu import Machine
from tests.vm.reboots import reboot_by_kexec, reboot_cold
from tests.vm.snapshot import Snapshot

SETTINGS = "/etc/default/kexec-initd"
RECORD = "/var/lib/kexec-initd/attempts"
PROGRAMS = "/etc/kexec-initd/arrival.d"
PROGRAM = PROGRAMS + "/database"
# What makes the arrival a bad one, and the reason that is kept. The guests have no network but the loopback.
CHECKS = {
    "route": (f"echo CHECK_ROUTE=yes >>{SETTINGS}", "failed: there is no default route"),
    "program": (
        f"mkdir -p {PROGRAMS}; printf '#!/bin/sh\\necho no disk >&2; exit 4\\n' >{PROGRAM}; chmod 755 {PROGRAM}",
        f"failed: {PROGRAM} failed with exit code 4: no disk",
    ),
}


def wait_judged(machine: Machine, outcome: str) -> None:
    """Wait until the end of a boot has written down what became of the attempt that has led to it."""
    seen = f"grep -q '^last {outcome} ' {RECORD}"
    machine.check(f"(for i in $(seq 150); do {seen} && exit 0; sleep 1; done; cat {RECORD}; exit 1)", 200)


@pytest.mark.full
def test_on_trial_a_reboot_is_kexec_only_when_it_is_watched_until_enough_have_arrived(
    preloaded: Snapshot, start: StartMachine
) -> None:
    machine = start(preloaded.setup())
    machine.check(f"echo TRIAL=1 >>{SETTINGS}")
    reboot_cold(machine, "on trial, 0 of 1 kexecs have arrived; when you can watch, kexec-initd trial")
    assert "a reboot within the next hour goes through kexec" in machine.check("kexec-initd trial", 120)
    reboot_by_kexec(machine)
    wait_judged(machine, "arrived")
    assert "nothing to watch for" in machine.check("kexec-initd trial", 120)
    reboot_by_kexec(machine)


@pytest.mark.full
@pytest.mark.parametrize("name", CHECKS)
def test_an_arrival_that_its_checks_find_wanting_makes_the_next_reboot_cold(
    preloaded: Snapshot, start: StartMachine, name: str
) -> None:
    harm, reason = CHECKS[name]
    machine = start(preloaded.setup())
    machine.check(f"{harm}; echo CHECK_SECONDS=1 >>{SETTINGS}")
    reboot_by_kexec(machine)
    wait_judged(machine, "failed")
    assert "failed its checks" in machine.check("kexec-initd status")
    reboot_cold(machine, reason + "; kexec again after 3 more good boots")
    assert "the guard is open again: attempt " in machine.check("kexec-initd trust")
    reboot_by_kexec(machine)
