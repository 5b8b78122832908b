"""What a row of the table of faults is made of. Data only: nothing of a virtual machine is needed to read it."""

from typing import Dict, NamedTuple, Tuple

KEXEC = "kexec"
COLD = "cold"
EITHER = "kexec or cold"
REFUSED = "refused"
SINGLE = "single-user mode"
STAYS = "no reboot"
RESET = "kexec, then a reset by the new kernel"


class Scenario(NamedTuple):
    """What is done to a guest, what is typed then, and what has to come of it.

    `harm` and `after` are shell text; `harm` has to succeed, `after` in the boot that comes next (where it comes back).
    `reason` is part of what the console gives as the one reason of a cold reboot, or of a refusal. `start` is a fixture,
    the snapshot to start from. A cold reboot is over with the reset, unless `comes_back`: then the guest boots from its
    own disk, cleanly. `expect` is one of the words above. `smoke`: every run has it, not only the long ones.
    """

    harm: str
    expect: str = KEXEC
    reason: str = ""
    start: str = "preloaded"
    command: str = "reboot"
    after: str = ""
    comes_back: bool = False
    smoke: bool = False


class Fault(NamedTuple):
    """One row: the fault, the outcome wanted in a few words, its scenarios by name, the other tests that show it.

    A test is named as pytest does, "FILE::FUNCTION", below tests/.
    """

    number: int
    fault: str
    wanted: str
    scenarios: Dict[str, Scenario] = {}
    tests: Tuple[str, ...] = ()


def cold(harm: str, reason: str, start: str = "preloaded", comes_back: bool = False, smoke: bool = False) -> Scenario:
    """Return a scenario that has to go through firmware for `reason`."""
    return Scenario(harm, COLD, reason, start, comes_back=comes_back, smoke=smoke)


def tests(file: str, *names: str) -> Tuple[str, ...]:
    """Return the tests `names` of tests/`file`, without the words that every name has."""
    return tuple("{}::test_{}".format(file, name) for name in names)
