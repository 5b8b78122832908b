"""The decision, as a table: the first thing that speaks against kexec gives the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexec_initd.policy import Decision, Facts, decide

GOOD = Facts(
    cold_once=False,
    switched_off=None,
    container=None,
    chroot=False,
    unsupported=None,
    loaded_by_hand=False,
    no_target=None,
    target="Linux (grub2)",
    guard=None,
)


@pytest.mark.parametrize(
    "change, expected",
    [
        ({}, (True, "target")),
        ({"cold_once": True}, (False, "cold-once")),
        ({"switched_off": "KEXEC=no"}, (False, "switched-off")),
        ({"container": "lxc"}, (False, "container")),
        ({"chroot": True}, (False, "chroot")),
        ({"unsupported": "no kexec"}, (False, "unsupported")),
        ({"no_target": "missing"}, (False, "no-target")),
        ({"guard": "never arrived"}, (False, "guard")),
        ({"guard": "never arrived", "no_target": "missing"}, (False, "no-target")),
        ({"guard": "never arrived", "loaded_by_hand": True}, (True, "by-hand")),
        ({"loaded_by_hand": True}, (True, "by-hand")),
        ({"loaded_by_hand": True, "no_target": "missing"}, (True, "by-hand")),
        ({"loaded_by_hand": True, "cold_once": True}, (False, "cold-once")),
        ({"loaded_by_hand": True, "switched_off": "KEXEC=no"}, (False, "switched-off")),
    ],
)
def test_table(change, expected) -> None:  # type: ignore[no-untyped-def]
    decision = decide(GOOD._replace(**change))
    assert (decision.kexec, decision.code) == expected


TEXT = st.one_of(st.none(), st.text(min_size=1))


@given(st.builds(Facts, st.booleans(), TEXT, TEXT, st.booleans(), TEXT, st.booleans(), TEXT, st.text(min_size=1), TEXT))
def test_kexec_only_when_nothing_speaks_against_it(facts: Facts) -> None:
    decision = decide(facts)
    against = facts.cold_once or facts.switched_off is not None or facts.chroot or facts.container is not None
    unfit = facts.no_target is not None or facts.guard is not None
    against = against or facts.unsupported is not None or (unfit and not facts.loaded_by_hand)
    assert decision.kexec is not against
    assert isinstance(decision, Decision)
    assert decision.reason
