"""OpenRC's services: by its own words a reboot is decided, and carried out; a poweroff is neither."""

from typing import List

import pytest

from kexec_initd.install.render import render_all
from kexec_initd.system.host import gather
from tests.scripts.jail import MOUNTS, Jail
from tests.scripts.test_preload import boot as boot
from tests.scripts.test_preload import wait_for_load

DECISION = "run/kexec-initd/decision"
POWEROFF = "RC_RUNLEVEL=shutdown RC_GOINGDOWN=YES"
REBOOT = POWEROFF + " RC_REBOOT=YES"
BY_HAND = "RC_RUNLEVEL=default"


@pytest.fixture
def gentoo(jail: Jail) -> Jail:
    """Return a Gentoo whose runlevel `shutdown` has made the root read-only."""
    jail.write("etc/os-release", "ID=gentoo\n")
    jail.write("run/openrc/softlevel", "")
    jail.write("sbin/openrc-run", "", 0o755)
    for file in render_all(gather(jail.root)):
        jail.write(file.path[1:], file.content.decode(), file.mode)
    jail.write("proc/mounts", MOUNTS.replace(" rw,", " ro,"))
    (jail.root / DECISION).unlink()
    return jail


def call(jail: Jail, service: str, function: str, environment: str) -> List[str]:
    """Have a service do something, as openrc-run(8) reads it and calls its functions; return what it calls."""
    jail.write("calls", "")
    jail.write("etc/init.d/run", "export {}\n. /etc/init.d/{}\n{}\n".format(environment, service, function))
    jail.run("run", runlevel="")
    return jail.calls()


@pytest.mark.parametrize("environment, decision, calls", [
    (REBOOT, "kexec\n", ["sync", "kexec -e -x", "kexec -u"]), (POWEROFF, None, []), (BY_HAND, None, []),
])  # fmt: skip
def test_only_a_reboot_is_decided_and_carried_out(
    gentoo: Jail, environment: str, decision: str, calls: List[str]
) -> None:
    assert call(gentoo, "kexec", "start\nstop", environment) == []  # of kexec-tools
    call(gentoo, "kexec-initd", "stop", environment)
    place = gentoo.root / DECISION
    assert (place.read_text() if place.exists() else None) == decision
    gentoo.write(DECISION, "kexec\n")
    assert call(gentoo, "kexec-initd-last", "start", environment) == calls
    gentoo.write(DECISION, "cold whatever\n")
    gentoo.write("sys/kernel/kexec_loaded", "1\n")
    assert call(gentoo, "kexec-initd-last", "start", environment) == calls[2:]  # nothing stays loaded


def test_the_boot_loads_once_openrc_is_over_and_forgets_a_shutdown_that_was_called_off(
    boot: Jail, gentoo: Jail
) -> None:
    gentoo.write("run/kexec-initd/stopping", "")
    call(gentoo, "kexec-initd", "start\nreal-sleep 0.2\necho over >>/calls", "RC_PID=$$ " + BY_HAND)
    assert wait_for_load(boot) == ["over", "nice -n 19 /etc/init.d/kexec-initd.sh load"]
    assert not (gentoo.root / "run/kexec-initd/stopping").exists()


def test_debians_reboot_is_none_where_openrc_stops_it_before_its_time(jail: Jail) -> None:
    jail.write("etc/init.d/run", "export RC_SVCNAME=reboot\nexec /bin/sh /etc/init.d/reboot stop\n")
    assert (jail.run("run").code, jail.calls()) == (0, [])
