"""A kernel that breaks after the jump, at three moments: the machine comes back by itself, and its guard is closed.

The harm is real and acts under kexec alone: the initrd and init ask for our word on the command line, so that the same boot
loader's entry comes up well through firmware. What is done is in a file of the root, which the guard does not look at:
after it is gone, the trusted target is the one that was lost.
"""

import shlex
import time
from pathlib import Path
from typing import Tuple

import pytest

from tests.vm.conftest import PRELOAD, WAIT_LOADED, StartMachine
from tests.vm.evidence import assert_came_cold, gather
from tests.vm.image import PACKAGES, STOCK, build
from tests.vm.qemu import EndReason, Machine
from tests.vm.reboots import reboot_by_kexec, reboot_cold
from tests.vm.snapshot import Snapshot, take

# Debian's kernel for the cloud comes without drivers for hardware watchdogs.
RECIPE = STOCK._replace(packages=PACKAGES.replace("linux-image-cloud-amd64", "linux-image-amd64"), carried="")
WATCHDOG = ("-device", "i6300esb", "-action", "watchdog=reset")
SECONDS = 120
HARM = "/etc/harm"
IN_THE_INITRD = """#!/bin/sh
read -r words </proc/cmdline
case $1,$words in
prereqs,*) exit 0 ;;
*kexec_initd.attempt=*) ;;
*) exit 0 ;;
esac
[ -e "$rootmnt{harm}" ] || exit 0
read -r harm <"$rootmnt{harm}"
case $harm in
panic) echo c >/proc/sysrq-trigger ;;
hang) while :; do :; done ;;
esac
"""
UNDER_INIT = """#!/bin/sh
grep -q kexec_initd.attempt /proc/cmdline && grep -q init {harm} && sleep 1000000
exit 0
"""


def write_line(path: str, text: str) -> str:
    """Return the shell line that writes a program."""
    return f"printf %s {shlex.quote(text.format(harm=HARM))} >{path}; chmod 755 {path}"


PREPARE = (
    write_line("/etc/initramfs-tools/scripts/init-bottom/harm", IN_THE_INITRD),
    write_line("/root/harm", UNDER_INIT),
    "sed -i 's|^si::.*|ha::sysinit:/root/harm\\n&|' /etc/inittab; init q",
    f"printf 'PANIC=5\\nWATCHDOG={SECONDS}\\n' >/etc/default/kexec-initd",
    # without this the watchdog core stops the timer at the jump
    "echo options watchdog stop_on_reboot=0 >/etc/modprobe.d/watchdog.conf",
    "modprobe -r i6300esb watchdog; modprobe i6300esb",
    "update-initramfs -u",
)


@pytest.fixture(scope="session")
def fragile(debs: Tuple[Path, ...]) -> Snapshot:
    """Return a guest with a hardware watchdog, with our package, its kernel loaded and ready to be broken."""
    return take(build(RECIPE), debs, (*PREPARE, *PRELOAD), extra_args=WATCHDOG)


def break_after_the_jump(machine: Machine, harm: str) -> None:
    """Type `reboot` into a kernel that will break, and see that the machine resets and comes up through firmware."""
    before = gather(machine)
    machine.check(f"echo {harm} >{HARM}; sync")
    assert f"watchdog0 will watch the jump and the boot after it, {SECONDS} s" in machine.check("kexec-initd status")
    machine.send("reboot")
    assert machine.wait_end() is EndReason.RESET
    assert "kexec-initd: watchdog0 watches the jump" in machine.log_text()
    machine.restart()
    machine.wait_login()
    assert_came_cold(before, gather(machine))


@pytest.mark.full
@pytest.mark.parametrize("harm", ["panic", "hang", "init"])
def test_a_kernel_that_breaks_resets_the_machine_and_is_not_tried_again_until_it_is_trusted(
    fragile: Snapshot, start: StartMachine, harm: str
) -> None:
    machine = start(fragile.setup())
    break_after_the_jump(machine, harm)
    if harm == "panic":
        assert "Kernel panic - not syncing: sysrq triggered crash" in machine.log_text()
    reboot_cold(machine, "never arrived; kexec again after 3 more good boots")
    machine.check(f"rm {HARM}")
    assert "reboot:     through firmware: attempt " in machine.check("kexec-initd status")
    assert "the guard is open again: attempt " in machine.check("kexec-initd trust")
    reboot_by_kexec(machine)
    assert "reboot:     through firmware: attempt " not in machine.check("kexec-initd status")


@pytest.mark.full
def test_a_good_kernel_that_does_not_load_the_driver_is_not_reset(fragile: Snapshot, start: StartMachine) -> None:
    machine = start(fragile.setup())
    machine.check("echo blacklist i6300esb >/etc/modprobe.d/none.conf")
    jumped = time.monotonic()
    reboot_by_kexec(machine)
    assert machine.run("test -d /sys/class/watchdog/watchdog0").status != 0
    machine.check(f"({WAIT_LOADED})", limit=180)
    assert machine.check("cat /sys/class/watchdog/watchdog0/state") == "inactive"
    time.sleep(max(0.0, jumped + 1.5 * SECONDS - time.monotonic()))
    machine.check("true")
    assert machine.resets() == 0


@pytest.mark.full
def test_a_watchdog_that_the_kernel_would_stop_is_not_promised(fragile: Snapshot, start: StartMachine) -> None:
    machine = start(fragile.setup())
    machine.check("rm /etc/modprobe.d/watchdog.conf; modprobe -r i6300esb watchdog; modprobe i6300esb")
    reason = "the jump will not be watched: the kernel would stop watchdog0 at the jump: it needs watchdog.stop_on_reboot=0"
    assert reason in machine.check("kexec-initd load && kexec-initd status")
