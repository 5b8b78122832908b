"""A console that takes no output: nothing between `reboot` and the end waits for it, whoever speaks, and it comes to its end."""

import os
import shutil
import time
from pathlib import Path
from typing import Callable, Iterator, List

import pytest

from kexec_initd.kexec import stamp
from tests.scripts.jail import Jail
from tests.scripts.standalone import StandaloneJail
from tests.scripts.terminal import Terminal
from tests.scripts.test_dead_man import set_clock
from tests.scripts.test_early_step import WATCHED, early  # noqa: F401 - the fixture
from tests.scripts.test_rhel import EVERY, STATE, put_scripts

PYTHON = "../usr/bin/python3"
LOUD = "head -c 20000 /dev/zero; echo speaks; echo speaks >&2"
DEBIAN = "run/kexec-initd"


@pytest.fixture
def stopped(jail: Jail) -> Iterator[Terminal]:
    """A stopped terminal, and little patience with it."""
    jail.write("bin/sleep", '#!/bin/sh\ncase $1 in 1) exit ;; 4) set 0.2 ;; esac\nexec real-sleep "$1"\n', 0o755)
    jail.write("dev/zero", "x" * 40000)
    (jail.root / "usr/bin").mkdir(parents=True, exist_ok=True)
    with Terminal() as terminal:
        terminal.stop()
        yield terminal


def names(jail: Jail) -> List[str]:
    return [call.split()[0] for call in jail.calls()]


def decided_cold(jail: Jail) -> None:
    jail.write(DEBIAN + "/decision", "cold for a reason\n")


def speaking_runtime(jail: Jail) -> None:
    jail.fake(PYTHON, LOUD + "; exit 10")


def failing_runtime(jail: Jail) -> None:
    jail.fake(PYTHON, LOUD + "; exit 1")


def speaking_tools(jail: Jail) -> None:
    for name in ("sync", "umount", "kexec"):
        jail.fake(name, LOUD + "; exit 1")
    jail.write("proc/mounts", "/dev/vda1 / ext4 ro 0 0\nserver:/x /x nfs rw 0 0\n")


def speaking_modules(jail: Jail) -> None:
    jail.settings("REMOVE_MODULES=nvidia\n")
    jail.write("proc/modules", "nvidia 1 0 - Live 0x0\n")
    jail.fake("modprobe", LOUD + "; exit 1")


def nothing_to_read(jail: Jail) -> None:
    """The shell itself has something to say about each."""
    (jail.root / "proc/mounts").unlink()
    (jail.root / "sys/kernel/kexec_loaded").write_text("\0\n")


def nothing_to_print_into(jail: Jail) -> None:
    (jail.root / DEBIAN).chmod(0o777)


def no_null(jail: Jail) -> None:
    (jail.root / "dev/null").unlink()
    (jail.root / "dev/null").mkdir()


def no_last_step(jail: Jail) -> None:
    (jail.root / "etc/init.d/kexec-initd").unlink()


def loud_last_step(jail: Jail) -> None:
    """What it says waits for ever, and the time for it is soon over."""
    jail.write("bin/sleep", '#!/bin/sh\ncase $1 in 1) exit ;; 240) set 0.5 ;; esac\nexec real-sleep "$1"\n', 0o755)
    jail.write("etc/init.d/kexec-initd", "#!/bin/sh\n" + LOUD + "\n", 0o755)


LAST_STEPS = [
    decided_cold, speaking_runtime, failing_runtime, speaking_tools, speaking_modules, nothing_to_read, nothing_to_print_into,
    no_null, no_last_step, loud_last_step,
]  # fmt: skip


@pytest.mark.parametrize("console", [True, False])
@pytest.mark.parametrize("harm", LAST_STEPS)
def test_the_last_step_ends_in_a_reboot(
    jail: Jail, stopped: Terminal, harm: Callable[[Jail], None], console: bool
) -> None:
    harm(jail)
    jail.fake("reboot", LOUD)
    assert stopped.run(jail, "reboot", "stop", console=console).seconds < 15, (
        "as where reboot waits for its limit of 20"
    )
    assert jail.calls()[-1] == "reboot -d -f -i"
    assert jail.sysrq() == "b"


@pytest.mark.parametrize("console", [True, False])
def test_without_any_sleep_the_script_itself_waits_for_no_console(jail: Jail, stopped: Terminal, console: bool) -> None:
    no_last_step(jail)
    (jail.root / "bin/sleep").unlink()
    stopped.run(jail, "reboot", "stop", console=console)
    assert (jail.calls(), jail.sysrq()) == (["reboot -d -f -i"], "b")


def test_a_kernel_is_still_started(jail: Jail, stopped: Terminal) -> None:
    stopped.run(jail, "reboot", "stop")
    assert names(jail) == ["sync", "umount", "kexec", "reboot"]


def loud_program(jail: Jail) -> None:
    jail.fake(PYTHON, LOUD + "; exit 1")


def loud_unload(jail: Jail) -> None:
    jail.fake("kexec", LOUD)


def asked_for(jail: Jail) -> None:
    jail.write("no-kexec-reboot", "")


def unfit_state(jail: Jail) -> None:
    (jail.root / DEBIAN).chmod(0o777)


@pytest.mark.parametrize("harm", [loud_program, loud_unload, asked_for, unfit_state])
def test_the_early_step_ends(early: Jail, stopped: Terminal, harm: Callable[[Jail], None]) -> None:  # noqa: F811 - the fixture
    early.settings("SHUTDOWN_LIMIT=no\n")
    early.write(DEBIAN + "/stamp", "another\n")
    harm(early)
    stopped.run(early, "kexec-initd", "stop")
    assert harm is unfit_state or (early.root / DEBIAN / "decision").read_text().startswith("cold ")


@pytest.mark.parametrize("action", ["stop", "dead-man"])
def test_the_dead_man_resets(early: Jail, stopped: Terminal, action: str) -> None:  # noqa: F811 - the fixture
    early.settings("SHUTDOWN_LIMIT=40\n")
    early.write("bin/sleep", "#!/bin/sh\nexec real-sleep 0.05\n", 0o755)
    early.write("proc/self/stat", "{} (kexec-initd) S 1 1 {} 0 -1 4194304 0\n".format(2**22 + 1, os.getpid()))
    early.write("proc/uptime", "100.25 1.00\n")
    early.write(DEBIAN + "/stamp", stamp.text_for(early.root, WATCHED))
    stopped.run(early, "kexec-initd", action)
    set_clock(early, 141)
    deadline = time.monotonic() + 10
    while early.sysrq() != "b" and time.monotonic() < deadline:
        time.sleep(0.02)
    (early.root / "proc/uptime").unlink()  # its end
    assert early.sysrq() == "b"


@pytest.fixture
def five(jail: Jail) -> Jail:
    jail = put_scripts(jail, "rhel-5")
    jail.write("etc/kexec-initd/pre-jump.d/10-card", "#!/bin/sh\n" + LOUD + "\n", 0o755)
    jail.settings("SHUTDOWN_LIMIT=no\n")
    return jail


def test_hooks_that_speak_do_their_work_before_halt_executes(five: Jail, stopped: Terminal) -> None:
    stopped.run(five, "kexec-initd", "hooks")
    assert five.calls() == ["sync", EVERY]


def test_what_cannot_be_unloaded_is_reset(five: Jail, stopped: Terminal) -> None:
    five.write(STATE + "/decision", "cold for a reason\n")
    five.fake("kexec", LOUD)
    five.fake("reboot", LOUD)
    stopped.run(five, "kexec-initd", "hooks")
    assert names(five) == ["kexec", "kexec", "sync", "umount", "reboot"]
    assert five.sysrq() == "b"


def test_the_early_step_of_rhel_ends(five: Jail, stopped: Terminal) -> None:
    five.write(STATE + "/stamp", "another\n")
    stopped.run(five, "kexec-initd", "stop")
    assert (five.root / STATE / "decision").read_text().startswith("cold ")


def test_the_jump_of_rhel_ends(jail: Jail, stopped: Terminal) -> None:
    four = put_scripts(jail, "rhel-4")
    four.fake("kexec", LOUD)
    stopped.run(four, "kexec-initd", "jump")
    assert names(four) == ["sync", "umount", "kexec"]


def test_without_python_the_early_step_ends_too(jail: Jail, stopped: Terminal, tmp_path: Path) -> None:
    alone = StandaloneJail(tmp_path / "alone", "/bin/" + os.readlink(jail.root / "bin/sh"))
    for path in ("bin/sleep", "dev/zero"):
        shutil.copy(str(jail.root / path), str(alone.root / path))
    alone.fake("kexec", LOUD + "; exit 1")
    stopped.run(alone, "kexec-initd", "stop")
    assert (alone.decision or "").startswith("cold ")


def test_a_good_console_has_every_line_though_what_is_printed_is_kept_back(jail: Jail) -> None:
    """As startpar(8) does."""
    jail.fake("kexec", "printf 'no\\033[2Jkernel\\n\\nat all'; exit 7")
    with Terminal() as terminal:
        assert terminal.run(jail, "reboot", "stop", kept=True).seconds < 10
        lines = terminal.read().splitlines()
    assert lines[:2] == ["Will now restart.", "kexec-initd: starting the loaded kernel"]
    assert lines[-5:-1] == [
        "no?[2Jkernel",
        "",
        "at all",
        "kexec-initd: reboot goes through firmware: kexec -e came back with code 7",
    ]


@pytest.mark.parametrize("voice, order", [("", ["one", "two", "three"]), ("use_console\n", ["two", "one", "three"])])
def test_what_is_heard_within_another_is_told_once_and_loses_nothing(jail: Jail, voice: str, order: List[str]) -> None:
    lines = "outer () { echo one; heard 9 echo two; echo three; }\nheard 9 outer\n"
    jail.write("etc/init.d/drive", jail.functions("kexec-initd") + voice + lines)
    assert jail.run("drive").said.split("\n") == [*order, ""]
    assert [path.name for path in (jail.root / DEBIAN).iterdir() if path.name.startswith("printed")] == []


@pytest.mark.parametrize("verb", ["stop", "hooks"])
def test_a_cold_reason_reaches_the_console_of_rhel(five: Jail, verb: str) -> None:
    """Though initlog(8) keeps what is printed by a script that succeeds."""
    five.write(STATE + "/stamp", "another\n")
    five.write(STATE + "/decision", "cold for a \033[2J reason\n")
    with Terminal() as terminal:
        assert terminal.run(five, "kexec-initd", verb, kept=True).code == 0
        said = terminal.read()
    assert said.startswith("kexec-initd: reboot goes through firmware: ") and (said == COLD or verb == "stop")
    assert "\033" not in said


COLD = "kexec-initd: reboot goes through firmware: for a ?[2J reason\n"
