"""The dead-man that the early step leaves behind: it resets a machine whose shutdown does not end, and never too early."""

import contextlib
import os
import time
from pathlib import Path
from typing import Callable, Iterator, Optional

import pytest

from kexec_initd.settings import reader
from kexec_initd.state import checksum
from tests.scripts.jail import Jail
from tests.scripts.test_early_step import early  # noqa: F401 - the fixture
from tests.unit.waiting import eventually

PID = 2**22 + 1  # larger than any: a time limit may want to signal it
FIRED = "the shutdown did not lead to a reboot, "


@pytest.fixture
def shutdown(early: Jail) -> Iterator[Jail]:  # noqa: F811 - what pytest calls by that name
    """A shutdown whose rc is this very test; sleeping takes no time, and the clock stands still."""
    set_rc(early, os.getpid())
    early.write("proc/uptime", "100.25 1.00\n")
    early.write("bin/sleep", '#!/bin/sh\n[ "$1" != 5 ] || set 0.02\nexec real-sleep "$1"\n', 0o755)
    early.write("dev/console", "")
    early.write("run/sendsigs.omit.d/.keep", "")
    early.fake("runlevel", "echo 2 6")
    yield early
    (early.root / "proc/uptime").unlink()  # its end


def set_rc(jail: Jail, pid: int) -> None:
    jail.write("proc/self/stat", "{} (kexec-initd) S 1 1 {} 0 -1 4194304 0\n".format(PID, pid))


def set_clock(jail: Jail, seconds: int) -> None:
    """As the kernel would: a reader sees one time or the other."""
    jail.write("proc/uptime.new", "{}.75 1.00\n".format(seconds))
    os.rename(str(jail.root / "proc/uptime.new"), str(jail.root / "proc/uptime"))


def fires(jail: Jail, within: float = 10.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if jail.sysrq() == "b":
            return True
        time.sleep(0.02)
    return False


def naps(jail: Jail, name: str) -> bool:
    """Tell whether the dead-man is spared, and the sleep that it waits for: sendsigs waits for each process that is not."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        words = (jail.root / "run/sendsigs.omit.d" / name).read_text().split()
        if len(words) == 2 and words[0] == str(PID):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may end while it is looked at
                if "sleep" in Path("/proc", words[1], "cmdline").read_text():
                    return True
        time.sleep(0.001)
    return False


def test_a_shutdown_that_outlives_its_limit_is_ended(shutdown: Jail) -> None:
    shutdown.settings("SHUTDOWN_LIMIT=40\n")
    shutdown.run("kexec-initd", "stop")
    set_clock(shutdown, 139)
    assert not fires(shutdown, within=0.5)
    assert naps(shutdown, "kexec-initd")
    set_clock(shutdown, 140)
    assert fires(shutdown)
    said = (shutdown.root / "dev/console").read_text()
    assert said.endswith("\nkexec-initd: " + FIRED + "it takes longer than 40 s: resetting through sysrq\n")


def ended_process() -> int:
    """Return the number of a process that is gone."""
    gone = os.fork()
    if gone == 0:
        os._exit(0)
    os.waitpid(gone, 0)
    return gone


def test_a_shutdown_that_has_ended_without_a_reboot_is_noticed(shutdown: Jail) -> None:
    set_rc(shutdown, ended_process())
    shutdown.run("kexec-initd", "stop")
    time.sleep(0.2)
    set_clock(shutdown, 159)
    assert not fires(shutdown, within=0.5)
    set_clock(shutdown, 160)
    assert fires(shutdown)
    assert "it has come to an end without one" in (shutdown.root / "dev/console").read_text()


def killed_sleeps(jail: Jail) -> None:
    jail.write("bin/sleep", "#!/bin/sh\nkill -KILL $$\n", 0o755)


def no_sleep(jail: Jail) -> None:
    (jail.root / "bin/sleep").unlink()


@pytest.mark.parametrize("harm", [killed_sleeps, no_sleep])
def test_sleeps_that_end_early_end_nothing(shutdown: Jail, harm: Callable[[Jail], None]) -> None:
    harm(shutdown)
    shutdown.settings("SHUTDOWN_LIMIT=40\n")
    shutdown.run("kexec-initd", "stop")
    set_clock(shutdown, 139)
    assert not fires(shutdown, within=0.5)
    set_clock(shutdown, 141)
    assert fires(shutdown)


def test_without_proc_it_goes_on_with_what_it_stands_in(shutdown: Jail) -> None:
    shutdown.settings("SHUTDOWN_LIMIT=40\n")
    shutdown.run("kexec-initd", "stop")
    time.sleep(0.2)
    (shutdown.root / "proc").rename(shutdown.root / "detached")
    (shutdown.root / "proc").mkdir()
    for name in ("uptime", "sysrq-trigger"):
        (shutdown.root / "proc" / name).symlink_to("../detached/" + name)  # where the test looks, out of its reach
    (shutdown.root / "detached/uptime.new").write_text("141.0 1.0\n")
    (shutdown.root / "detached/uptime.new").rename(shutdown.root / "detached/uptime")
    (shutdown.root / "proc/uptime").unlink()
    assert fires(shutdown)
    (shutdown.root / "proc/uptime").write_text("")


def read_only(trigger: Path) -> Path:
    """Let nobody open the trigger any more, as when RHEL's halt has made /proc read-only; return what is open still."""
    kept = trigger.with_name("kept")
    os.link(str(trigger), str(kept))
    trigger.unlink()
    trigger.mkdir()
    return kept


def test_a_proc_that_is_made_read_only_later_is_reset_through(shutdown: Jail) -> None:
    shutdown.settings("SHUTDOWN_LIMIT=40\n")
    shutdown.run("kexec-initd", "stop")
    time.sleep(0.2)
    kept = read_only(shutdown.root / "proc/sysrq-trigger")
    set_clock(shutdown, 141)
    deadline = time.monotonic() + 10
    while not kept.read_text().endswith("b") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert kept.read_text() == "sub"


def test_in_another_runlevel_nothing_is_reset(shutdown: Jail) -> None:
    shutdown.settings("SHUTDOWN_LIMIT=40\n")
    shutdown.fake("runlevel", "echo 6 2")
    shutdown.run("kexec-initd", "stop")
    set_clock(shutdown, 1000)
    assert not fires(shutdown, within=0.7)


@pytest.mark.parametrize("text", ["SHUTDOWN_LIMIT=no\n", 'SHUTDOWN_LIMIT="off"\n', "SHUTDOWN_LIMIT=0"])
def test_it_can_be_switched_off(shutdown: Jail, text: str) -> None:
    shutdown.settings(text)
    shutdown.run("kexec-initd", "stop")
    set_clock(shutdown, 100000)
    assert not fires(shutdown, within=0.5)


def test_a_machine_that_goes_off_has_none(shutdown: Jail) -> None:
    shutdown.run("kexec-initd", "stop", runlevel="0")
    assert not (shutdown.root / "run/sendsigs.omit.d/kexec-initd").exists()


def test_a_limit_of_other_settings_than_those_now_counts_only_when_they_were_read(shutdown: Jail) -> None:
    """What is read while the shutdown is under way takes the place of the default, with which the wait has begun."""
    shutdown.settings("SHUTDOWN_LIMIT=40\n")
    shutdown.settings("SHUTDOWN_LIMIT=70 # now\n", noted=False)
    shutdown.write("noted", checksum.double_lines("SETTINGS x\nSHUTDOWN_LIMIT 70\nREMOVE_MODULES \n").decode())
    shutdown.fake("../usr/bin/python3", "cp /noted /run/kexec-initd/settings; echo kexec >/run/kexec-initd/decision")
    shutdown.run("kexec-initd", "stop")
    set_clock(shutdown, 169)
    assert not fires(shutdown, within=0.5)
    set_clock(shutdown, 240)
    assert fires(shutdown)
    assert "takes longer than 70 s" in (shutdown.root / "dev/console").read_text()


@pytest.mark.parametrize("text, limit", [("SHUTDOWN_LIMIT=no", "1800"), ("# nothing\n", "1800"), (None, "1800")])
def test_before_settings_were_read_the_default_holds(shutdown: Jail, text: Optional[str], limit: str) -> None:
    if text is not None:
        shutdown.settings(text, noted=False)
    assert ask_limit(shutdown) == limit


@pytest.mark.parametrize("value", ["no", "off", "0", "10", "99999", "'40'", "9", "abc", "60s", "-1", "yes"])
def test_the_limit_is_the_one_that_the_program_has_read(shutdown: Jail, value: str) -> None:
    text = "SHUTDOWN_LIMIT={}\n".format(value)
    shutdown.settings(text)
    assert ask_limit(shutdown) == str(reader.parse(text)[0].shutdown_limit)


def ask_limit(jail: Jail) -> str:
    jail.write(
        "drive", jail.functions("kexec-initd") + "\ndead_man () { :; }\nstart_dead_man\nprintf '%s' \"$dead_after\"\n"
    )
    (jail.root / "etc/init.d/limit").unlink(missing_ok=True)
    (jail.root / "drive").rename(jail.root / "etc/init.d/limit")
    return jail.run("limit").said


# Before rc, by init itself.


def mark(jail: Jail) -> str:
    path = jail.root / "run/kexec-initd/dead-man"
    deadline = time.monotonic() + 10
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return path.read_text()


def firings(jail: Jail) -> int:
    """Return how many have fired, when there was time for all to do so."""
    time.sleep(1.0)
    return (jail.root / "dev/console").read_text().count(FIRED)


def test_init_starts_one_that_no_script_of_rc_is_needed_for(shutdown: Jail) -> None:
    shutdown.settings("SHUTDOWN_LIMIT=70\n")
    assert shutdown.run("kexec-initd", "dead-man").said == ""
    assert mark(shutdown) == "{} 100\n".format(PID)
    assert (shutdown.root / "run/sendsigs.omit.d/kexec-initd").read_text() == "{}\n".format(PID)
    assert naps(shutdown, "kexec-initd-before-rc")
    assert not (shutdown.root / "run/kexec-initd/stopping").exists(), "nothing is decided yet"
    set_clock(shutdown, 169)
    assert not fires(shutdown, within=0.5)
    set_clock(shutdown, 170)
    assert fires(shutdown)


def test_the_end_of_what_init_has_started_it_with_is_not_that_of_rc(shutdown: Jail) -> None:
    set_rc(shutdown, ended_process())
    shutdown.run("kexec-initd", "dead-man")
    time.sleep(0.2)
    set_clock(shutdown, 165)
    time.sleep(0.2)
    set_clock(shutdown, 300)
    assert not fires(shutdown, within=0.5)


@pytest.mark.parametrize("level", ["0", "1", "2", "S"])
def test_in_no_other_runlevel_it_starts(shutdown: Jail, level: str) -> None:
    shutdown.run("kexec-initd", "dead-man", runlevel=level)
    set_clock(shutdown, 10000)
    assert not fires(shutdown, within=0.3)
    assert not (shutdown.root / "run/kexec-initd/dead-man").exists()


def test_a_shutdown_that_was_called_off_is_not_ended(shutdown: Jail) -> None:
    shutdown.settings("SHUTDOWN_LIMIT=40\n")
    shutdown.run("kexec-initd", "dead-man")
    shutdown.fake("runlevel", "echo 6 2")
    set_clock(shutdown, 1000)
    assert not fires(shutdown, within=0.7)


def test_switched_off_it_does_not_start_either(shutdown: Jail) -> None:
    shutdown.settings("SHUTDOWN_LIMIT=no\n")
    shutdown.run("kexec-initd", "dead-man")
    set_clock(shutdown, 100000)
    assert not fires(shutdown, within=0.5)


def start_both(jail: Jail, first: int) -> None:
    """Init's at 100, with the number `first`, and that of rc's first script 30 s later."""
    jail.settings("SHUTDOWN_LIMIT=70\n")
    jail.write("proc/self/stat", "{} (kexec-initd) S 1 1 {} 0 -1 4194304 0\n".format(first, os.getpid()))
    jail.run("kexec-initd", "dead-man")
    assert mark(jail) == "{} 100\n".format(first)
    set_clock(jail, 130)
    set_rc(jail, os.getpid())
    jail.run("kexec-initd", "stop")
    deadline = time.monotonic() + 10
    while mark(jail) != "{}\n".format(PID) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)


def test_rcs_first_script_takes_over_with_the_time_that_has_passed(shutdown: Jail) -> None:
    start_both(shutdown, os.getpid())
    set_clock(shutdown, 169)
    assert not fires(shutdown, within=0.5)
    set_clock(shutdown, 170)
    assert fires(shutdown)
    assert firings(shutdown) == 1, "only one waits"


def test_the_time_of_one_that_is_gone_does_not_count(shutdown: Jail) -> None:
    start_both(shutdown, PID + 1)
    set_clock(shutdown, 199)
    assert not fires(shutdown, within=0.5)
    set_clock(shutdown, 200)
    assert fires(shutdown)


@pytest.mark.parametrize("since", ["20", "101", "x", "-5", "", "1e3", "$(halt)"])
def test_word_that_cannot_be_of_this_shutdown_does_not_count(shutdown: Jail, since: str) -> None:
    shutdown.settings("SHUTDOWN_LIMIT=70\n")
    shutdown.write("run/kexec-initd/dead-man", "{} {}\n".format(os.getpid(), since))
    shutdown.run("kexec-initd", "stop")
    set_clock(shutdown, 169)
    assert not fires(shutdown, within=0.5)
    set_clock(shutdown, 170)
    assert fires(shutdown)


@pytest.mark.parametrize("action", ["stop", "dead-man"])
def test_whatever_is_in_the_place_of_its_word_holds_nothing_up(shutdown: Jail, action: str) -> None:
    shutdown.settings("SHUTDOWN_LIMIT=70\n")
    os.mkfifo(str(shutdown.root / "run/kexec-initd/dead-man"))
    shutdown.run("kexec-initd", action)
    set_clock(shutdown, 170)
    assert fires(shutdown)


def test_what_init_starts_late_does_not_relieve_the_one_that_halt_spares(shutdown: Jail) -> None:
    shutdown.settings("SHUTDOWN_LIMIT=70\n")
    shutdown.run("kexec-initd", "stop")
    assert mark(shutdown) == "{}\n".format(PID)
    shutdown.write("run/kexec-initd/dead-man", "{} 100\n".format(PID + 1))
    time.sleep(0.3)
    set_clock(shutdown, 170)
    assert fires(shutdown)


def test_settings_that_nobody_has_read_yet_are_read_for_it(shutdown: Jail) -> None:
    shutdown.settings("SHUTDOWN_LIMIT=40\n")
    shutdown.settings("SHUTDOWN_LIMIT=70 # now\n", noted=False)
    shutdown.write("noted", checksum.double_lines("SETTINGS x\nSHUTDOWN_LIMIT 70\nREMOVE_MODULES \n").decode())
    shutdown.fake("../usr/bin/python3", "echo speaks; cp /noted /run/kexec-initd/settings")
    assert shutdown.run("kexec-initd", "dead-man").said == ""
    assert [call for call in shutdown.calls() if "python3" in call] == ["python3 -I -m kexec_initd prepare --settings"]
    set_clock(shutdown, 169)
    assert not fires(shutdown, within=0.5)
    set_clock(shutdown, 170)
    assert fires(shutdown)
    assert firings(shutdown) == 1


@pytest.mark.parametrize(
    "word, stands_back", [("{alive}", True), ("{alive} 90", False), ("{gone}", False), ("x", False)]
)
def test_where_rcs_first_script_has_left_one_by_then_inits_is_not_needed(
    shutdown: Jail, word: str, stands_back: bool
) -> None:
    """It waits before it looks, and leaves the processor to rc."""
    shutdown.settings("SHUTDOWN_LIMIT=70\n", noted=False)
    text = word.format(alive=os.getpid(), gone=PID + 1)
    place = "/run/kexec-initd/dead-man"
    shutdown.write(
        "bin/sleep", "#!/bin/sh\n[ -s {0} ] || echo {1} >{0}\nexec real-sleep 0.02\n".format(place, text), 0o755
    )
    shutdown.run("kexec-initd", "dead-man")
    time.sleep(0.3)
    assert bool([call for call in shutdown.calls() if "python3" in call]) != stands_back
    assert ((shutdown.root / place[1:]).read_text() == text + "\n") == stands_back


def test_until_then_it_is_spared_and_holds_what_it_may_not_reach_any_more(shutdown: Jail) -> None:
    """RHEL's halt may have made /proc read-only by the time at which it comes to anything else."""
    shutdown.settings("SHUTDOWN_LIMIT=70\n")
    shutdown.write("proc/kept", "")
    shutdown.copy("/bin/ln")
    shutdown.copy("/bin/mkdir")
    once = (
        "#!/bin/sh",
        "real-sleep 0.1",
        "if mkdir /once; then",
        "cat /run/sendsigs.omit.d/kexec-initd-before-rc >/spared",
        "cd /proc; ln -f sysrq-trigger kept; rm sysrq-trigger; mkdir sysrq-trigger",
        "fi",
    )
    shutdown.write("bin/sleep", "\n".join(once) + "\n", 0o755)
    shutdown.run("kexec-initd", "dead-man")
    assert len((shutdown.root / "spared").read_text().split()) == 2
    set_clock(shutdown, 171)
    assert eventually(lambda: (shutdown.root / "proc/kept").read_text() == "sub")


BORN = """
mkdir -p "/proc/$$"
printf '%s (a) b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %s 1 1\\n' "$$" "{}" >"/proc/$$/stat"
before_rc=yes
find_onset 70
printf '%s' "$begun"
"""


@pytest.mark.parametrize(
    "ticks, begun", [("7549", "75"), ("10000", "100"), ("10900", "100"), ("2999", "100"), ("x", "100")]
)
def test_it_counts_from_the_moment_at_which_init_has_begun_to_start_it(shutdown: Jail, ticks: str, begun: str) -> None:
    """Its console may be closed by another one for half a minute meanwhile, and be opened only then."""
    shutdown.copy("/bin/mkdir")
    shutdown.write("etc/init.d/drive", shutdown.functions("kexec-initd") + BORN.format(ticks))
    assert shutdown.run("drive").said == begun
