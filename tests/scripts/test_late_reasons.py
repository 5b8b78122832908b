"""What a guest's console is read for after a cold reboot: the early step and the last one say the same sentence."""

import pytest

from tests.vm.reboots import COLD, read_late

DEBIAN = "Asking all remaining processes to terminate...done.\nAll processes ended within 1 seconds...done."
RHEL = "Sending all processes the TERM signal...                    [  OK  ]"


@pytest.mark.parametrize("ended", [DEBIAN, RHEL])
def test_what_is_said_after_the_processes_are_ended_is_the_last_steps(ended: str) -> None:
    assert read_late("\n".join([COLD + "why", ended, COLD + "why, late", "Restarting system."])) == ["why, late"]
    assert read_late("\n".join([ended, COLD + "one", COLD + "two"])) == ["one", "two"]
    assert read_late("\n".join([COLD + "why", ended])) == []


def test_where_nothing_ended_them_every_reason_counts() -> None:
    assert read_late("INIT: Sending processes configured via /etc/inittab the TERM signal\n" + COLD + "why\n") == [
        "why"
    ]
