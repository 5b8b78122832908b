"""The power fails while a guest reboots through kexec, in each phase of it: it comes up, and the guard knows what to think.

QEMU is killed as a power cut would end a machine. What the guest has flushed (fsync) is in the disk's image then, what
it has only written may be missing, and some of it: QEMU keeps a part of it, and of the image's own tables, until the next
flush. A disk that lies about its flushes, or the order of what it had in its cache, is not shown by this.
"""

import json
import time
from typing import NamedTuple, Optional, Tuple

import pytest

from tests.vm.conftest import StartMachine
from tests.vm.qemu import Machine
from tests.vm.snapshot import Snapshot

MARK_LIMIT = 300.0
RECORD = "/var/lib/kexec-initd/attempts"
# What a boot after a power cut may not say of its file systems; recovering the journal is right.
DAMAGE = "fs with errors|UNEXPECTED INCONSISTENCY|EXT4-fs error|corrupt"


class Phase(NamedTuple):
    """What the console shows when it begins, how many seconds after that the power fails, and whether the attempt is there.

    `written` is None where the early step may or may not have come so far.
    """

    mark: str
    delays: Tuple[float, ...]
    written: Optional[bool]


# The early step is the first script of runlevel 6, the next ones wait for its end.
PHASES = (
    Phase("system is going down for reboot", (0.0, 0.3), False),
    Phase("INIT: Switching to runlevel: 6", (0.0, 0.3), None),
    Phase("concurrent boot in runlevel 6", (0.0, 0.2, 0.4, 0.6, 0.8, 1.2), None),
    Phase("Stopping hotplug events dispatcher", (0.0, 0.3, 1.0), None),
    Phase("Asking all remaining processes to terminate", (0.0, 0.5), True),
    Phase("All processes ended within", (0.0, 0.5), True),
    Phase("Hardware Clock updated", (0.0, 0.5), True),
    Phase("Deactivating swap", (0.0, 0.5), True),
    Phase(r"Will now restart\.", (0.0, 0.2), True),
    Phase("kexec-initd: starting the loaded kernel", (0.0, 0.5, 1.0, 2.0, 4.0), True),
    Phase("Loading, please wait", (0.0, 1.0), True),
    Phase("Begin: Mounting root file system", (0.0, 0.5), True),
    Phase(r"INIT: version .* booting", (0.0, 1.0), True),
    Phase("Synthesizing the initial hotplug events", (0.0, 1.0), True),
    Phase("Mounting local filesystems", (0.0,), True),
    Phase("INIT: Entering runlevel: 2", (0.0, 0.5), True),
    Phase(r"guest login: ", (0.0,), True),
)
CUTS = [(phase, delay) for phase in PHASES for delay in phase.delays]


def cut_power(machine: Machine, phase: Phase, delay: float) -> None:
    """Type `reboot`, let the power fail `delay` seconds after the phase has begun, and boot again."""
    machine.send("reboot")
    assert machine.talk().look([phase.mark], MARK_LIMIT) == 0, machine.log_text()[-2000:]
    time.sleep(delay)
    machine.kill()
    machine.restart()
    machine.wait_login()


@pytest.mark.full
@pytest.mark.parametrize("phase, delay", CUTS, ids=[f"{phase.mark[:24]}+{delay}" for phase, delay in CUTS])
def test_after_a_power_cut_the_machine_is_sound_and_the_guard_is_right(
    preloaded: Snapshot, start: StartMachine, phase: Phase, delay: float
) -> None:
    machine = start(preloaded.setup())
    cut_power(machine, phase, delay)
    # As the cut has left it: the end of this boot is judged some seconds after the login.
    record = machine.run(f"cat {RECORD}").output
    written = "\nlast under-way " in record or "\nlast lost " in record
    assert phase.written in (None, written), record
    assert machine.run(f"dmesg | grep -i -E {DAMAGE!r}").output == ""
    assert machine.run("find /var/lib/kexec-initd -type f -size 0 ! -name lock").output == ""
    assert machine.check("dpkg -V kexec-initd; touch /root/writable && sync") == ""
    answer = json.loads(machine.check("kexec-initd status --json"))
    assert answer["warnings"] == []
    if written:
        assert (answer["last_outcome"], answer["reboot"], answer["code"]) == ("lost", "cold", "guard"), answer
        assert "never arrived" in answer["guard"]
    else:
        assert (answer["last_outcome"], answer["guard"], answer["reboot"]) == (None, None, "kexec"), answer
