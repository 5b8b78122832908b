"""The RHEL-shaped guests without our package: that they behave as their releases do, which the design rests on."""

import re
from typing import Dict, List, NamedTuple

import pytest

from tests.vm import rhel
from tests.vm.conftest import StartMachine
from tests.vm.evidence import assert_came_by_kexec, assert_came_cold, gather
from tests.vm.qemu import EndReason, Machine
from tests.vm.snapshot import Snapshot, take

LOAD = (
    "kexec -l /boot/vmlinuz-$(uname -r) --initrd=$(ls /boot/init*-$(uname -r).img) --no-checks"
    " --append=\"kexec_initd.attempt=0123456789abcdef $(cat /proc/cmdline)\""
)
full = pytest.mark.full

# Called at several moments of a shutdown with a name for the moment, says what is there.
FACTS = rb"""#!/bin/sh
moment=$1
shift
sys=gone
[ ! -e /sys/kernel/kexec_loaded ] || sys=there
pts=gone
[ ! -e /dev/pts/ptmx ] || pts=there
root=ro
(: >/root/written) 2>/dev/null && root=rw
proc=ro
(: >/proc/sysrq-trigger) 2>/dev/null && proc=rw
echo "fact: $moment: $# arguments, /sys $sys, /dev/pts $pts, / $root, /proc $proc, LC_ALL=$LC_ALL," \
    "levels $RUNLEVEL $runlevel, init ${INIT_VERSION:+named}" >/dev/console
"""
HALT_LOCAL = b'#!/bin/sh\n/root/facts halt.local "$@"\necho halt.local: "$#" "$@"\n'
# In the place of the program that every reboot of 5 and 6 calls last; nothing is loaded, so it has to come back.
KEXEC = b'#!/bin/sh\n/root/facts kexec "$@"\necho "fact: kexec $*" >/dev/console\nexit 1\n'
# It leaves its lock file, so that S00killall finds it again.
SERVICE = r"""#!/bin/sh
# {words}
case $(readlink /proc/$$/fd/1) in
pipe:*) out=pipe ;;
*) out=console ;;
esac
echo "fact: $0 $* to a $out" >/dev/console
echo "$0 printed this"
exit {code}
"""


class Release(NamedTuple):
    """What a release does on its way down: the lines of our probes, and the lines of its own scripts, each in their order.

    `quiet` are the words that make its rc call a script without a line of its own; without them it says `action`'s.
    """

    arguments: str
    moments: List[str]
    lines: List[str]
    quiet: str
    shown: bool


def moment(name: str, arguments: int, sys: str, root: str, proc: str, init: str = "named") -> str:
    """Return the line of FACTS; /dev/pts is unmounted with the last disks, by all of them, and halt has its own locale."""
    return (
        f"{name}: {arguments} arguments, /sys {sys}, /dev/pts gone, / {root}, /proc {proc}, LC_ALL=C, levels 6 6, init {init}"
    ).strip()


KILLS = ["Stopping crond", "Shutting down loopback", "Sending all processes the TERM signal", "Please stand by"]
WORDS = "Please stand by while rebooting the system..."
RELEASES: Dict[int, Release] = {
    6: Release(
        arguments=f"4 {WORDS} /sbin/reboot -d -p /sbin/kexec",
        moments=[moment("halt.local", 4, "there", "rw", "rw", ""), moment("kexec", 2, "there", "ro", "ro", ""), "kexec -e -x"],
        lines=["Stopping crond", "Shutting down loopback", "Stopping atd", *KILLS[2:]],
        quiet="nothing", shown=True,
    ),
    5: Release(
        arguments="0",
        moments=[moment("halt.local", 0, "gone", "rw", "rw"), moment("kexec", 2, "gone", "ro", "ro"), "kexec -e -x"],
        lines=["Stopping crond", "Shutting down loopback", "Stopping atd", "Starting killall", KILLS[2], "Unmounting", KILLS[3]],
        quiet="see init.d/functions", shown=True,
    ),
    4: Release(
        arguments="0",
        moments=[moment("halt.local", 0, "gone", "ro", "ro")],
        # what S00killall stops is not heard of
        lines=["Stopping crond", "Shutting down loopback", "Starting killall", *KILLS[2:]],
        quiet="no action of ours", shown=False,
    ),
}


def stock(release: int) -> Snapshot:
    """Return the guest of this release at its prompt."""
    return take(rhel.build(rhel.SHAPES[release]))


def put_service(machine: Machine, name: str, words: str, code: int) -> None:
    """Put a service into the guest that rc finds started, stopped at the beginning of a reboot."""
    machine.put(f"/etc/init.d/{name}", SERVICE.format(words=words, code=code).encode(), 0o755)
    machine.check(f"ln -s ../init.d/{name} /etc/rc.d/rc6.d/K02{name}; touch /var/lock/subsys/{name}")


def put_probes(machine: Machine, release: int) -> None:
    """Put probes at each moment of a reboot, and files where rc.sysinit clears."""
    machine.put("/root/facts", FACTS, 0o755)
    machine.put("/sbin/halt.local", HALT_LOCAL, 0o755)
    machine.put("/sbin/kexec", KEXEC, 0o755)
    put_service(machine, "plain", "nothing", 0)
    put_service(machine, "failing", "nothing", 1)
    put_service(machine, "worded", RELEASES[release].quiet, 0)
    put_service(machine, "unmarked", "nothing", 0)
    machine.check("rm /var/lock/subsys/unmarked; mkdir -p /var/run/a/b; touch /var/run/1 /var/run/a/2 /var/run/a/b/3")


def assert_in_order(log: str, texts: List[str]) -> None:
    """Fail unless `log` has all of `texts`, in this order."""
    places = [log.find(text) for text in texts]
    assert -1 not in places, texts[places.index(-1)]
    assert places == sorted(places), texts


def assert_scripts_called_as_in(release: int, log: str) -> None:
    """Fail unless rc and S00killall have called the probes as this release's do."""
    facts = re.findall("^fact: (/.*)$", log, re.MULTILINE)
    piped = "pipe" if release == 4 else "console"
    first = [f"/etc/rc6.d/K02{name} stop to a {piped}" for name in ("failing", "plain")]
    second = [f"/etc/init.d/{name} stop to a {piped}" for name in ("failing", "plain", "worded")]
    assert facts == [*first, "/etc/rc6.d/K02worded stop to a console", *second]
    shown = set(re.findall("^(?:Stopping [a-z]*: )?/etc/rc6.d/K02([a-z]*) printed this$", log, re.MULTILINE))
    assert shown == {"failing", "worded", *(["plain"] if RELEASES[release].shown else [])}
    said = set(re.findall(r"^Stopping (failing|plain|worded): ", log, re.MULTILINE))
    assert said == (set() if release == 6 else {"failing", "plain"})
    assert "nfs: stop" not in log, "rc runs a K script without its lock file"


@full
@pytest.mark.parametrize("release", [6, 5, 4])
def test_reboot_is_the_releases_own_is_cold_and_comes_back(start: StartMachine, release: int) -> None:
    machine, expected = start(stock(release).setup()), RELEASES[release]
    assert machine.check("runlevel; cat /etc/redhat-release") == "N 3\n" + rhel.SHAPES[release].redhat_release
    assert machine.check("rpm -V initscripts") == ""
    dev = {6: "devtmpfs", 5: "tmpfs", 4: "tmpfs"}[release]
    assert machine.check("awk '$2 == \"/dev\" { kind = $3 } END { print kind }' /proc/mounts") == dev
    put_probes(machine, release)
    before, old = gather(machine), len(machine.log_text())
    machine.send("reboot")
    assert machine.wait_end() is EndReason.RESET
    log = machine.log_text()[old:]
    assert_scripts_called_as_in(release, log)
    assert_in_order(log, expected.lines)
    assert re.findall("^fact: ((?:halt.local|kexec).*?) *$", log, re.MULTILINE) == expected.moments
    assert f"halt.local: {expected.arguments}\n" in log
    machine.restart()
    machine.wait_login()
    assert_came_cold(before, gather(machine))
    kept = machine.check("ls -d /var/run/1 /var/run/a/2 /var/run/a/b/3 2>/dev/null || :")
    assert kept == ("" if release == 6 else "/var/run/a/b/3")


@full
@pytest.mark.parametrize("release", [6, 5])
def test_a_loaded_kernel_is_executed_by_a_halt_that_knows_kexec(start: StartMachine, release: int) -> None:
    machine = start(stock(release).setup())
    before = gather(machine)
    machine.check(LOAD)
    machine.send("reboot")
    machine.wait_login()
    assert_came_by_kexec(before, gather(machine))


@full
def test_a_loaded_kernel_is_left_by_a_halt_that_does_not(start: StartMachine) -> None:
    machine = start(stock(4).setup())
    machine.check(LOAD)
    machine.send("reboot")
    assert machine.wait_end() is EndReason.RESET


@full
@pytest.mark.parametrize("release", rhel.SHAPES)
@pytest.mark.parametrize("command, end", [("poweroff", EndReason.POWEROFF), ("shutdown -h -H now", EndReason.HALTED)])
def test_off_is_off_with_a_loaded_kernel(
    start: StartMachine, release: int, command: str, end: EndReason
) -> None:
    machine = start(stock(release).setup())
    # As in test_rhel: 4 goes by this file, 5 and 6 by INIT_HALT, for which Debian's halt(8) does not ask as theirs does.
    machine.check("touch /halt" if end is EndReason.HALTED else "true")
    machine.check(LOAD)
    machine.send(command)
    assert machine.wait_end() is end
