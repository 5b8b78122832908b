"""The decision, as a table: the first thing that speaks against kexec gives the reason."""

from typing import Any, Dict, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexec_initd.codes import Code, Decision
from kexec_initd.decision.policy import Facts, decide

GOOD = Facts(
    cold_once=False,
    switched_off=None,
    settings=None,
    container=None,
    chroot=False,
    platform=None,
    unsupported=None,
    hooks=None,
    loaded_by_hand=False,
    no_target=None,
    target="Linux (grub2)",
    guard=None,
    limit_kexecs=None,
    limit_days=None,
    trial=None,
)


@pytest.mark.parametrize(
    "change, expected",
    [
        ({}, (True, "target")),
        ({"cold_once": True}, (False, "cold-once")),
        ({"switched_off": "KEXEC=no"}, (False, "switched-off")),
        ({"incomplete": "a script is gone"}, (False, "not-installed")),
        ({"incomplete": "a script is gone", "loaded_by_hand": True, "cold_once": True}, (False, "not-installed")),
        ({"container": "lxc"}, (False, "container")),
        ({"chroot": True}, (False, "chroot")),
        ({"platform": "Xen"}, (False, "platform")),
        ({"platform": "Xen", "loaded_by_hand": True}, (False, "platform")),
        ({"unsupported": "no kexec"}, (False, "unsupported")),
        ({"settings": "line 3"}, (False, "settings")),
        ({"settings": "line 3", "switched_off": "KEXEC=no"}, (False, "switched-off")),
        ({"settings": "line 3", "loaded_by_hand": True}, (False, "settings")),
        ({"hooks": "10-a.sh"}, (False, "hooks")),
        ({"hooks": "10-a.sh", "loaded_by_hand": True}, (False, "hooks")),
        ({"no_target": (Code.NO_TARGET, "missing")}, (False, "no-target")),
        ({"no_target": (Code.FIRMWARE, "BootNext")}, (False, "firmware")),
        ({"no_target": (Code.UPDATE, "on trial"), "guard": "lost"}, (False, "update")),
        ({"no_target": (Code.FIRMWARE, "BootNext"), "loaded_by_hand": True}, (True, "by-hand")),
        ({"no_target": (Code.FIRMWARE, "BootNext"), "unsupported": "no kexec"}, (False, "unsupported")),
        ({"guard": "never arrived"}, (False, "guard")),
        ({"guard": "never arrived", "no_target": (Code.NO_TARGET, "missing")}, (False, "no-target")),
        ({"guard": "never arrived", "loaded_by_hand": True}, (True, "by-hand")),
        ({"limit_kexecs": "10"}, (False, "limit-kexecs")),
        ({"limit_days": "10"}, (False, "limit-days")),
        ({"trial": "1 of 3"}, (False, "trial")),
        ({"trial": "1 of 3", "limit_days": "10", "limit_kexecs": "10", "guard": "lost"}, (False, "guard")),
        ({"trial": "1 of 3", "limit_days": "10", "limit_kexecs": "10"}, (False, "limit-kexecs")),
        ({"trial": "1 of 3", "limit_days": "10"}, (False, "limit-days")),
        ({"trial": "1 of 3", "limit_days": "1", "limit_kexecs": "1", "loaded_by_hand": True}, (True, "by-hand")),
        ({"loaded_by_hand": True}, (True, "by-hand")),
        ({"loaded_by_hand": True, "no_target": (Code.NO_TARGET, "missing")}, (True, "by-hand")),
        ({"loaded_by_hand": True, "cold_once": True}, (False, "cold-once")),
        ({"loaded_by_hand": True, "switched_off": "KEXEC=no"}, (False, "switched-off")),
    ],
)
def test_table(change: Dict[str, Any], expected: Tuple[bool, str]) -> None:
    decision = decide(GOOD._replace(**change))
    assert (decision.kexec, decision.code) == expected


TEXT = st.one_of(st.none(), st.text(min_size=1))
NO_TARGET = st.one_of(
    st.none(), st.tuples(st.sampled_from([Code.FIRMWARE, Code.UPDATE, Code.NO_TARGET]), st.text(min_size=1))
)


FLAGS = {name: st.booleans() for name in ("cold_once", "chroot", "loaded_by_hand")}
OTHERS = {name: TEXT for name in Facts._fields if name not in (*FLAGS, "no_target", "target")}
FACTS = st.builds(Facts, no_target=NO_TARGET, target=st.text(min_size=1), **FLAGS, **OTHERS)


@given(FACTS)
def test_kexec_only_when_nothing_speaks_against_it(facts: Facts) -> None:
    decision = decide(facts)
    against = (
        facts.cold_once
        or facts.chroot
        or any(text is not None for text in (facts.switched_off, facts.container, facts.platform, facts.unsupported))
        or any(text is not None for text in (facts.settings, facts.hooks, facts.incomplete, facts.init))
    )
    unfit = any(
        text is not None for text in (facts.no_target, facts.guard, facts.limit_kexecs, facts.limit_days, facts.trial)
    )
    against = against or (unfit and not facts.loaded_by_hand)
    assert decision.kexec is not against
    assert isinstance(decision, Decision)
    assert isinstance(decision.code, Code)
    assert decision.reason
