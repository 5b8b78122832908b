"""The last step, called by /etc/init.d/reboot as `kexec-initd jump`: whatever it calls does or does not do, a reboot follows."""

import os
import pty
import subprocess
from typing import Dict, List, Optional

import pytest

from tests.scripts.jail import MOUNTS, Jail
from tests.scripts.terminal import BIND
from tests.unit.hook_files import FAULTY_DIRECTORIES, LEFTOVERS, MEANT

PYTHON = "../usr/bin/python3"
RUNTIME = "python3 -I -S /usr/lib/python3/dist-packages/kexec_initd/stages/jump.py"


@pytest.fixture
def python(jail: Jail) -> Jail:
    (jail.root / "usr/bin").mkdir(parents=True, exist_ok=True)
    jail.fake(PYTHON, "exit 10")
    return jail


def test_the_runtime_is_called_and_after_it_the_cold_reboot(python: Jail) -> None:
    said = python.run("reboot", "stop").said
    assert python.calls() == [RUNTIME, "reboot -d -f -i"]
    assert said.startswith("Will now restart.\nkexec-initd: starting the loaded kernel\n")


@pytest.mark.parametrize("level", ["2", "0", "1", "S", "66", ""])
def test_outside_of_a_reboot_there_is_none_whatever_was_decided(python: Jail, level: str) -> None:
    """The distribution's own reboots then, too; the shell alone would not be stopped by anything else."""
    python.fake(PYTHON, "exit 1")
    python.fake("runlevel", "echo unknown")
    said = python.run("reboot", "stop", runlevel=level).said
    assert python.calls()[-1:] == ["reboot -d -f -i"]
    assert not [call for call in python.calls() if call.split()[0] in ("python3", "kexec")]
    assert "reboot goes through firmware: the runlevel is {}, not 6".format(level or "unknown") in said


def test_without_the_variable_of_init_the_level_is_found(python: Jail) -> None:
    python.write("run/runit.runlevel", "6")
    python.run("reboot", "stop", runlevel="")
    assert python.calls() == [RUNTIME, "reboot -d -f -i"]


@pytest.mark.parametrize("code", [3, 10])
def test_a_runtime_that_went_cold_itself_is_believed(python: Jail, code: int) -> None:
    python.fake(PYTHON, "exit {}".format(code))
    python.run("reboot", "stop")
    assert python.calls()[1:] == ["reboot -d -f -i"]


@pytest.mark.parametrize("body", ["exit 1", "exit 0", "kill -SEGV $$", "kill -KILL $$", "kill -TERM $$", "exit 127"])
def test_a_runtime_that_failed_is_replaced_by_the_shell(python: Jail, body: str) -> None:
    python.fake(PYTHON, body)
    said = python.run("reboot", "stop").said
    assert [call.split()[0] for call in python.calls()] == ["python3", "sync", "umount", "kexec", "reboot"]
    assert "the runtime failed" in said
    assert "kexec -e came back with code 1" in said


def test_no_python_at_all(jail: Jail) -> None:
    jail.run("reboot", "stop")
    assert [call.split()[0] for call in jail.calls()] == ["sync", "umount", "kexec", "reboot"]


def test_without_the_runtime_hooks_cannot_run_so_it_goes_cold(jail: Jail) -> None:
    jail.write("etc/kexec-initd/pre-jump.d/10-card", "#!/bin/sh\n", 0o755)
    said = jail.run("reboot", "stop").said
    assert jail.calls() == ["reboot -d -f -i"]
    assert "its hooks have not run" in said


def test_the_shell_alone_does_not_jump_over_a_writable_file_system(jail: Jail) -> None:
    jail.write("proc/mounts", "/dev/vda1 / ext4 ro 0 0\n/dev/vdb1 /srv ext4 rw,noatime 0 0\n")
    said = jail.run("reboot", "stop").said
    assert [call.split()[0] for call in jail.calls()] == ["sync", "umount", "umount", "reboot"]
    assert "/dev/vdb1 on /srv is still writable" in said


def test_the_shell_alone_does_not_jump_when_nobody_can_tell_what_is_mounted(jail: Jail) -> None:
    (jail.root / "proc/mounts").unlink()
    said = jail.run("reboot", "stop").said
    assert [call.split()[0] for call in jail.calls()] == ["sync", "umount", "umount", "reboot"]
    assert "kexec-initd: reboot goes through firmware: /proc/mounts cannot be read\n" in said


@pytest.mark.parametrize(
    "rows",
    ["/dev/vda1 / ext4 ro 0 0\n", "/dev/vda1 / ext4 ro 0 0\nsrv:/x /mnt nfs4 rw 0 0\nudev /dev devtmpfs rw 0 0\n"],
)
def test_what_the_hosts_own_scripts_have_unmounted_the_shell_alone_does_not_unmount_again(
    jail: Jail, rows: str
) -> None:
    jail.write("proc/mounts", rows)
    jail.run("reboot", "stop")
    assert jail.calls() == ["sync", "kexec -e", "reboot -d -f -i"]


DEAD = "/dev/vda1 / ext4 ro 0 0\nsrv:/x /mnt/a\\040b nfs4 rw 0 0\nme /mnt/f fuse.sshfs rw 0 0\n/dev/vdb /mnt/b ext4 rw 0 0\n"
EVERY = "umount -a -r -t noproc,nosysfs,nodevtmpfs,nodevpts,notmpfs"


def test_the_shell_alone_detaches_what_a_dead_server_holds_up_and_tries_again(jail: Jail) -> None:
    jail.write("proc/mounts", DEAD)
    jail.fake("losetup")
    jail.fake(
        "umount", "case $1 in -l) : >/detached ;; -a) [ ! -e /detached ] || echo / / ext4 ro >/proc/mounts ;; esac"
    )
    jail.run("reboot", "stop")
    detached = ["umount -l /mnt/a b", "umount -l /mnt/f"]
    assert jail.calls() == ["sync", EVERY, *detached, "losetup -D", EVERY, "kexec -e", "reboot -d -f -i"]


def test_the_shell_alone_never_detaches_where_programs_come_from(jail: Jail) -> None:
    rows = ("srv:/ / nfs rw 0 0", "srv:/usr /usr nfs4 rw 0 0", "srv:/x /usr/x nfs4 rw 0 0", "/dev/vdb /b ext4 rw 0 0")
    jail.write("proc/mounts", "".join(row + "\n" for row in rows))
    jail.run("reboot", "stop")
    assert [call for call in jail.calls() if call.startswith("umount -l")] == ["umount -l /usr/x"]


def test_the_shell_alone_never_detaches_a_disk(jail: Jail) -> None:
    jail.write("proc/mounts", DEAD)
    assert "/dev/vdb on /mnt/b is still writable" in jail.run("reboot", "stop").said
    assert not [call for call in jail.calls() if call.startswith("kexec") or call == "umount -l /mnt/b"]


def with_modules(jail: Jail, setting: str) -> None:
    jail.settings("# mine\n{}\n".format(setting))
    jail.write("proc/modules", "nvidia_drm 1 0 - Live 0x0\nnvidia 2 1 nvidia_drm, Live 0x0\nother 3 0 - Live 0x0\n")
    jail.fake("modprobe", 'grep -v "^$2 " /proc/modules >/rest; cat /rest >/proc/modules')


REMOVED = ["modprobe -r nvidia_drm", "modprobe -r nvidia"]


@pytest.mark.parametrize(
    "setting, calls",
    [
        ('REMOVE_MODULES="nvidia_drm absent nvidia"', REMOVED),
        ("REMOVE_MODULES=' nvidia_drm nvidia' # both", REMOVED),
        ("REMOVE_MODULES=nvidia_drm", REMOVED[:1]),
        ("REMOVE_MODULES=nvidia", REMOVED),
        ("REMOVE_MODULES=auto", REMOVED),
        ("REMOVE_MODULES=no", []),
        ("REMOVE_MODULES=nvidia_drm\nREMOVE_MODULES=no", []),
    ],
)
def test_the_shell_alone_removes_modules_in_their_order(jail: Jail, setting: str, calls: List[str]) -> None:
    with_modules(jail, setting)
    jail.run("reboot", "stop")
    assert jail.calls() == [*calls, "sync", EVERY, "kexec -e", "reboot -d -f -i"]


UNKNOWN = "what /etc/default/kexec-initd says about modules is not known"


@pytest.mark.parametrize(
    "names, reason",
    [
        ("nvidia-drm", "the module nvidia-drm could not be removed: in use by 0"),
        ("nvidia", "the module nvidia_drm could not be removed: in use by 0"),
        ("nvidia; touch /canary", "REMOVE_MODULES names no module: nvidia; touch /canary"),
        ("absent *", "REMOVE_MODULES names no module: absent *"),
        ("absent -f", "REMOVE_MODULES names no module: absent -f"),
        ("$(touch${IFS}/canary)", "REMOVE_MODULES names no module: $(touch${IFS}/canary)"),
        ("-f", "REMOVE_MODULES names no module: -f"),
    ],
)
def test_the_shell_alone_goes_cold_for_a_module_that_stays(jail: Jail, names: str, reason: str) -> None:
    with_modules(jail, "REMOVE_MODULES=nvidia")
    jail.write("run/kexec-initd/settings", "REMOVE_MODULES {0}\nREMOVE_MODULES {0}\n".format(names))
    jail.fake("modprobe", "exit 1")
    assert "kexec-initd: reboot goes through firmware: {}\n".format(reason) in jail.run("reboot", "stop").said
    assert not [call for call in jail.calls() if call.startswith("kexec")]
    assert not (jail.root / "canary").exists()


@pytest.mark.parametrize(
    "setting, uses, calls, bound",
    [
        ("auto", 0, ["plymouth quit", *REMOVED, "sync"], "0"),
        ("auto", 2, ["plymouth quit", REMOVED[0], "rmmod nvidia_drm", "reboot -d -f -i"], "1"),
        ("nvidia", 0, [*REMOVED, "sync"], "1"),
    ],
)
def test_the_shell_alone_has_consoles_let_go_of_graphics_and_binds_them_where_a_driver_stays(
    jail: Jail, setting: str, uses: int, calls: List[str], bound: str
) -> None:
    with_modules(jail, "REMOVE_MODULES=" + setting)
    jail.write("proc/modules", (jail.root / "proc/modules").read_text().replace("drm 1 0", "drm 1 {}".format(uses)))
    jail.fake("modprobe", 'grep -v "^$2 . 0\\|^$2 . 1 nv" /proc/modules >/rest; cat /rest >/proc/modules')
    jail.fake("rmmod")
    jail.fake("plymouth")
    jail.write("sys/class/vtconsole/vtcon1/name", "(M) frame buffer device\n")
    jail.write("sys/class/vtconsole/vtcon1/bind", "1\n")
    said = jail.run("reboot", "stop").said
    assert jail.calls()[: len(calls)] == calls
    assert (jail.root / "sys/class/vtconsole/vtcon1/bind").read_text().strip() == bound
    assert not uses or "firmware: the module nvidia_drm could not be removed: in use by 2\n" in said


@pytest.mark.parametrize("noted", [True, False])
@pytest.mark.parametrize("text", ["REMOVE_MODULES=nvidia_drm nvidia", "REMOVE_MODULES=-f", "KEXEC = no", "#\rKEXEC=no"])
def test_settings_that_were_not_understood_are_no_settings_without_modules(jail: Jail, text: str, noted: bool) -> None:
    jail.settings(text, noted)
    assert "reboot goes through firmware: {}\n".format(UNKNOWN) in jail.run("reboot", "stop").said
    assert jail.calls() == ["reboot -d -f -i"]


@pytest.mark.parametrize("text", [None, "", "# KEXEC=no\r\n\r\n\t \n#x"])
def test_where_nothing_is_set_nothing_has_to_be_written_down(jail: Jail, text: Optional[str]) -> None:
    if text is not None:
        jail.settings(text, noted=False)
    jail.run("reboot", "stop")
    assert [call.split()[0] for call in jail.calls()] == ["sync", "umount", "kexec", "reboot"]


def test_settings_that_were_not_read_are_no_settings_without_modules(jail: Jail) -> None:
    jail.settings("PRELOAD=no", noted=False)
    assert "reboot goes through firmware: {}\n".format(UNKNOWN) in jail.run("reboot", "stop").said


HOOKS = "etc/kexec-initd/pre-jump.d"


@pytest.mark.parametrize("case", sorted(MEANT))
def test_without_the_runtime_what_may_be_a_hook_means_cold(jail: Jail, case: str) -> None:
    place = jail.root / HOOKS
    place.mkdir(parents=True)
    MEANT[case](place)
    said = jail.run("reboot", "stop").said
    assert jail.calls() == ["reboot -d -f -i"]
    assert "reboot goes through firmware: the runtime failed (code 127), and /{}/".format(HOOKS) in said
    assert "is left out: it" in said and "\x1b" not in said and "\xff" not in said


@pytest.mark.parametrize("case", sorted(FAULTY_DIRECTORIES))
def test_without_the_runtime_a_directory_of_hooks_that_is_none_means_cold(jail: Jail, case: str) -> None:
    place = jail.root / HOOKS
    place.mkdir(parents=True)
    FAULTY_DIRECTORIES[case](place)
    jail.run("reboot", "stop")
    assert jail.calls() == ["reboot -d -f -i"]


def test_without_the_runtime_what_is_left_behind_is_no_hook(jail: Jail) -> None:
    for name in LEFTOVERS:
        jail.write("{}/{}".format(HOOKS, name), "#!/bin/sh\n", 0o755)
    jail.run("reboot", "stop")
    assert [call.split()[0] for call in jail.calls()] == ["sync", "umount", "kexec", "reboot"]


def test_the_runtime_is_told_the_modules(python: Jail) -> None:
    python.settings("REMOVE_MODULES='nvidia_drm nvidia'\n")
    python.run("reboot", "stop")
    assert python.calls()[0] == RUNTIME + " -- nvidia_drm nvidia"


DECISIONS = {
    "no decision": ("", "the early shutdown step left no decision"),
    "cold": ("cold because it was asked for\n", "because it was asked for"),
    "garbage": ("$(touch /canary); kexec -e\n", "the early shutdown step left no decision"),
    "half written": ("kex", "the early shutdown step left no decision"),
}


@pytest.mark.parametrize("case", DECISIONS)
def test_without_a_decision_for_kexec_it_goes_cold_and_says_why(python: Jail, case: str) -> None:
    text, reason = DECISIONS[case]
    python.write("run/kexec-initd/decision", text)
    said = python.run("reboot", "stop").said
    assert python.calls() == ["reboot -d -f -i"]
    assert "kexec-initd: reboot goes through firmware: {}\n".format(reason) in said
    assert not (python.root / "canary").exists()


def test_nothing_loaded(python: Jail) -> None:
    python.write("sys/kernel/kexec_loaded", "0\n")
    said = python.run("reboot", "stop").said
    assert python.calls() == ["reboot -d -f -i"]
    assert "no kernel is loaded" in said


@pytest.mark.parametrize("path", ["sys/kernel/kexec_loaded", "run/kexec-initd/decision"])
def test_a_missing_file_of_the_state_means_cold(python: Jail, path: str) -> None:
    (python.root / path).unlink()
    python.run("reboot", "stop")
    assert python.calls() == ["reboot -d -f -i"]


@pytest.mark.parametrize("body", ["exit 1", "exit 0", "kill -KILL $$"])
def test_a_reboot_that_comes_back_is_followed_by_sysrq(python: Jail, body: str) -> None:
    python.fake("reboot", body)
    assert "resetting through sysrq" in python.run("reboot", "stop").said
    assert python.sysrq() == "b"


def test_closed_descriptors_strand_nothing(python: Jail) -> None:
    python.write("etc/init.d/closed", "exec sh /etc/init.d/reboot stop <&- >&- 2>&-\n")
    python.run("closed")
    assert python.calls() == [RUNTIME, "reboot -d -f -i"]


@pytest.mark.parametrize("decision", ["kexec\n", "cold for a reason\n"])
@pytest.mark.parametrize("code", [10, 1])
def test_a_console_that_fails_changes_nothing(python: Jail, decision: str, code: int) -> None:
    """/dev/full takes nothing, and so does a terminal that was hung up."""
    python.fake(PYTHON, "exit {}".format(code))
    python.write("run/kexec-initd/decision", decision)
    python.run("reboot", "stop")
    good = python.calls()
    (python.root / "calls").unlink()
    python.write("proc/mounts", MOUNTS)
    python.write("dev/console", "")
    ours, theirs = pty.openpty()
    os.close(ours)
    subprocess.run(
        ["unshare", "-m", "sh", "-c", BIND, "sh", "/dev/full", str(python.root), "/bin/sh", "/etc/init.d/reboot", "stop"],
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, check=False, timeout=60.0,
        env={"RUNLEVEL": "6", "PATH": "/bin:/usr/bin:/sbin:/usr/sbin"},
    )  # fmt: skip
    os.close(theirs)
    assert python.calls() == good
    assert good[-1] == "reboot -d -f -i" and python.sysrq() == "b"


def test_a_missing_reboot_is_followed_by_sysrq(python: Jail) -> None:
    (python.root / "bin/reboot").unlink()
    python.run("reboot", "stop")
    assert python.sysrq() == "b"


@pytest.mark.parametrize("gone", ["sleep", "head", "umount", "sync", "kexec"])
def test_a_missing_tool_strands_nothing(jail: Jail, gone: str) -> None:
    jail.write("etc/default/halt", "NETDOWN=yes\n")
    (jail.root / "bin" / gone).unlink()
    jail.run("reboot", "stop")
    assert jail.calls()[-1] == "reboot -d -f -i"
    assert jail.sysrq() == "b"


NETDOWN: Dict[str, bool] = {
    "NETDOWN=no\n": False,
    "NETDOWN=yes\n": True,
    'NETDOWN="no"': False,
    "  NETDOWN='no' # wake on LAN\n": False,
    "#NETDOWN=no\n": True,
    "NETDOWN=no\nNETDOWN=yes\n": True,
    "NETDOWN=$(touch /canary)\n": True,
    'HALT="open quote\nNETDOWN=no\n': False,
    "exit 0\nNETDOWN=no\n": False,
    "set -e\nfalse\n": True,
    "reboot() { :; }\n": True,
    "readonly PATH=/nowhere\n": True,
    "x" * 10_000_000: True,
    "\\\n": True,
    "": True,
}


@pytest.mark.parametrize("text", NETDOWN, ids=lambda text: repr(text[:30]))
def test_default_halt_is_read_and_never_run(python: Jail, text: str) -> None:
    python.write("etc/default/halt", text)
    done = python.run("reboot", "stop", limit=30)
    if NETDOWN[text]:
        assert python.calls() == [RUNTIME, "reboot -d -f -i"]
    else:
        assert python.calls() == [RUNTIME + " -x", "reboot -d -f"]
    assert not (python.root / "canary").exists()
    assert done.seconds < 25


@pytest.mark.parametrize("level", ["2", "6"])
def test_the_verb_alone_goes_cold_by_saying_so_and_leaves_the_reboot_to_its_caller(python: Jail, level: str) -> None:
    done = python.run("kexec-initd", "jump", "-i", runlevel=level)
    assert done.code == 10
    assert "reboot" not in [call.split()[0] for call in python.calls()]
    assert done.said.startswith("Will now restart.\nkexec-initd: ")
    assert python.sysrq() == ""


VERBS = {
    "start": (0, ""),
    "status": (0, ""),
    "restart": (3, "Error: argument 'restart' not supported\n"),
    "reload": (3, "Error: argument 'reload' not supported\n"),
    "force-reload": (3, "Error: argument 'force-reload' not supported\n"),
    "": (3, "Usage: /etc/init.d/reboot start|stop\n"),
    "halt": (3, "Usage: /etc/init.d/reboot start|stop\n"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_other_verbs_do_what_the_distribution_does(python: Jail, verb: str) -> None:
    done = python.run("reboot", *filter(None, [verb]))
    assert (done.code, done.said) == VERBS[verb]
    assert python.calls() == []
    assert python.sysrq() == ""


def test_the_shell_alone_starts_the_watchdog_that_was_made_ready(jail: Jail) -> None:
    jail.write("run/kexec-initd/watchdog", "watchdog0 watchdog0\n")
    device = jail.write("dev/watchdog0", "not opened yet")
    said = jail.run("reboot", "stop").said
    assert "kexec-initd: watchdog0 watches the jump\n" in said
    assert device.read_text() == "", "a V would have stopped it"
    assert [call.split()[0] for call in jail.calls()] == ["sync", "umount", "kexec", "reboot"]


@pytest.mark.parametrize("there", [False, True])
def test_without_a_watchdog_that_was_made_ready_the_shell_alone_goes_cold(jail: Jail, there: bool) -> None:
    jail.write("run/kexec-initd/watchdog", "watchdog0 watchdog0\n")
    if there:
        (jail.root / "dev/watchdog0").mkdir(parents=True)
    said = jail.run("reboot", "stop").said
    assert "reboot goes through firmware: watchdog0 cannot be started\n" in said
    assert [call.split()[0] for call in jail.calls()] == ["sync", "umount", "reboot"]
