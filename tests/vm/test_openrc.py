"""A Debian whose sysvinit has OpenRC in the place of sysv-rc: `reboot` goes through kexec or cold, `poweroff` off."""

from pathlib import Path
from typing import Tuple

import pytest

from tests.vm.conftest import PRELOAD, WAIT_LOADED, StartMachine
from tests.vm.image import PACKAGES, Recipe, build
from tests.vm.qemu import EndReason
from tests.vm.reboots import reboot_by_kexec, reboot_cold
from tests.vm.snapshot import Snapshot, install_line, take, write_payload

OPENRC = Recipe(packages=PACKAGES.replace("sysv-rc", "openrc"))
LOADED = f"({WAIT_LOADED})"
pytestmark = pytest.mark.full
# As insserv leaves its own records whenever it is called; the first shutdown writes /etc/adjtime.
RECORDS = "update-rc.d none remove"
FILES = "{ cd /etc; find . -printf '%p %y %m %U %G %l\\n'; find . -type f -exec sha256sum {} +; } | grep -v /adjtime | sort"


@pytest.fixture(scope="session")
def stock_openrc() -> Snapshot:
    """Return a guest with OpenRC, without our package."""
    return take(build(OPENRC))


def test_a_host_with_openrc(
    stock_openrc: Snapshot, debs: Tuple[Path, ...], start: StartMachine, tmp_path: Path
) -> None:
    """Installed, it reboots by kexec, at once and from its own boot; removed, all is as before."""
    machine = start(stock_openrc.setup(write_payload(tmp_path / "payload.tar", debs)))
    machine.check(f"{RECORDS}; {FILES} >/root/before")
    machine.unpack()
    machine.check(install_line(debs), 300)
    reboot_by_kexec(machine)
    machine.check(f"{LOADED}; touch /no-kexec-reboot", 180)  # by its rc.local
    reboot_cold(machine, "asked for by /no-kexec-reboot")
    machine.check(LOADED, 180)
    machine.check("dpkg --purge kexec-initd", 300)
    assert machine.run(f"{FILES} | diff /root/before -").output == ""
    assert machine.check("cat /sys/kernel/kexec_loaded") == "0"


def test_a_poweroff_is_one(stock_openrc: Snapshot, debs: Tuple[Path, ...], start: StartMachine) -> None:
    machine = start(take(stock_openrc, debs, PRELOAD).setup())
    machine.send("poweroff")
    assert machine.wait_end() is EndReason.POWEROFF
