"""What a row of the table of faults is made of. Data only: nothing of a virtual machine is needed to read it."""

from typing import Dict, NamedTuple, Tuple

KEXEC = "kexec"
COLD = "cold"
EITHER = "kexec or cold"
REFUSED = "refused"
SINGLE = "single-user mode"
STAYS = "no reboot"
RESET = "kexec, then a reset by the new kernel"

# What the state on the disk has of a cold reboot: the sentence of the console, or less where that could not be written.
SAME = "the same"
UNDER_WAY = "the attempt, under way: the next boot finds that it never arrived"
UNDECIDED = "nothing was decided"

# Leaves nothing loaded in a guest that is otherwise at the end of a boot.
UNLOAD = "kexec -u; (cd /run/kexec-initd && rm stamp loaded.json attempt); "


class Scenario(NamedTuple):
    """What is done to a guest, what is typed then, and what has to come of it.

    `harm` and `after` are shell text; `harm` has to succeed, `after` in the boot that comes next (where it comes back).
    `reason` is part of what the console gives as the one reason of a cold reboot, or of a refusal. `start` is a fixture,
    the snapshot to start from. A cold reboot is over with the reset, unless `comes_back`: then the guest boots from its
    own disk, cleanly, and `status` tells why. `kept` is what the state on the disk has of it, before any other boot.
    `expect` is one of the words above. `smoke`: every run has it, not only the long ones.
    """

    harm: str
    expect: str = KEXEC
    reason: str = ""
    start: str = "preloaded"
    command: str = "reboot"
    after: str = ""
    comes_back: bool = False
    smoke: bool = False
    kept: str = SAME


class Fault(NamedTuple):
    """One row: the fault, the outcome wanted in a few words, its scenarios by name, the other tests that show it.

    A test is named as pytest does, "FILE::FUNCTION", below tests/.
    """

    number: int
    fault: str
    wanted: str
    scenarios: Dict[str, Scenario] = {}
    tests: Tuple[str, ...] = ()


def cold(
    harm: str, reason: str, start: str = "preloaded", comes_back: bool = False, smoke: bool = False, kept: str = SAME
) -> Scenario:
    """Return a scenario that has to go through firmware for `reason`."""
    return Scenario(harm, COLD, reason, start, comes_back=comes_back, smoke=smoke, kept=kept)


def tests(file: str, *names: str) -> Tuple[str, ...]:
    """Return the tests `names` of tests/`file`, without the words that every name has."""
    return tuple("{}::test_{}".format(file, name) for name in names)
