"""RHEL's /etc/rc.d/init.d/kexec-initd and /sbin/halt.local: the lock, the decision, the hooks, the jump."""

import shutil
from pathlib import Path

import pytest

from kexec_initd.host import gather
from kexec_initd.integration.render import render_all
from tests.scripts.jail import Jail
from tests.unit.hook_files import MEANT

RENDER = Path(__file__).resolve().parents[1] / "render"
LOCK = "var/lock/subsys/kexec-initd"
STATE = "dev/.kexec-initd"
SCRIPT = "kexec-initd"


def put_scripts(jail: Jail, host: str) -> Jail:
    """Put what is rendered for the host of a golden test into the jail."""
    root = RENDER / host / "root"
    for file in render_all(gather(root)):
        jail.write(file.path[1:], file.content.decode(), 0o755)
    shutil.rmtree(jail.root / "etc/init.d")
    (jail.root / "etc/init.d").symlink_to("rc.d/init.d")
    jail.copy(shutil.which("ls") or "ls")
    jail.write(LOCK, "")
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


def test_without_the_program_it_goes_cold_and_unloads_what_halt_would_execute(six: Jail) -> None:
    six.write(STATE + "/stamp", "")
    said = six.run(SCRIPT, "stop").said
    assert six.calls() == ["kexec-initd prepare", "kexec -u"]
    assert said.startswith("kexec-initd: reboot will go through firmware: ")
    assert (six.root / "sys/kernel/kexec_loaded").read_text() == "0\n"


def test_before_halt_executes_the_hooks_run(six: Jail) -> None:
    six.write("etc/kexec-initd/pre-jump.d/10-card", "#!/bin/sh\necho card down\n", 0o755)
    six.write("etc/kexec-initd/pre-jump.d/20-card.bak", "#!/bin/sh\necho never\n", 0o755)
    assert six.run(SCRIPT, "hooks").said == "card down\nkexec-initd: starting the loaded kernel\n"
    assert six.calls() == []


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
    assert (device.read_text(), six.calls()) == ("", [])


def test_a_watchdog_that_cannot_be_started_unloads(six: Jail) -> None:
    six.write(STATE + "/watchdog", "watchdog0 watchdog0\n")
    assert "reboot goes through firmware: watchdog0 cannot be started" in six.run(SCRIPT, "hooks").said
    assert six.calls() == ["kexec -u"]


@pytest.mark.parametrize("decision", ["", "cold for a reason\n", "kex"])
def test_without_a_decision_for_kexec_halt_finds_nothing_loaded(six: Jail, decision: str) -> None:
    six.write(STATE + "/decision", decision)
    said = six.run(SCRIPT, "hooks").said
    assert said.startswith("kexec-initd: reboot goes through firmware: ")
    assert six.calls() == ["kexec -u"]


@pytest.fixture
def four(jail: Jail) -> Jail:
    (jail.root / "usr/sbin").mkdir(parents=True)
    return put_scripts(jail, "rhel-4")


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
