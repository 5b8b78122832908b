"""The one decision: does a reboot go through kexec, or cold through firmware? Pure, and always with its reason."""

from typing import NamedTuple, Optional

from kexec_initd.surroundings import confinement


class Facts(NamedTuple):
    """What the decision depends on. A text is the reason why something does not hold, None when it does.

    `target` says in a few words what is to be loaded, where there is no `no_target`.
    """

    cold_once: bool
    switched_off: Optional[str]
    container: Optional[str]
    chroot: bool
    unsupported: Optional[str]
    loaded_by_hand: bool
    no_target: Optional[str]
    target: str
    guard: Optional[str]


class Decision(NamedTuple):
    """`kexec` or cold, with a stable code and a sentence."""

    kexec: bool
    code: str
    reason: str


def cold(code: str, reason: str) -> Decision:
    """Return the decision to go through firmware."""
    return Decision(False, code, reason)


def decide(facts: Facts) -> Decision:
    """Return the decision for `facts`: the admin's wish first, then what is possible, then what is to be loaded."""
    if facts.cold_once:
        return cold("cold-once", "asked for by /no-kexec-reboot")
    if facts.switched_off is not None:
        return cold("switched-off", facts.switched_off)
    confined = confinement(facts.container, facts.chroot)
    if confined is not None:
        return cold(*confined)
    if facts.unsupported is not None:
        return cold("unsupported", facts.unsupported)
    if facts.loaded_by_hand:
        return Decision(True, "by-hand", "a kernel that was loaded by hand")
    if facts.no_target is not None:
        return cold("no-target", facts.no_target)
    if facts.guard is not None:
        return cold("guard", facts.guard)
    return Decision(True, "target", facts.target)
