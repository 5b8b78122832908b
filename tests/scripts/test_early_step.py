"""/etc/init.d/kexec-initd: it decides from the stamp in plain shell, and asks Python when something has changed."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable

import pytest

from kexec_initd.history.attempts import PATH
from kexec_initd.kexec import stamp
from kexec_initd.state.checksum import seal
from tests.scripts.jail import WHOLE, Jail
from tests.unit.waiting import eventually

WATCHED = (Path("/boot/vmlinuz-1 with space"), Path("/boot/initrd.img-1"), Path("/etc/default/kexec-initd"), PATH)
RECORD = "var/lib/kexec-initd/attempts"
COLD = "var/lib/kexec-initd/last-cold"
SYNCED = "sync /{}.new".format(RECORD)


@pytest.fixture
def early(jail: Jail) -> Jail:
    (jail.root / "usr/bin").mkdir(parents=True, exist_ok=True)
    jail.fake("../usr/bin/python3", "exit 1")
    (jail.root / "run/kexec-initd/decision").unlink()
    for path in WATCHED[:2]:
        jail.write(str(path)[1:], "content")
    (jail.root / "var/lib").mkdir(parents=True)
    jail.write("run/kexec-initd/attempt", WHOLE)
    jail.write("run/kexec-initd/stamp", stamp.text_for(jail.root, WATCHED))
    return jail


def decision(jail: Jail) -> str:
    return (jail.root / "run/kexec-initd/decision").read_text()


def test_nothing_changed_needs_no_python(early: Jail) -> None:
    assert early.run("kexec-initd", "stop").said == ""
    assert (decision(early), early.calls()) == ("kexec\n", [SYNCED])
    assert (early.root / RECORD).read_text() == WHOLE
    assert os.listdir(early.root / "var/lib/kexec-initd") == ["attempts"]
    assert (early.root / "var/lib/kexec-initd").stat().st_mode & 0o777 == 0o700


def test_settings_that_were_read_need_no_python(early: Jail) -> None:
    early.settings("REMOVE_MODULES=nvidia\nSHUTDOWN_LIMIT=70\n")
    early.write("run/kexec-initd/stamp", stamp.text_for(early.root, WATCHED))
    assert early.run("kexec-initd", "stop").said == ""
    assert (decision(early), early.calls()) == ("kexec\n", [SYNCED])


def test_drop_ins_that_were_read_and_those_that_say_nothing_need_no_python(early: Jail) -> None:
    early.write("etc/default/kexec-initd.d/50-switch.conf", "# KEXEC=no\n")
    early.write("etc/default/kexec-initd.d/README", "KEXEC=no\n")
    for read in (False, True):
        early.settings("REMOVE_MODULES=nvidia\n" if read else "#\n", noted=read)
        early.write("run/kexec-initd/stamp", stamp.text_for(early.root, WATCHED))
        assert early.run("kexec-initd", "stop").said == ""
        assert (decision(early), early.calls()[-1]) == ("kexec\n", SYNCED)


def test_what_is_dirty_is_written_meanwhile_and_nobody_waits_for_it(early: Jail) -> None:
    """As with a server that is gone. What would hold the script's output open would be waited for by whoever reads that."""
    (early.root / "bin/real-setsid").rename(early.root / "bin/setsid")
    (early.root / "run/sendsigs.omit.d").mkdir()
    early.fake("sync", '[ -n "$1" ] || { trap "" TERM; echo $$ >/syncing; exec real-sleep 40; }')
    done = early.run("kexec-initd", "stop", limit=30)
    assert (done.said, decision(early)) == ("", "kexec\n")
    assert eventually((early.root / "syncing").exists)
    pid = int((early.root / "syncing").read_text())
    try:
        assert (early.root / "run/sendsigs.omit.d/kexec-initd-sync").read_text() == "{}\n".format(pid)
        assert os.getsid(pid) == pid
        assert {os.readlink("/proc/{}/fd/{}".format(pid, fd)) for fd in os.listdir("/proc/{}/fd".format(pid))} == {
            str(early.root / "dev/null")
        }
    finally:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("level", ["0", "2"])
def test_only_a_reboot_has_an_early_sync(early: Jail, level: str) -> None:
    (early.root / "bin/real-setsid").rename(early.root / "bin/setsid")
    early.run("kexec-initd", "stop", runlevel=level)
    time.sleep(0.3)
    assert "sync" not in early.calls()


def lose_settings(early: Jail) -> None:
    early.settings("PRELOAD=no\n", noted=False)


def write_settings_anew(early: Jail) -> None:
    early.settings("REMOVE_MODULES=nvidia\n")
    early.write("etc/default/kexec-initd", "KEXEC=no\n")


def damage_settings(early: Jail) -> None:
    early.settings("REMOVE_MODULES=nvidia\n")
    early.write("run/kexec-initd/settings", "REMOVE_MODULES \nREMOVE_MODULES x\n")


def doubt_settings(early: Jail) -> None:
    early.settings("KEXEC = no\n")


def add_drop_in(early: Jail) -> None:
    early.settings("# nothing\n")
    early.write("etc/default/kexec-initd.d/50-switch.conf", "KEXEC=no\n")


def add_unread_drop_in(early: Jail) -> None:
    early.write("etc/default/kexec-initd.d/50-switch.conf", "KEXEC=no\n")


def add_misnamed_drop_in(early: Jail) -> None:
    early.write("etc/default/kexec-initd.d/switch", "KEXEC=no\n")


def change_drop_in(early: Jail) -> None:
    early.write("etc/default/kexec-initd.d/50-switch.conf", "KEXEC=yes\n")
    early.settings("")
    early.write("etc/default/kexec-initd.d/50-switch.conf", "KEXEC=no\n")


def remove_drop_in(early: Jail) -> None:
    early.write("etc/default/kexec-initd.d/50-gpu.conf", "REMOVE_MODULES=nvidia\n")
    early.settings("# x\nPRELOAD=yes\n")
    (early.root / "etc/default/kexec-initd.d/50-gpu.conf").unlink()


def put_a_hook_with_a_dot(early: Jail) -> None:
    early.write("etc/kexec-initd/pre-jump.d/10-nic.sh", "#!/bin/sh\n", 0o755)


@pytest.mark.parametrize(
    "change",
    [
        *(lose_settings, write_settings_anew, damage_settings, doubt_settings, put_a_hook_with_a_dot),
        *(add_drop_in, add_unread_drop_in, add_misnamed_drop_in, change_drop_in, remove_drop_in),
    ],
)
def test_settings_and_hooks_in_doubt_are_pythons_to_judge(early: Jail, change: Callable[[Jail], None]) -> None:
    change(early)
    early.write("run/kexec-initd/stamp", stamp.text_for(early.root, WATCHED))
    early.run("kexec-initd", "stop")
    assert [call for call in early.calls() if call.startswith("python3")] == ["python3 -I -m kexec_initd prepare"]
    assert decision(early).startswith("cold ")


def test_a_kernel_loaded_by_hand_stays_unless_nobody_could_read_the_settings(early: Jail) -> None:
    for name in ("stamp", "attempt"):
        (early.root / "run/kexec-initd" / name).unlink()
    early.run("kexec-initd", "stop")
    assert decision(early) == "kexec\n"
    early.settings("KEXEC=no\n", noted=False)
    assert "the program that would read /etc/default/kexec-initd failed" in early.run("kexec-initd", "stop").said
    assert decision(early).startswith("cold ")


def test_one_cold_reboot_has_unread_settings_read_for_the_dead_man(early: Jail) -> None:
    early.write("no-kexec-reboot", "")
    early.settings("SHUTDOWN_LIMIT=no\n", noted=False)
    early.fake("../usr/bin/python3", "printf 'SHUTDOWN_LIMIT 0\\nSHUTDOWN_LIMIT 0\\n' >/run/kexec-initd/settings")
    early.run("kexec-initd", "stop")
    assert decision(early) == "cold asked for by /no-kexec-reboot\n"
    assert [call for call in early.calls() if call.startswith("python3")] == ["python3 -I -m kexec_initd prepare"]


def test_the_attempt_is_on_the_disk_before_it_takes_its_name_and_the_decision_follows(early: Jail) -> None:
    early.write(RECORD, "the one before\n")
    early.write("run/kexec-initd/stamp", stamp.text_for(early.root, WATCHED))
    early.fake("sync", 'cat "$1" "${1%.new}" >/seen; [ ! -e /run/kexec-initd/decision ] || echo early >>/seen')
    early.run("kexec-initd", "stop")
    assert (early.root / "seen").read_text() == WHOLE + "the one before\n"
    assert decision(early) == "kexec\n"


def no_record(root: Path) -> None:
    (root / "run/kexec-initd/attempt").unlink()


def empty_record(root: Path) -> None:
    (root / "run/kexec-initd/attempt").write_text("")


def cut_record(root: Path) -> None:
    (root / "run/kexec-initd/attempt").write_text(WHOLE[:-3])


def another_record(root: Path) -> None:
    (root / "run/kexec-initd/attempt").write_text(WHOLE.replace(" 1", " 2", 1))


def a_directory_in_its_place(root: Path) -> None:
    (root / (RECORD + ".new")).mkdir(parents=True)


def no_directory(root: Path) -> None:
    (root / "var/lib").rmdir()
    (root / "var/lib").write_text("")


def no_sync(root: Path) -> None:
    (root / "bin/sync").write_text("#!/bin/sh\nexit 1\n")


@pytest.mark.parametrize(
    "obstacle",
    [no_record, empty_record, cut_record, another_record, a_directory_in_its_place, no_directory, no_sync],
)
def test_without_a_record_there_is_no_kexec(early: Jail, obstacle: Callable[[Path], None]) -> None:
    obstacle(early.root)
    early.run("kexec-initd", "stop")
    assert [call for call in early.calls() if not call.startswith("sync")] == [
        "python3 -I -m kexec_initd prepare", "kexec -u",
    ]  # fmt: skip
    assert decision(early).startswith("cold ")
    assert not (early.root / RECORD).exists()


def test_where_there_is_no_room_for_the_record_there_is_no_kexec(early: Jail) -> None:
    place = early.root / "var/lib/kexec-initd"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=0700", "none", str(place)], check=True)
    try:
        (place / "others").write_text("x")
        early.run("kexec-initd", "stop")
        assert "python3 -I -m kexec_initd prepare" in early.calls()
        assert decision(early).startswith("cold ")
        assert not (early.root / RECORD).exists()
    finally:
        subprocess.run(["umount", str(place)], check=True)


def trusted(root: Path) -> None:
    (root / "var/lib/kexec-initd").mkdir()
    (root / RECORD).write_text("another record\n")


def rewritten(root: Path) -> None:
    (root / "boot/initrd.img-1").write_text("other content")


def replaced(root: Path) -> None:
    (root / "boot/new").write_text("content")
    os.utime(root / "boot/new", ns=(0, (root / "boot/initrd.img-1").stat().st_mtime_ns))
    (root / "boot/new").rename(root / "boot/initrd.img-1")


def removed(root: Path) -> None:
    (root / "boot/vmlinuz-1 with space").unlink()


def configured(root: Path) -> None:
    (root / "etc/default/kexec-initd").write_text("KEXEC=no\n")


def cut_stamp(root: Path) -> None:
    text = (root / "run/kexec-initd/stamp").read_text()
    (root / "run/kexec-initd/stamp").write_text(text[: text.index("end ")])


def empty_stamp(root: Path) -> None:
    (root / "run/kexec-initd/stamp").write_text("")


def hostile_stamp(root: Path) -> None:
    (root / "run/kexec-initd/stamp").write_bytes(seal(b"$(touch /canary) /boot/x;touch /canary\n"))


def nothing_loaded(root: Path) -> None:
    (root / "sys/kernel/kexec_loaded").write_text("0\n")


CHANGES = [
    *(rewritten, replaced, removed, configured, cut_stamp, empty_stamp, hostile_stamp, nothing_loaded),
    trusted,
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_asks_python_whose_word_stands(early: Jail, change: Callable[[Path], None]) -> None:
    early.fake("../usr/bin/python3", "echo 'cold for a reason' >/run/kexec-initd/decision")
    change(early.root)
    early.run("kexec-initd", "stop")
    assert early.calls() == ["python3 -I -m kexec_initd prepare"]
    assert decision(early) == "cold for a reason\n"
    assert not (early.root / "canary").exists()


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_without_python_means_cold_and_unloaded(early: Jail, change: Callable[[Path], None]) -> None:
    change(early.root)
    said = early.run("kexec-initd", "stop").said
    assert early.calls() == ["python3 -I -m kexec_initd prepare", "kexec -u"]
    assert decision(early).startswith("cold ")
    assert said.startswith("kexec-initd: reboot goes through firmware: ")


def test_the_reason_of_a_cold_reboot_outlives_it(early: Jail) -> None:
    early.write("no-kexec-reboot", "")
    early.write(COLD, "undecided as nothing has been said so far\n")
    early.run("kexec-initd", "stop")
    assert (early.root / COLD).read_text() == "cold-once asked for by /no-kexec-reboot\n"


def test_what_holds_where_a_kexec_does_not_come_to_it_stays(early: Jail) -> None:
    early.write(COLD, "undecided as nothing has been said so far\n")
    early.run("kexec-initd", "stop")
    assert decision(early) == "kexec\n"
    assert (early.root / COLD).read_text() == "undecided as nothing has been said so far\n"


def test_without_python_nothing_is_said_of_a_kernel_loaded_by_hand(early: Jail) -> None:
    early.write(COLD, "undecided as nothing has been said so far\n")
    (early.root / "run/kexec-initd/stamp").unlink()
    (early.root / "run/kexec-initd/attempt").unlink()
    early.run("kexec-initd", "stop")
    assert decision(early) == "kexec\n"
    assert not (early.root / COLD).exists()


def test_without_python_a_kernel_loaded_by_hand_is_kept(early: Jail) -> None:
    for name in ("stamp", "attempt"):
        (early.root / "run/kexec-initd" / name).unlink()
    early.run("kexec-initd", "stop")
    assert early.calls() == ["python3 -I -m kexec_initd prepare"]
    assert decision(early) == "kexec\n"


@pytest.mark.parametrize("dangling", [False, True])
def test_cold_once_is_consumed_and_unloads(early: Jail, dangling: bool) -> None:
    flag = early.root / "no-kexec-reboot"
    if dangling:
        flag.symlink_to("nowhere")
    else:
        flag.write_text("")
    said = early.run("kexec-initd", "stop").said
    assert early.calls() == ["kexec -u"]
    assert decision(early) == "cold asked for by /no-kexec-reboot\n"
    assert said == "kexec-initd: reboot goes through firmware: asked for by /no-kexec-reboot\n"
    assert not os.path.lexists(flag)


def test_a_cold_reboot_before_anyone_has_confirmed_the_boot_has_python_do_it(early: Jail) -> None:
    early.write(RECORD, "kexec-initd attempts 1\nlast under-way 0 0 0 0\n")
    early.write("no-kexec-reboot", "")
    early.fake("../usr/bin/python3", "[ -e /no-kexec-reboot ] && echo noise")
    said = early.run("kexec-initd", "stop").said
    assert early.calls() == ["python3 -I -m kexec_initd prepare", "kexec -u"]
    assert said == "kexec-initd: reboot goes through firmware: asked for by /no-kexec-reboot\n"
    assert decision(early) == "cold asked for by /no-kexec-reboot\n"
    assert not (early.root / "no-kexec-reboot").exists()


def test_a_machine_that_goes_off_before_anyone_has_confirmed_the_boot_has_python_do_it(early: Jail) -> None:
    early.write(RECORD, "kexec-initd attempts 1\nlast under-way 0 0 0 0\n")
    early.fake("../usr/bin/python3", "echo noise")
    assert early.run("kexec-initd", "stop", runlevel="0").said == ""
    assert early.calls() == ["python3 -I -m kexec_initd prepare"]
    assert not (early.root / "run/kexec-initd/decision").exists()


@pytest.mark.parametrize("runlevel", ["0", "1", "2", ""])
def test_nothing_happens_in_another_runlevel(early: Jail, runlevel: str) -> None:
    done = early.run("kexec-initd", "stop", runlevel=runlevel)
    assert (done.said, done.code, early.calls()) == ("", 0, [])
    assert not (early.root / "run/kexec-initd/decision").exists()


def test_an_old_decision_never_survives(early: Jail) -> None:
    early.write("run/kexec-initd/decision", "kexec\n")
    rewritten(early.root)
    early.run("kexec-initd", "stop")
    assert decision(early).startswith("cold ")


def test_usage(early: Jail) -> None:
    done = early.run("kexec-initd", "nonsense")
    assert (done.code, done.said) == (
        3,
        "Usage: /etc/init.d/kexec-initd start|stop|preload|load|jump|dead-man|status\n",
    )


def test_what_programs_print_goes_into_no_directory_that_others_may_change(early: Jail) -> None:
    early.write("canary", "mine")
    (early.root / "run/kexec-initd").chmod(0o777)
    for name in ("printed", "printed.begin"):
        (early.root / "run/kexec-initd" / name).symlink_to("/canary")
    early.fake("kexec", "echo no such device; exit 1")
    early.run("kexec-initd", "stop")
    assert "kexec -u" in early.calls()
    assert (early.root / "canary").read_text() == "mine"
