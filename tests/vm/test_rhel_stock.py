"""The RHEL-shaped guests without our package: that they behave as their releases do, which the design rests on."""

import pytest

from tests.vm import rhel
from tests.vm.conftest import StartMachine
from tests.vm.evidence import assert_came_by_kexec, assert_came_cold, gather
from tests.vm.qemu import EndReason
from tests.vm.snapshot import Snapshot, take

LOAD = (
    "kexec -l /boot/vmlinuz-$(uname -r) --initrd=$(ls /boot/init*-$(uname -r).img) --no-checks"
    " --append=\"kexec_initd.attempt=0123456789abcdef $(cat /proc/cmdline)\""
)
# What the scripts of the init tree say on the way down, in this order.
ON_THE_WAY_DOWN = (
    "Stopping crond", "Shutting down loopback", "Stopping atd", "Sending all processes the TERM signal", "Unmounting",
)
full = pytest.mark.full


def stock(release: int) -> Snapshot:
    """Return the guest of this release at its prompt."""
    return take(rhel.build(rhel.SHAPES[release]))


@pytest.mark.parametrize("release", [6, pytest.param(5, marks=full), pytest.param(4, marks=full)])
def test_reboot_is_cold_and_comes_back(start: StartMachine, release: int) -> None:
    machine = start(stock(release).setup())
    assert machine.check("runlevel; cat /etc/redhat-release") == "N 3\n" + rhel.SHAPES[release].redhat_release
    assert machine.check("rpm -V initscripts") == ""
    before = gather(machine)
    machine.send("reboot")
    assert machine.wait_end() is EndReason.RESET
    log = machine.log_text()
    places = [log.find(text) for text in ON_THE_WAY_DOWN]
    assert -1 not in places
    assert places == sorted(places)
    assert "nfs: stop" not in log, "rc runs a K script without its lock file"
    machine.restart()
    machine.wait_login()
    assert_came_cold(before, gather(machine))


@pytest.mark.parametrize("release", [6, pytest.param(5, marks=full)])
def test_a_loaded_kernel_is_executed_by_a_halt_that_knows_kexec(start: StartMachine, release: int) -> None:
    machine = start(stock(release).setup())
    before = gather(machine)
    machine.check(LOAD)
    machine.send("reboot")
    machine.wait_login()
    assert_came_by_kexec(before, gather(machine))


def test_a_loaded_kernel_is_left_by_a_halt_that_does_not(start: StartMachine) -> None:
    machine = start(stock(4).setup())
    machine.check(LOAD)
    machine.send("reboot")
    assert machine.wait_end() is EndReason.RESET


@full
@pytest.mark.parametrize("release", rhel.SHAPES)
@pytest.mark.parametrize("command, end", [("poweroff", EndReason.POWEROFF), ("halt", EndReason.HALTED)])
def test_off_is_off_with_a_loaded_kernel(
    start: StartMachine, release: int, command: str, end: EndReason
) -> None:
    machine = start(stock(release).setup())
    # without the file `halt` powers off, too
    machine.check("touch /halt" if command == "halt" else "true")
    machine.check(LOAD)
    machine.send(command)
    assert machine.wait_end() is end


@full
@pytest.mark.parametrize(
    "release, arguments",
    [(6, "4 Please stand by while rebooting the system... /sbin/reboot -d -p /sbin/kexec"), (5, "0"), (4, "0")],
)
def test_halt_local_is_called_as_the_release_does(start: StartMachine, release: int, arguments: str) -> None:
    machine = start(stock(release).setup())
    machine.put("/sbin/halt.local", b'#!/bin/sh\necho halt.local: "$#" "$@"\n', 0o755)
    machine.send("reboot")
    assert machine.wait_end() is EndReason.RESET
    assert f"halt.local: {arguments}\n" in machine.log_text()
