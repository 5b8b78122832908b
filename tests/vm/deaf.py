"""A console that takes no more output: Ctrl-S, or a serial line with flow control whose far end is gone.

The guest's buffers are kept full by a writer outside the shell's session: whoever writes to the console waits, for ever.
"""

import time

from tests.vm.evidence import assert_came_by_kexec, assert_came_cold, gather
from tests.vm.qemu import EndReason, Machine

# It never is the leader of a session, so its death does not hang the line up, which would empty the buffers.
FLOOD = "setsid sh -c '(trap \"\" HUP; while :; do yes >/dev/console; done) >/dev/null 2>&1 &' </dev/null >/dev/null 2>&1"
FULL_AFTER = 5.0
XOFF = "\x13"
XON = "\x11"
# What the test sets as SHUTDOWN_LIMIT, and how long the three steps of a reset through sysrq may take after it.
UNHEARD_LIMIT = 40
RESET_TAKES = 40.0
# Either the guest's terminal has been told to stop, once or again and again (a kernel forgets it with the last close), or nobody
# takes from its serial port what comes: the harness does not read, so that QEMU's socket fills up and the port never gets
# ready again.
STOPS = ("unread", "xoff")
INSISTING = "xoff-again"


def assert_reboots_unheard(machine: Machine, stop: str, command: str = "reboot") -> None:
    """Stop the console's output, type `command`; fail unless the guest comes back in time, clean.

    It is reset in the end, or goes through kexec where the kernel has let the output run again.
    """
    before = gather(machine)
    if stop != "unread":
        machine.check("stty -F /dev/console ixon -ixany")
        machine.talk().type(XOFF)
    machine.send(FLOOD)
    time.sleep(FULL_AFTER)
    machine.send(command)
    if is_reset_unheard(machine, UNHEARD_LIMIT + RESET_TAKES, stop):
        assert machine.wait_end() is EndReason.RESET
        machine.restart()
        machine.wait_login()
        assert_came_cold(before, gather(machine))
        return
    machine.keep_log = True
    assert stop != "unread", f"{machine.name}: no reset"
    machine.talk().type(XON)
    machine.wait_login()
    assert_came_by_kexec(before, gather(machine))


def is_reset_unheard(machine: Machine, limit: float, stop: str) -> bool:
    """Tell whether the guest is reset within `limit` seconds; its console stays as it was stopped meanwhile."""
    deadline = time.monotonic() + limit
    while machine.resets() == 0 and time.monotonic() < deadline:
        if stop == "unread":
            time.sleep(0.5)
            continue
        machine.talk().look([], 0.5)
        if stop == INSISTING:
            machine.talk().type(XOFF)
    return machine.resets() > 0
