"""Type a command that reboots, and prove the way that the guest took: what most scenarios are made of."""

import re
from typing import List

from kexec_initd.history import reboot_log, reboots
from tests.vm.accel import COUNTED
from tests.vm.evidence import Boot, assert_came_by_kexec, assert_came_cold, gather
from tests.vm.qemu import EndReason, Machine

COLD = "kexec-initd: reboot goes through firmware: "
# The early step and the last one say the same; between them sendsigs, on RHEL halt, ends what still runs.
ENDED = re.compile("(Asking|Sending) all .*processes")


def reboot_by_kexec(machine: Machine, command: str = "reboot") -> Boot:
    """Type `command` and prove that the guest came up through kexec; return the new boot."""
    before = gather(machine)
    machine.send(command)
    machine.wait_login()
    after = gather(machine)
    assert_came_by_kexec(before, after)
    return after


def reboot_cold(machine: Machine, reason: str, command: str = "reboot", mark: str = "BOOT_IMAGE=") -> Boot:
    """Type `command`, see that it goes through firmware, why, and that it comes back; return the new boot."""
    before = gather(machine)
    assert_goes_cold(machine, reason, command)
    machine.restart()
    machine.wait_login()
    after = gather(machine)
    assert_came_cold(before, after, mark)
    return after


def assert_goes_cold(machine: Machine, reason: str, command: str = "reboot") -> None:
    """Type `command` and fail unless the guest resets, the last step says why in exactly one line; it stays off."""
    old = len(machine.log_text())
    machine.send(command)
    assert machine.wait_end() is EndReason.RESET
    assert_said_why(machine, old, reason)


def assert_said_why(machine: Machine, old: int, reason: str) -> None:
    """Fail unless the last step of a cold reboot gave `reason`, in exactly one line, after the first `old` characters."""
    said = machine.log_text()[old:]
    late = read_late(said)
    assert len(late) == 1, late
    assert reason in late[0]
    assert sum(line.startswith(COLD) for line in said.splitlines()) <= 2, "the early step ran twice"


def read_late(said: str) -> List[str]:
    """Return the reasons that the last steps of cold reboots gave on the console; all reasons where no step ended processes."""
    late: List[str] = []
    for line in said.splitlines():
        if line.startswith(COLD):
            late.append(line[len(COLD) :])
        elif ENDED.search(line):
            late.clear()
    return late


def reboot_quietly_cold(machine: Machine) -> None:
    """Type `reboot`, see that it goes through firmware and comes back, and that nothing of ours is there to say why."""
    before, old = gather(machine), len(machine.log_text())
    machine.send("reboot")
    assert machine.wait_end() is EndReason.RESET
    assert "kexec-initd" not in machine.log_text()[old:]
    machine.restart()
    machine.wait_login()
    assert_came_cold(before, gather(machine))


def assert_history_tells(machine: Machine, *kinds: str) -> None:
    """Fail unless the last reboots were of these kinds, and the phases of the last one add up to what it took, seen from here."""
    kept = reboot_log.parse(machine.check("cat /var/lib/kexec-initd/history").encode() + b"\n")
    history = [reboots.measure(entry, before) for entry, before in zip(kept, (None, *kept))]
    assert [reboot.entry.kind.value for reboot in history[-len(kinds) :]] == [*kinds]
    total = history[-1].total
    assert total is not None and len(history[-1].stretches) >= 4, history[-1]
    # A clock that counts the guest's instructions shows other seconds than ours.
    if machine.setup.accel != COUNTED and not machine.setup.deterministic:
        assert abs(total - machine.took) <= 0.05 * machine.took, (total, machine.took, history[-1])
