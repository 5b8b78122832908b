"""The power fails while a guest reboots through kexec, in each phase of it: it comes up, and the guard knows what to think."""

import json
import re
from typing import Any, Callable, Dict

import pytest

from tests.vm.conftest import StartMachine
from tests.vm.moments import ARRIVED, EITHER, HELD, MOMENTS, NOTHING, Moment
from tests.vm.power import check_file_system, cut_power
from tests.vm.qemu import Machine
from tests.vm.reboots import reboot_by_kexec, reboot_cold
from tests.vm.snapshot import Snapshot

MARK_LIMIT = 300.0
STATE = "/var/lib/kexec-initd"
# What a boot after a power cut may not say of its file systems; recovering the journal is right.
DAMAGE = "fs with errors|UNEXPECTED INCONSISTENCY|EXT4-fs error|corrupt"
# The lock is empty. What is still to be renamed is not read by anybody, and the next write begins it anew.
EMPTY = f"find {STATE} -type f -size 0 ! -name lock ! -name '*.new'"
# Of our package the guests have no documentation, and the settings are changed for some moments.
OTHERS = "-e /usr/share/doc/ -e /usr/share/man/ -e /etc/default/kexec-initd"
UNFINISHED = f"find {STATE} -name '.kexec-initd-*'"
# After these the reboots are made that the guard has an opinion on.
FOLLOWED = (
    "early step: the record's file is written - not flushed", "last step: before kexec -e",
    "the arrival is confirmed - the next kernel is not loaded",
)


def reboot_until(machine: Machine, moment: Moment) -> int:
    """Type `reboot`, let the power fail at the moment, and boot again; return how many writes the disk has lost."""
    machine.check(moment.prepare, 120)
    machine.check("sync")
    machine.send("reboot")
    assert machine.talk().look([moment.mark], MARK_LIMIT) == 0, machine.log_text()[-2000:]
    if moment.delay:
        machine.talk().look([], moment.delay)
    lost = cut_power(machine, moment.lost)
    assert check_file_system(machine) == ""
    machine.restart()
    machine.wait_login()
    return lost


def assert_sound(machine: Machine) -> Dict[str, Any]:
    """Fail unless the file systems, our package and our state are whole; return what `status` says."""
    assert machine.run(f"dmesg | grep -i -E {DAMAGE!r}").output == ""
    assert machine.run(f"dpkg -V kexec-initd | grep -v {OTHERS}; touch /root/writable && sync").output == ""
    assert machine.check(EMPTY) == ""
    assert machine.check(UNFINISHED) == ""
    answer: Dict[str, Any] = json.loads(machine.check("kexec-initd status --json"))
    assert answer["warnings"] == []
    assert answer["installed"]
    return answer


def judge(answer: Dict[str, Any]) -> str:
    """Return which of the guard's states `status` shows; anything that does not fit together is an error."""
    shown = (answer["last_outcome"], answer["reboot"], answer["code"] == "guard")
    assert bool(answer["guard"]) == (answer["code"] == "guard"), answer
    assert answer["guard"] is None or re.search("never arrived; kexec again after [23] more good boots", answer["reason"])
    found = {(None, "kexec", False): NOTHING, ("lost", "cold", True): HELD, ("arrived", "kexec", False): ARRIVED}
    assert shown in found, answer
    return found[shown]


def assert_reboots_as_judged(machine: Machine, guard: str) -> None:
    """Reboot as often as the guard holds, each time through firmware with the reason, and then through kexec."""
    if guard == HELD:  # with GUARD_BOOTS=2, see there
        for left in ("2 more good boots", "1 more good boot"):
            reboot_cold(machine, f"never arrived; kexec again after {left},")
    reboot_by_kexec(machine)


@pytest.mark.full
@pytest.mark.parametrize("name", MOMENTS)
def test_after_a_power_cut_the_machine_is_sound_and_the_guard_is_right(
    preloaded: Snapshot, start: StartMachine, record_property: Callable[[str, object], None], name: str
) -> None:
    moment = MOMENTS[name]
    machine = start(preloaded.setup()._replace(logged=True))
    lost = reboot_until(machine, moment)
    # As the cut has left it: the end of this boot is judged some seconds after the login.
    record = machine.run(f"cat {STATE}/attempts").output
    answer = assert_sound(machine)
    guard = judge(answer)
    assert (guard == HELD) == bool(re.search("^last (under-way|lost) ", record, re.MULTILINE)), record
    assert guard in ((NOTHING, HELD) if moment.guard == EITHER else (moment.guard,)), answer
    journal = "recovered" if machine.run("dmesg | grep -q 'recovery complete'").status == 0 else "clean"
    if name in FOLLOWED:
        assert_reboots_as_judged(machine, guard)
    record_property("seen", [guard, str(lost) if moment.lost else "", journal])
