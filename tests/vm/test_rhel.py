"""Our .rpm in guests shaped like RHEL 6, 5 and 4: installed, upgraded and removed by rpm, plain `reboot` typed."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.vm import rhel
from tests.vm.conftest import StartMachine
from tests.vm.deaf import STOPS, UNHEARD_LIMIT, assert_reboots_unheard
from tests.vm.evidence import Boot, assert_clean, gather
from tests.vm.qemu import EndReason, Machine
from tests.vm.reboots import assert_goes_cold, reboot_by_kexec, reboot_cold, reboot_quietly_cold
from tests.vm.snapshot import Snapshot, take, write_payload

STATE = "/dev/.kexec-initd"
# rc.local's block does this at the end of a boot, in the background.
WAIT_LOADED = f"for i in $(seq 120); do [ -s {STATE}/loaded.json ] && exit 0; sleep 1; done; cat {STATE}/preload.log; exit 1"
PRELOAD = ("/etc/init.d/kexec-initd preload", f"({WAIT_LOADED})")
# Every file with mode, owner, size and time (and digest, where ours changes any), every directory with mode and owner;
# not what the guest writes by itself: rpm's database, and the seed that each shutdown saves.
LIST = r"""
list () {
    find /etc /usr /boot /var/lib \( -path /var/lib/rpm -o -path /var/lib/random-seed \) -prune \
        -o -type d -printf '%p %m %U %G\n' -o -printf '%p %y %m %U %G %s %T@ %l\n'
    find /etc /usr/sbin /boot /var/lib \( -path /var/lib/rpm -o -path /var/lib/random-seed \) -prune \
        -o -type f -exec sha256sum {} +
}
list | LC_ALL=C sort"""


def stock(release: int) -> Snapshot:
    """Return the guest of this release at its prompt, without our package."""
    return take(rhel.build(rhel.SHAPES[release]))


def preloaded(release: int, rpm: Path) -> Snapshot:
    """Return the guest with our package, its kernel loaded as at the end of a boot."""
    return take(rhel.build(rhel.SHAPES[release]), (rpm,), PRELOAD)


def reboot_with_token_first(machine: Machine) -> Boot:
    """Type `reboot`, prove that it went by kexec; return the new boot."""
    boot = reboot_by_kexec(machine)
    assert boot.cmdline.startswith("kexec_initd.attempt=")
    return boot


def wait_for_preload(machine: Machine) -> None:
    """Wait until this boot has loaded the next kernel, which nobody but rc.local asked for."""
    machine.check(f"({WAIT_LOADED})", limit=180)
    assert machine.check("cat /sys/kernel/kexec_loaded") == "1"


def assert_nothing_gets_loaded(machine: Machine) -> None:
    """Fail if a kernel is loaded, or a load that could still end in one runs on."""
    over = "for i in $(seq 90); do pgrep -f kexec >/dev/null || exit 0; sleep 1; done; pgrep -af kexec; exit 1"
    machine.check(f"({over})", limit=180)
    assert machine.check("cat /sys/kernel/kexec_loaded") == "0"


@pytest.mark.parametrize("release", [pytest.param(6, marks=pytest.mark.full), 5, pytest.param(4, marks=pytest.mark.full)])
def test_installed_upgraded_and_removed(
    start: StartMachine, rpm: Path, newer_rpm: Path, tmp_path: Path, release: int
) -> None:
    payload = write_payload(tmp_path / "payload.tar", (rpm, newer_rpm))
    machine = start(stock(release).setup(payload))
    machine.unpack("/root")
    machine.check(LIST + " >/root/before", limit=300)

    machine.check(f"rpm -i /root/{rpm.name}", limit=300)
    version = machine.check("kexec-initd --version")
    reboot_with_token_first(machine)
    wait_for_preload(machine)
    reboot_with_token_first(machine)

    machine.check(f"rpm -U /root/{newer_rpm.name}", limit=300)
    assert machine.check("kexec-initd --version") != version
    reboot_with_token_first(machine)

    # in the first seconds after the login: the preload of this boot is under way
    machine.check("rpm -e kexec-initd", limit=300)
    assert machine.check("rpm -V initscripts") == ""
    machine.check(LIST + " >/root/after", limit=300)
    assert machine.run("diff /root/before /root/after").output == ""
    assert_nothing_gets_loaded(machine)
    reboot_quietly_cold(machine)


# How far the preload of a boot is when the package is removed: waiting for the boot to settle, asking, loading. Who looks for
# the last is as nice as the load itself, which would get next to nothing of the guest's one processor beside it.
UNDER_WAY = {
    "at-once": "true",
    "begun": "for i in $(seq 300); do pgrep -f 'initd.* preload$' && exit 0; sleep 0.1; done; exit 1",
    "loading": "nice -n 19 sh -c 'for i in $(seq 3000); do pgrep -f \"kexec -[l] \" && exit 0; sleep 0.02; done; exit 1'",
}
# A load that is still under way when rpm gets to the removal itself, however slow the guest is.
SLOW_KEXEC = b"""#!/bin/sh
case $1 in
-l) sleep 20 ;;
esac
exec /usr/sbin/kexec.bin "$@"
"""


@pytest.mark.full
@pytest.mark.parametrize("release", rhel.SHAPES)
@pytest.mark.parametrize("moment", UNDER_WAY)
def test_removal_leaves_nothing_loaded_by_a_preload_under_way(
    start: StartMachine, rpm: Path, release: int, moment: str
) -> None:
    machine = start(preloaded(release, rpm).setup())
    machine.check("kexec -u; mv /usr/sbin/kexec /usr/sbin/kexec.bin")
    machine.put("/usr/sbin/kexec", SLOW_KEXEC, 0o755)
    machine.check(f"rm -rf {STATE}; /etc/init.d/kexec-initd preload")
    machine.check(f"({UNDER_WAY[moment]})", limit=180)
    machine.check("rpm -e kexec-initd", limit=300)
    assert_nothing_gets_loaded(machine)


@pytest.mark.full
@pytest.mark.parametrize("release", rhel.SHAPES)
@pytest.mark.parametrize("command, end", [("poweroff", EndReason.POWEROFF), ("shutdown -h -H now", EndReason.HALTED)])
def test_off_is_off_with_a_kernel_loaded(
    start: StartMachine, rpm: Path, release: int, command: str, end: EndReason
) -> None:
    machine = start(preloaded(release, rpm).setup())
    # Without the file halt of 4 powers off, too; those of 5 and 6 go by INIT_HALT, which Debian's halt(8) does not have set.
    machine.check("touch /halt" if end is EndReason.HALTED else "true")
    assert machine.check("cat /sys/kernel/kexec_loaded") == "1"
    machine.send(command)
    assert machine.wait_end() is end


class Fault(NamedTuple):
    """What is done to the guest before `reboot`, the reason that the console must give, and whether its disk boots yet.

    Without a reason it goes by kexec all the same.
    """

    harm: str
    reason: str = ""
    boots: bool = True


FAULTS = {
    "no-kexec-program": Fault("rm /sbin/kexec", "the program kexec is missing"),
    "loading-disabled": Fault("kexec -u; sysctl -w kernel.kexec_load_disabled=1", "loading is disabled"),
    "kernel-cut": Fault("truncate -s 5000000 /boot/vmlinuz-$(uname -r)", "it is cut", boots=False),
    "no-initrd": Fault("rm /boot/init*-$(uname -r).img", "is missing", boots=False),
    "hook-fails": Fault("ln -s /bin/false /etc/kexec-initd/pre-jump.d/50-no", "50-no failed with exit code 1"),
    "cold-once": Fault("touch /no-kexec-reboot", "asked for by /no-kexec-reboot"),
    "unloaded-by-hand": Fault("kexec -u"),
    "never-called": Fault("rm /var/lock/subsys/kexec-initd", "the early shutdown step left no decision"),
    "unload-does-nothing": Fault(
        "mv /usr/sbin/kexec /usr/sbin/kexec.bin && printf '%s\\n' '#!/bin/sh' 'case \" $* \" in *\" -u \"*) exit 0 ;; esac'"
        " 'exec /usr/sbin/kexec.bin \"$@\"' >/usr/sbin/kexec && chmod 755 /usr/sbin/kexec && touch /no-kexec-reboot",
        "asked for by /no-kexec-reboot",
    ),
    "no-python": Fault("rm /usr/bin/python3*"),
    "no-python-nothing-loaded": Fault("kexec -u; rm /usr/bin/python3*", "nothing fit is loaded"),
}


@pytest.mark.full
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("release", rhel.SHAPES)
def test_with_a_fault_it_comes_back(start: StartMachine, rpm: Path, release: int, name: str) -> None:
    fault = FAULTS[name]
    machine = start(preloaded(release, rpm).setup())
    machine.check(fault.harm)
    if not fault.reason:
        reboot_with_token_first(machine)
    elif fault.boots:
        reboot_cold(machine, fault.reason)
    else:
        # Nothing can boot that from the disk again: that it goes cold, and why, is what we have to show.
        assert_goes_cold(machine, fault.reason)


def assert_a_hang_is_ended(machine: Machine, line: str) -> None:
    """Let halt hang behind its `line`, a pattern; fail unless the guest is reset and comes back, clean."""
    halt = "/etc/rc.d/init.d/halt"
    machine.check(f"sed -i '{line}a sleep 1000' {halt}; echo SHUTDOWN_LIMIT=40 >>/etc/sysconfig/kexec-initd")
    assert machine.check(f"grep -c '^sleep 1000$' {halt}") == "1"
    machine.send("reboot")
    assert machine.wait_end() is EndReason.RESET
    assert "the shutdown did not lead to a reboot, it takes longer than 40 s" in machine.log_text()
    machine.restart()
    machine.wait_login()
    assert_clean(gather(machine))


@pytest.mark.full
@pytest.mark.parametrize("release", rhel.SHAPES)
def test_a_halt_that_hangs_behind_its_killall5_is_ended(start: StartMachine, rpm: Path, release: int) -> None:
    assert_a_hang_is_ended(start(preloaded(release, rpm).setup()), "/killall5 -9$/")


@pytest.mark.full
@pytest.mark.parametrize("release", rhel.SHAPES)
def test_a_halt_that_hangs_when_proc_is_read_only_is_ended(start: StartMachine, rpm: Path, release: int) -> None:
    machine = start(preloaded(release, rpm).setup())
    # 4 has its last step behind that, from which it would not come back
    machine.check("touch /no-kexec-reboot")
    assert_a_hang_is_ended(machine, "/^remount_read_only$/")


@pytest.mark.full
@pytest.mark.parametrize("release", rhel.SHAPES)
@pytest.mark.parametrize("stop", STOPS)
def test_a_console_that_takes_no_output_holds_no_reboot_up(
    start: StartMachine, rpm: Path, release: int, stop: str
) -> None:
    machine = start(preloaded(release, rpm).setup())
    machine.check(f"echo SHUTDOWN_LIMIT={UNHEARD_LIMIT} >>/etc/sysconfig/kexec-initd")
    assert_reboots_unheard(machine, stop)


# What another package may have before ours, with its mark that it runs.
LOUD = """\
printf '#!/bin/sh\\nyes | head -c 100000 >/dev/console\\n' >/etc/rc.d/init.d/aloud
chmod 755 /etc/rc.d/init.d/aloud
ln -s ../init.d/aloud /etc/rc.d/rc6.d/K00aloud
: >/var/lock/subsys/aloud"""


@pytest.mark.full
@pytest.mark.parametrize("release", [4, 5])
def test_a_script_before_ours_that_waits_for_a_stopped_console_holds_no_reboot_up(
    start: StartMachine, rpm: Path, release: int
) -> None:
    machine = start(preloaded(release, rpm).setup())
    machine.check(f"echo SHUTDOWN_LIMIT={UNHEARD_LIMIT} >>/etc/sysconfig/kexec-initd; {LOUD}")
    assert_reboots_unheard(machine, "unread")


@pytest.mark.full
@pytest.mark.parametrize("release", [6, 5, 4])
def test_the_admins_halt_local_is_called_and_given_back(
    start: StartMachine, rpm: Path, tmp_path: Path, release: int
) -> None:
    machine = start(stock(release).setup(write_payload(tmp_path / "payload.tar", (rpm,))))
    machine.unpack("/root")
    machine.put("/sbin/halt.local", b'#!/bin/sh\necho halt.local: "$#" "$@" >/dev/console\n', 0o750)
    look = "stat -c '%a %u %g %Y' /sbin/halt.local; cat /sbin/halt.local"
    before = machine.check(look)
    machine.check(f"rpm -i /root/{rpm.name}", limit=300)
    reboot_with_token_first(machine)
    called = re.findall("^halt.local: (.*)$", machine.log_text(), re.MULTILINE)
    assert called == ["4 Please stand by while rebooting the system... /sbin/reboot -d -p /sbin/kexec" if release == 6 else "0"]
    machine.check("rpm -e kexec-initd", limit=300)
    assert machine.check(look) == before


@pytest.mark.full
@pytest.mark.parametrize("release", rhel.SHAPES)
def test_an_upgrade_of_the_hooked_scripts_is_kept(
    start: StartMachine, rpm: Path, tmp_path: Path, release: int
) -> None:
    initscripts = rhel.build_init_tree(rhel.SHAPES[release], tmp_path, revision=2)
    machine = start(preloaded(release, rpm).setup(write_payload(tmp_path / "payload.tar", (initscripts,))))
    machine.unpack("/root")
    machine.check(f"rpm -U /root/{initscripts.name}", limit=300)
    assert machine.check("sed -n 2p /etc/rc.d/init.d/halt") == "# Revised."
    reboot_with_token_first(machine)
    machine.check("rpm -e kexec-initd", limit=300)
    # An rc.local that ours had changed was left to us by rpm: it keeps the time of the older package.
    assert machine.check("rpm -V --nomtime initscripts") == ""
    reboot_quietly_cold(machine)
