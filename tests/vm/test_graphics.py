"""A driver of graphics that is a module: gone before the jump, and the screen works after it; held by a process, cold."""

from pathlib import Path
from typing import Tuple

import pytest

from tests.vm.conftest import PRELOAD, StartMachine
from tests.vm.image import build
from tests.vm.qemu import Machine
from tests.vm.reboots import reboot_by_kexec, reboot_cold
from tests.vm.snapshot import Snapshot, take
from tests.vm.test_broken_kernels import RECIPE, write_line

CARD = ("-device", "bochs-display")
BOUND = "grep -l 'frame buffer' /sys/class/vtconsole/*/name | sed 's|name$|bind|' | xargs cat"
# At the jump it tells the console whether the driver is there.
KEXEC = """#!/bin/sh
[ "$1" != -e ] || {{ grep -q '^bochs ' /proc/modules && echo driver there || echo driver gone; }} >/dev/console
exec /sbin/kexec.real "$@"
"""
PREPARE = (
    "udevadm settle; grep '^bochs ' /proc/modules",
    "mv /sbin/kexec /sbin/kexec.real; " + write_line("/sbin/kexec", KEXEC),
    *PRELOAD,
)
pytestmark = pytest.mark.full


@pytest.fixture(scope="session")
def drawing(debs: Tuple[Path, ...]) -> Snapshot:
    """Return a guest whose console is on a frame buffer of a driver that is a module, with our package, its kernel loaded."""
    return take(build(RECIPE), debs, PREPARE, extra_args=CARD)


def count_colours(machine: Machine, picture: Path) -> int:
    """Return how many different values the pixels of the guest's screen have, as a PPM keeps them."""
    machine.monitor().command("screendump", filename=str(picture))
    return len(set(picture.read_bytes()[15:]))


def test_a_driver_of_graphics_goes_before_the_jump_and_the_screen_works_after_it(
    drawing: Snapshot, start: StartMachine, tmp_path: Path
) -> None:
    machine = start(drawing.cold_setup())  # going on from the saved state, it answers no more
    reboot_by_kexec(machine)
    assert "driver there" in machine.log_text(), "without the setting it stays"
    machine.check("echo REMOVE_MODULES=auto >/etc/default/kexec-initd")
    old = len(machine.log_text())
    reboot_by_kexec(machine)
    said = machine.log_text()[old:]
    assert "driver gone" in said and "driver there" not in said
    machine.check("udevadm settle; grep '^bochs ' /proc/modules")
    assert machine.check(BOUND) == "1"
    machine.check("echo seen >/dev/tty1; sleep 3")
    assert count_colours(machine, tmp_path / "screen.ppm") > 1


def test_a_driver_that_a_process_holds_makes_the_reboot_cold_and_is_named(drawing: Snapshot, start: StartMachine) -> None:
    machine = start(drawing.cold_setup())  # going on from the saved state, it answers no more
    machine.check("echo REMOVE_MODULES=auto >/etc/default/kexec-initd")
    machine.check("(exec setsid sleep 99999 </dev/dri/card0 >/dev/null 2>&1 & echo $! >/run/sendsigs.omit.d/held)")
    reboot_cold(machine, "the module bochs could not be removed: in use by ")
    assert machine.check(BOUND) == "1"
