"""RHEL's /etc/rc.d/init.d/kexec-initd and /sbin/halt.local: the lock, the decision, the hooks, the jump."""

import shutil
from pathlib import Path

import pytest

from kexec_initd.install.render import render_all
from kexec_initd.system.host import Family, gather
from tests.scripts.jail import Jail
from tests.unit.hook_files import MEANT

RENDER = Path(__file__).resolve().parents[1] / "render/hosts"
LOCK = "var/lock/subsys/kexec-initd"
STATE = "dev/.kexec-initd"
EVERY = "umount -a -r -t noproc,nosysfs,nodevtmpfs,nodevpts,notmpfs"
SCRIPT = "kexec-initd"


def put_scripts(jail: Jail, host: str) -> Jail:
    """Put what is rendered for the host of a golden test into the jail."""
    root = RENDER / host
    for file in render_all(gather(root)):
        jail.write(file.path[1:], file.content.decode(), 0o755)
    shutil.rmtree(jail.root / "etc/init.d")
    (jail.root / "etc/init.d").symlink_to("rc.d/init.d")
    jail.copy(shutil.which("ls") or "ls")
    jail.write(LOCK, "")
    jail.family, jail.state = Family.RHEL, STATE
    jail.write(STATE + "/decision", "kexec\n")
    jail.fake("../usr/sbin/kexec-initd", "exit 1")
    return jail


@pytest.fixture
def six(jail: Jail) -> Jail:
    (jail.root / "usr/sbin").mkdir(parents=True)
    return put_scripts(jail, "centos-6")


def names(jail: Jail) -> "list[str]":
    return [call.split()[0] for call in jail.calls()]


def test_started_it_leaves_the_lock_without_which_rc_passes_it_over(six: Jail) -> None:
    (six.root / LOCK).unlink()
    assert six.run(SCRIPT, "start", runlevel="3").said == ""
    assert (six.root / LOCK).exists()
    assert six.calls() == []


def test_preload_leaves_the_lock_and_loads_later(six: Jail) -> None:
    (six.root / LOCK).unlink()
    six.run(SCRIPT, "preload", runlevel="3")
    assert (six.root / LOCK).exists()


def test_a_machine_that_goes_off_before_anyone_has_confirmed_the_boot_has_the_program_do_it(six: Jail) -> None:
    six.write("var/lib/kexec-initd/attempts", "kexec-initd attempts 1\nlast under-way 0 0 0 0\n")
    six.fake("../usr/sbin/kexec-initd", "")
    six.run(SCRIPT, "stop", runlevel="0")
    assert six.calls() == ["kexec-initd prepare"]


@pytest.mark.parametrize("runlevel", ["0", "1", "3"])
def test_outside_of_a_reboot_nothing_is_decided(six: Jail, runlevel: str) -> None:
    for verb in ("stop", "hooks", "jump"):
        assert six.run(SCRIPT, verb, runlevel=runlevel).said == ""
    assert six.calls() == []
    assert not (six.root / LOCK).exists()
    assert (six.root / STATE / "decision").read_text() == "kexec\n"


def test_the_early_step_asks_the_program_and_removes_the_lock(six: Jail) -> None:
    six.fake("../usr/sbin/kexec-initd", "echo kexec >/{}/decision".format(STATE))
    six.run(SCRIPT, "stop")
    assert six.calls() == ["kexec-initd prepare"]
    assert not (six.root / LOCK).exists()


def set_session(jail: Jail, session: int) -> None:
    jail.write("proc/self/stat", "{} (kexec-initd) S 1 1 {} 0 -1 4194304 0\n".format(2**22 + 1, session))


def test_a_second_call_in_one_shutdown_decides_nothing_again(six: Jail) -> None:
    """S00killall stops what has a lock: once more what a boot that was still under way has given one again."""
    set_session(six, 100)
    six.write("no-kexec-reboot", "")
    six.fake("../usr/sbin/kexec-initd", "echo kexec >/{}/decision".format(STATE))
    six.run(SCRIPT, "stop")
    six.run(SCRIPT, "start")
    calls = six.calls()
    six.run(SCRIPT, "stop")
    assert six.calls() == calls
    assert not (six.root / STATE / "decision").exists(), "no decision is a cold one"
    set_session(six, 200)
    six.run(SCRIPT, "stop")
    assert (six.root / STATE / "decision").read_text() == "kexec\n"


def test_the_decision_of_a_shutdown_that_was_called_off_is_none_for_the_next(six: Jail) -> None:
    six.run(SCRIPT, "start", runlevel="3")
    assert six.run(SCRIPT, "hooks").said.endswith("the early shutdown step left no decision\n")
    assert six.calls() == ["kexec -u"]


def test_where_nobody_tells_the_level_halt_has_what_was_decided(six: Jail) -> None:
    six.fake("runlevel", "echo unknown")
    said = six.run(SCRIPT, "hooks", runlevel="").said
    assert said == "kexec-initd: reboot goes through firmware: the runlevel is unknown, not 6\n"
    assert six.calls() == ["runlevel", "kexec -u"]


def test_without_the_program_it_goes_cold_and_unloads_what_halt_would_execute(six: Jail) -> None:
    six.write(STATE + "/stamp", "")
    said = six.run(SCRIPT, "stop").said
    assert six.calls() == ["kexec-initd prepare", "kexec -u"]
    assert said.startswith("kexec-initd: reboot goes through firmware: ")
    assert (six.root / "sys/kernel/kexec_loaded").read_text() == "0\n"


def test_before_halt_executes_the_hooks_run(six: Jail) -> None:
    six.write("etc/kexec-initd/pre-jump.d/10-card", "#!/bin/sh\necho card down\n", 0o755)
    six.write("etc/kexec-initd/pre-jump.d/20-card.bak", "#!/bin/sh\necho never\n", 0o755)
    assert six.run(SCRIPT, "hooks").said == "card down\nkexec-initd: starting the loaded kernel\n"
    assert six.calls() == ["sync", EVERY]


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o644])
@pytest.mark.parametrize("user", [0, 1])
def test_a_hook_that_is_not_roots_alone_unloads(six: Jail, mode: int, user: int) -> None:
    hook = six.write("etc/kexec-initd/pre-jump.d/10-card", "#!/bin/sh\necho never\n", mode)
    shutil.chown(hook, user, user)
    said = six.run(SCRIPT, "hooks").said
    assert (
        "reboot goes through firmware: /etc/kexec-initd/pre-jump.d/10-card is left out: it is no program of root"
        in said
    )
    assert ("never" in said, six.calls()) == (False, ["kexec -u"])


@pytest.mark.parametrize("case", sorted(MEANT))
def test_what_may_have_been_meant_as_a_hook_unloads(six: Jail, case: str) -> None:
    place = six.root / "etc/kexec-initd/pre-jump.d"
    place.mkdir(parents=True)
    MEANT[case](place)
    assert "is left out: it" in six.run(SCRIPT, "hooks").said
    assert six.calls() == ["kexec -u"]


def test_settings_that_nobody_has_read_unload(six: Jail) -> None:
    six.write("etc/sysconfig/kexec-initd", "REMOVE_MODULES=nvidia_drm nvidia\n")
    assert "what /etc/sysconfig/kexec-initd says about modules is not known" in six.run(SCRIPT, "hooks").said
    assert six.calls() == ["kexec -u"]
    six.write(STATE + "/settings", "REMOVE_MODULES \nREMOVE_MODULES \n")
    six.write("sys/kernel/kexec_loaded", "1\n")
    assert six.run(SCRIPT, "hooks").said == "kexec-initd: starting the loaded kernel\n"


def test_a_failing_hook_unloads_so_that_halt_executes_nothing(six: Jail) -> None:
    six.write("etc/kexec-initd/pre-jump.d/10-card", "#!/bin/sh\nexit 4\n", 0o755)
    said = six.run(SCRIPT, "hooks").said
    assert "reboot goes through firmware: /etc/kexec-initd/pre-jump.d/10-card failed with exit code 4" in said
    assert six.calls() == ["kexec -u"]


def test_before_halt_executes_the_watchdog_is_started(six: Jail) -> None:
    six.write(STATE + "/watchdog", "watchdog0 watchdog0\n")
    device = six.write("dev/watchdog0", "not opened yet")
    expected = "kexec-initd: watchdog0 watches the jump\nkexec-initd: starting the loaded kernel\n"
    assert six.run(SCRIPT, "hooks").said == expected
    assert (device.read_text(), six.calls()) == ("", ["sync", EVERY])


def test_a_watchdog_that_cannot_be_started_unloads(six: Jail) -> None:
    six.write(STATE + "/watchdog", "watchdog0 watchdog0\n")
    assert "reboot goes through firmware: watchdog0 cannot be started" in six.run(SCRIPT, "hooks").said
    assert six.calls() == ["sync", EVERY, "kexec -u"]


@pytest.mark.parametrize("decision", ["", "cold for a reason\n", "kex"])
def test_without_a_decision_for_kexec_halt_finds_nothing_loaded(six: Jail, decision: str) -> None:
    six.write(STATE + "/decision", decision)
    said = six.run(SCRIPT, "hooks").said
    assert said.startswith("kexec-initd: reboot goes through firmware: ")
    assert six.calls() == ["kexec -u"]


@pytest.fixture
def five(jail: Jail) -> Jail:
    (jail.root / "usr/sbin").mkdir(parents=True)
    return put_scripts(jail, "rhel-5")


@pytest.fixture
def four(jail: Jail) -> Jail:
    (jail.root / "usr/sbin").mkdir(parents=True)
    return put_scripts(jail, "rhel-4")


MOUNT_SYS = "mount -n -t sysfs sysfs /sys"


def unmount_sys(jail: Jail, loaded: str = "1") -> None:
    """As halt has before the last step; a mount brings it back, and unloading is seen there."""
    shutil.rmtree(jail.root / "sys/kernel")
    jail.fake("mount", "mkdir /sys/kernel && echo {} >/sys/kernel/kexec_loaded".format(loaded))


def test_the_last_step_has_sys_back_that_halt_has_unmounted(four: Jail) -> None:
    unmount_sys(four)
    four.run(SCRIPT, "jump")
    assert four.calls() == [MOUNT_SYS, "sync", EVERY, "kexec -e -x"]


def test_the_last_step_before_halt_executes_has_sys_back_that_halt_has_unmounted(five: Jail) -> None:
    unmount_sys(five)
    assert five.run(SCRIPT, "hooks").said == "kexec-initd: starting the loaded kernel\n"
    assert five.calls() == [MOUNT_SYS, "sync", EVERY]


def test_nothing_loaded_is_seen_where_sys_had_gone(four: Jail) -> None:
    unmount_sys(four, loaded="0")
    assert "reboot goes through firmware: no kernel is loaded" in four.run(SCRIPT, "jump").said
    assert four.calls() == [MOUNT_SYS]


UNREADABLE = "/sys/kernel/kexec_loaded, which tells whether a kernel is loaded, cannot be read"


@pytest.mark.parametrize("body", ["exit 32", "exit 0", None])
def test_where_sys_cannot_be_had_the_last_step_goes_cold(four: Jail, body: "str | None") -> None:
    shutil.rmtree(four.root / "sys/kernel")
    if body:
        four.fake("mount", body)
    assert "reboot goes through firmware: " + UNREADABLE in four.run(SCRIPT, "jump").said
    assert four.calls() == ([MOUNT_SYS] if body else [])


COLD_AT_ONCE = ["sync", EVERY, "reboot -d -f"]


def test_where_sys_cannot_be_had_halt_comes_to_nothing_that_it_could_execute(five: Jail) -> None:
    shutil.rmtree(five.root / "sys/kernel")
    said = five.run(SCRIPT, "hooks").said
    assert "reboot goes through firmware: " + UNREADABLE in said
    assert "cannot be unloaded: rebooting right here" in said
    assert five.calls() == ["kexec -u", "kexec -u -s", *COLD_AT_ONCE]
    assert five.sysrq() == "b", "the fake reboot came back"


@pytest.mark.parametrize("body", ["exit 0", "exit 1", "kill -KILL $$"])
def test_what_cannot_be_unloaded_is_not_left_to_a_halt_that_executes_it(five: Jail, body: str) -> None:
    five.write(STATE + "/decision", "cold for a reason\n")
    five.fake("kexec", body)
    assert "cannot be unloaded: rebooting right here" in five.run(SCRIPT, "hooks").said
    assert five.calls() == ["kexec -u", "kexec -u -s", *COLD_AT_ONCE]
    assert five.sysrq() == "b"


def test_what_only_the_newer_system_call_unloads_is_unloaded(five: Jail) -> None:
    five.write(STATE + "/decision", "cold for a reason\n")
    five.fake("kexec", 'case $* in "-u -s") echo 0 >/sys/kernel/kexec_loaded ;; esac')
    assert "cannot be unloaded" not in five.run(SCRIPT, "hooks").said
    assert five.calls() == ["kexec -u", "kexec -u -s"]


def test_without_kexec_halt_has_nothing_to_execute_with(five: Jail) -> None:
    (five.root / "bin/kexec").unlink()
    assert "reboot goes through firmware: the program kexec is missing" in five.run(SCRIPT, "hooks").said
    assert five.calls() == []


WRITABLE = "/dev/vda1 / ext4 rw 0 0\n"
READ_ONLY = "/dev/vda1 / ext4 ro 0 0\n"


def test_before_halt_executes_the_disks_are_made_read_only(five: Jail) -> None:
    five.write("proc/mounts", WRITABLE)
    five.fake("umount", "echo '{}' >/proc/mounts".format(READ_ONLY.strip()))
    assert five.run(SCRIPT, "hooks").said == "kexec-initd: starting the loaded kernel\n"
    assert five.calls() == ["sync", EVERY]


def test_halt_executes_nothing_over_a_writable_disk_since_it_never_looks(five: Jail) -> None:
    five.write("proc/mounts", WRITABLE)
    five.fake("umount")
    assert "reboot goes through firmware: /dev/vda1 on / is still writable" in five.run(SCRIPT, "hooks").said
    assert five.calls()[-1] == "kexec -u"


def test_the_last_step_by_the_shell(four: Jail) -> None:
    said = four.run(SCRIPT, "jump").said
    assert four.calls()[0] == "sync"
    assert four.calls()[-1] == "kexec -e -x"
    assert names(four) == ["sync", "umount", "kexec"]
    assert "reboot goes through firmware: kexec -e came back with code 1" in said


def test_the_last_step_with_a_failing_hook_comes_back(four: Jail) -> None:
    four.write("etc/kexec-initd/pre-jump.d/10-card", "#!/bin/sh\nexit 4\n", 0o755)
    assert "10-card failed with exit code 4" in four.run(SCRIPT, "jump").said
    assert four.calls() == []


def test_the_last_step_over_a_writable_disk_comes_back(four: Jail) -> None:
    four.write("proc/mounts", "/dev/vda1 / ext4 ro 0 0\n/dev/vdb1 /srv ext4 rw,noatime 0 0\n")
    assert "/dev/vdb1 on /srv is still writable" in four.run(SCRIPT, "jump").said
    assert names(four) == ["sync", "umount", "umount"]


def run_halt(jail: Jail, name: str) -> str:
    """Run RHEL 4's halt under one of its two names; what it calls are fakes."""
    if name != "halt":
        (jail.root / "etc/rc.d/init.d" / name).symlink_to("halt")
    for tool in ("mount", "../sbin/halt", "../sbin/reboot"):
        (jail.root / "sbin").mkdir(exist_ok=True)
        jail.fake(tool)
    return jail.run(name, "start").said


def test_halt_called_as_reboot_takes_the_last_step_and_goes_on_when_that_comes_back(four: Jail) -> None:
    run_halt(four, "reboot")
    assert names(four) == ["mount", "sync", "umount", "kexec", "reboot"]


def test_halt_called_as_halt_takes_none(four: Jail) -> None:
    run_halt(four, "halt")
    assert names(four) == ["mount", "halt"]


def test_halt_without_our_script_is_as_before(four: Jail) -> None:
    (four.root / "etc/rc.d/init.d/kexec-initd").unlink()
    run_halt(four, "reboot")
    assert names(four) == ["mount", "reboot"]


def test_usage(six: Jail) -> None:
    assert six.run(SCRIPT, "nonsense").code == 2
