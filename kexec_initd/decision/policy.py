"""The one decision: does a reboot go through kexec, or cold through firmware? Pure, and always with its reason."""

from typing import List, NamedTuple, Optional, Tuple

from kexec_initd import sentences
from kexec_initd.codes import Code, Decision
from kexec_initd.system.virt import confinement


class Facts(NamedTuple):
    """The facts that the decision depends on. A text is the reason why something does not hold, None when it does.

    `no_target` says, with its code, why there is nothing to be loaded, or what only a boot through firmware would do first;
    without it `target` says in a few words what is to be loaded. What the record of attempts says (`guard` and below) is no
    matter for a kernel that was loaded by hand. `incomplete` says what of our own scripts is not in place any more.
    """

    cold_once: bool
    switched_off: Optional[str]
    settings: Optional[str]
    container: Optional[str]
    chroot: bool
    platform: Optional[str]
    unsupported: Optional[str]
    hooks: Optional[str]
    loaded_by_hand: bool
    no_target: Optional[Tuple[Code, str]]
    target: str
    guard: Optional[str]
    limit_kexecs: Optional[str]
    limit_days: Optional[str]
    trial: Optional[str]
    incomplete: Optional[str] = None
    init: Optional[str] = None


def decide(facts: Facts) -> Decision:
    """Return the decision for `facts`: the first obstacle, else the kernel that is loaded or to be loaded."""
    for code, reason in list_preconditions(facts):
        if reason is not None:
            return Decision(code, reason)
    if facts.loaded_by_hand:
        return Decision(Code.BY_HAND, "a kernel that was loaded by hand")
    return Decision(Code.TARGET, facts.target)


def list_preconditions(facts: Facts) -> List[Tuple[Code, Optional[str]]]:
    """Return every precondition of a kexec in the order of the decision, with why it does not hold; None where it does.

    The admin's wish comes first, then what is possible, then what is to be loaded, which a kernel loaded by hand is none of.
    """
    found = [
        (Code.NOT_INSTALLED, facts.incomplete),
        (Code.COLD_ONCE, sentences.COLD_ONCE if facts.cold_once else None),
        (Code.SWITCHED_OFF, facts.switched_off),
        (Code.SETTINGS, facts.settings),
        confinement(facts.container, facts.chroot) or (Code.CONTAINER, None),
        (Code.INIT, facts.init),
        (Code.PLATFORM, facts.platform),
        (Code.UNSUPPORTED, facts.unsupported),
        (Code.HOOKS, facts.hooks),
    ]
    if not facts.loaded_by_hand:
        found += [
            facts.no_target or (Code.NO_TARGET, None),
            (Code.GUARD, facts.guard),
            (Code.LIMIT_KEXECS, facts.limit_kexecs),
            (Code.LIMIT_DAYS, facts.limit_days),
            (Code.TRIAL, facts.trial),
        ]
    return found
