"""/etc/init.d/reboot itself: whatever becomes of it and of what it calls, it ends in reboot(8), and then in sysrq."""

import subprocess
import time
from typing import Callable, Dict, Iterator, Tuple

import pytest

from tests.scripts.jail import Jail

SCRIPT = "etc/init.d/reboot"
LAST = "etc/init.d/kexec-initd"
REBOOT = "reboot -d -f -i"
KILLED = (137, -9)  # what chroot(8), which becomes the shell, ends with


def in_place_of_the_last_step(jail: Jail, body: str) -> None:
    jail.write(LAST, '#!/bin/sh\necho "last $*" >>/calls\n' + body + "\n", 0o755)


def limit(jail: Jail, seconds: int) -> None:
    """Have a limit of so many seconds be over soon; all others hold."""
    fake = '#!/bin/sh\ncase $1 in {}) set 0.3 ;; 1) set 0 ;; 300) exit 1 ;; esac\nexec real-sleep "$1"\n'
    jail.write("bin/sleep", fake.format(seconds), 0o755)


def triggered(jail: Jail) -> str:
    """Return all that has gone to sysrq."""
    return (jail.root / "proc/sysrq-trigger").read_text()


def wait_for_sysrq(jail: Jail) -> bool:
    deadline = time.monotonic() + 10
    while jail.sysrq() != "b" and time.monotonic() < deadline:
        time.sleep(0.02)
    return jail.sysrq() == "b"


def hanging(jail: Jail) -> None:
    limit(jail, 240)
    in_place_of_the_last_step(jail, "exec real-sleep 30")


def a_directory(jail: Jail) -> None:
    (jail.root / LAST).unlink()
    (jail.root / LAST).mkdir()


def body(text: str) -> Callable[[Jail], None]:
    return lambda jail: in_place_of_the_last_step(jail, text)


# What became of the script that takes the last step, and the codes that shells have for it.
HARM: Dict[str, Tuple[Callable[[Jail], object], Tuple[int, ...]]] = {
    "missing": (lambda jail: (jail.root / LAST).unlink(), (127,)),
    "a directory": (a_directory, (126,)),
    "not executable": (lambda jail: (jail.root / LAST).chmod(0o644), (126,)),
    "bad first line": (lambda jail: jail.write(LAST, "#!/bin/none\n", 0o755), (126, 127)),
    "emptied": (lambda jail: jail.write(LAST, "", 0o755), (0, 127)),
    "cut": (lambda jail: jail.write(LAST, (jail.root / LAST).read_text()[:9000], 0o755), (0, 1, 2)),
    "open quote": (lambda jail: jail.write(LAST, '#!/bin/sh\n"\n', 0o755), (1, 2)),
    "of a version that had no such verb": (body("echo Usage >&2; exit 3"), (3,)),
    "failing": (body("exit 1"), (1,)),
    "reporting success": (body("exit 0"), (0,)),
    "killed": (body("kill -KILL $$"), (137,)),
    "terminated": (body("kill -TERM $$"), (143,)),
    "hanging": (hanging, (142,)),
}


@pytest.mark.parametrize("netdown", ["yes", "no"])
@pytest.mark.parametrize("case", HARM)
def test_whatever_becomes_of_the_last_step_it_reboots_cold_and_says_why(jail: Jail, case: str, netdown: str) -> None:
    jail.write("etc/default/halt", "NETDOWN={}\n".format(netdown))
    harm, codes = HARM[case]
    harm(jail)
    done = jail.run("reboot", "stop", limit=20.0)
    assert [call for call in jail.calls() if not call.startswith("last ")] == [
        REBOOT if netdown == "yes" else "reboot -d -f"
    ]
    told = "kexec-initd: reboot goes through firmware: /etc/init.d/kexec-initd jump failed (code {})\n"
    assert any(told.format(code) in done.said for code in codes), done.said
    assert triggered(jail) == "sub"


def test_a_last_step_that_has_said_why_it_went_cold_is_believed(jail: Jail) -> None:
    in_place_of_the_last_step(jail, "exit 10")
    assert jail.run("reboot", "stop").said == "kexec-initd: reboot failed (code 0), resetting through sysrq\n"
    assert jail.calls() == ["last jump -i", REBOOT]


REBOOTS: Dict[str, Tuple[str, int]] = {
    "coming back": ("exit 0", 0), "failing": ("exit 1", 1), "killed": ("kill -KILL $$", 137), "missing": ("", 127),
    "hanging": ("exec real-sleep 30", 142),
}  # fmt: skip


@pytest.mark.parametrize("case", REBOOTS)
def test_whatever_becomes_of_reboot_it_ends_in_sysrq(jail: Jail, case: str) -> None:
    text, code = REBOOTS[case]
    limit(jail, 20)
    in_place_of_the_last_step(jail, "exit 10")
    jail.fake("reboot", text)
    if case == "missing":
        (jail.root / "bin/reboot").unlink()
    said = jail.run("reboot", "stop", limit=20.0).said
    assert said == "kexec-initd: reboot failed (code {}), resetting through sysrq\n".format(code)
    assert triggered(jail) == "sub"


@pytest.mark.parametrize("gone", [("sleep",), ("sed",), ("sleep", "sed", "reboot")])
@pytest.mark.parametrize("case", ["missing", "failing", "killed"])
def test_no_tool_that_is_missing_strands_it(jail: Jail, gone: Tuple[str, ...], case: str) -> None:
    jail.write("etc/default/halt", "NETDOWN=no\n")
    HARM[case][0](jail)
    for tool in gone:
        (jail.root / "bin" / tool).unlink()
    jail.run("reboot", "stop", limit=20.0)
    assert "reboot" in gone or jail.calls()[-1] == ("reboot -d -f" if "sed" not in gone else REBOOT)
    assert triggered(jail) == "sub"


@pytest.mark.parametrize("signal", ["HUP", "INT", "QUIT", "TERM", "PIPE"])
def test_a_signal_ends_neither_the_script_nor_its_waiting(jail: Jail, signal: str) -> None:
    in_place_of_the_last_step(jail, "kill -{} $PPID; real-sleep 0.3; echo done >>/calls; exit 10".format(signal))
    jail.fake("reboot", "kill -{} $PPID; real-sleep 0.3; echo done >>/calls; exit 7".format(signal))
    assert jail.run("reboot", "stop").said == "kexec-initd: reboot failed (code 7), resetting through sysrq\n"
    assert jail.calls() == ["last jump -i", "done", REBOOT, "done"]
    assert triggered(jail) == "sub"


def at_each_line(jail: Jail, text: str) -> Iterator[Tuple[int, str]]:
    """Yield the script with one more line at each place where the shell takes a command."""
    lines = (jail.root / SCRIPT).read_text().splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.strip() and not line.startswith("#"):
            harmed = "".join([*lines[:number], text, *lines[number:]])
            check = subprocess.run(["sh", "-n"], input=harmed, text=True, stderr=subprocess.DEVNULL, check=False)
            if check.returncode == 0:
                yield number, harmed
    yield len(lines), "".join([*lines, text])


def begins(jail: Jail, start: str) -> int:
    lines = (jail.root / SCRIPT).read_text().splitlines()
    return next(number for number, line in enumerate(lines) if line.startswith(start))


def begin_again(jail: Jail, harmed: str) -> None:
    jail.write(SCRIPT, harmed, 0o755)
    for name in ("calls", "last"):
        (jail.root / name).unlink(missing_ok=True)
    jail.write("proc/sysrq-trigger", "")


@pytest.mark.parametrize("signal", ["HUP", "TERM"])
def test_signalled_at_any_line_it_ends_in_a_reboot_and_in_sysrq(jail: Jail, signal: str) -> None:
    in_place_of_the_last_step(jail, "exit 10")
    trapped = begins(jail, "trap : ")
    passed = 0
    for number, harmed in at_each_line(jail, "kill -{} $$\n".format(signal)):
        begin_again(jail, harmed)
        code = jail.run("reboot", "stop").code
        if number > trapped or code >= 0 and code < 128:
            assert jail.calls() == ["last jump -i", REBOOT], number
            assert triggered(jail)[-1:] == "b", number
            passed += 1
        else:
            assert number <= trapped and jail.calls() == [], number
    assert passed > 20


def test_killed_at_any_line_it_is_reset_by_what_it_has_left_behind(jail: Jail) -> None:
    """Before it has, there is the dead-man."""
    in_place_of_the_last_step(jail, "exit 10")
    limit(jail, 300)
    guarded = begins(jail, "(trap '' ")
    kills = 0
    for number, harmed in at_each_line(jail, '[ -e /last ] || { echo "left $!" >/last; kill -KILL $$; }\n'):
        begin_again(jail, harmed)
        killed = jail.run("reboot", "stop").code in KILLED
        left = (jail.root / "last").read_text() if (jail.root / "last").exists() else ""
        assert killed or number <= begins(jail, "stop) ;;") + 5, number
        assert left != "left \n" or number <= guarded, number
        if left not in ("", "left \n"):
            assert wait_for_sysrq(jail), number
            kills += 1
    assert kills > 10


def test_what_holds_the_script_itself_up_is_ended_by_a_reset(jail: Jail) -> None:
    limit(jail, 300)
    jail.write("etc/default/halt", "")
    jail.fake("sed", "real-sleep 2; cat /proc/sysrq-trigger >>/calls; echo >>/calls")
    jail.run("reboot", "stop")
    assert jail.calls()[1] == "sub"


def test_who_reads_what_it_says_does_not_wait_for_what_it_leaves_behind(jail: Jail) -> None:
    """As startpar(8) does, until every process has closed its end."""
    jail.write("bin/sleep", '#!/bin/sh\ncase $1 in 1) exit ;; 300) set 8 ;; esac\nexec real-sleep "$1"\n', 0o755)
    in_place_of_the_last_step(jail, "exit 10")
    assert jail.run("reboot", "stop").seconds < 6


def test_sysrq_is_held_open_from_the_beginning(jail: Jail) -> None:
    """As for a /proc that becomes read-only."""
    in_place_of_the_last_step(jail, "mv /proc/sysrq-trigger /kept; mkdir /proc/sysrq-trigger; exit 10")
    jail.run("reboot", "stop")
    assert (jail.root / "kept").read_text() == "sub"


def test_where_it_cannot_be_opened_it_is_tried_again_and_no_other_file_is_written(jail: Jail) -> None:
    trigger = jail.root / "proc/sysrq-trigger"
    trigger.unlink()
    trigger.mkdir()
    jail.write("mine", "")
    in_place_of_the_last_step(jail, "rmdir /proc/sysrq-trigger; exit 10")
    jail.fake("rmdir", "mv /proc/sysrq-trigger /gone")
    jail.write("etc/init.d/nine", "exec sh /etc/init.d/reboot stop 9>/mine\n")
    jail.run("nine")
    assert jail.calls()[-1] == REBOOT
    assert (jail.root / "mine").read_text() == ""
    assert jail.sysrq() == "b", "the last of three that each begin the file anew"


def test_without_any_proc_or_device_it_calls_reboot_and_ends(jail: Jail) -> None:
    (jail.root / "proc/sysrq-trigger").unlink()
    (jail.root / "proc").rename(jail.root / "elsewhere")
    in_place_of_the_last_step(jail, "exit 10")
    jail.run("reboot", "stop", limit=20.0)
    assert jail.calls()[-1] == REBOOT


@pytest.mark.parametrize("place", ["fifo", "directory", "missing"])
def test_what_is_no_file_in_the_place_of_default_halt_holds_nothing_up(jail: Jail, place: str) -> None:
    name = jail.root / "etc/default/halt"
    if place == "fifo":
        subprocess.run(["mkfifo", str(name)], check=True)
    elif place == "directory":
        name.mkdir()
    in_place_of_the_last_step(jail, "exit 10")
    jail.run("reboot", "stop", limit=20.0)
    assert jail.calls() == ["last jump -i", REBOOT]
