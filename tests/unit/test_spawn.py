"""The last step's own door to programs: each ends within its time, whatever it writes, leaves behind or refuses to die of."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import List

import pytest

from kexec_initd.system import spawn
from tests.unit.waiting import eventually, median_seconds

WAYS = ["fork", *(["spawn"] if hasattr(os, "posix_spawn") else [])]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """By posix_spawn(3), and as where that is missing or cannot start a session."""

    def refuse(*args: object, **options: object) -> int:
        raise NotImplementedError

    if request.param == "fork":
        monkeypatch.setattr(os, "posix_spawn", refuse, raising=False)
        monkeypatch.setattr(os, "POSIX_SPAWN_DUP2", 2, raising=False)
    return str(request.param)


def shell(text: str, *args: str) -> List[str]:
    return ["/bin/sh", "-c", text, "sh", *args]


@pytest.mark.parametrize(
    "script, message",
    [
        ("echo first >&2; echo 'last line' >&2; exit 3", "failed with exit code 3: last line"),
        ("echo not this; exit 4", "failed with exit code 4"),
        ("kill -SEGV $$", "died from signal 11"),
        ("kill -KILL $$", "died from signal 9"),
        ("head -c 3000000 /dev/zero >&2; echo >&2; echo 'the end' >&2; exit 5", "failed with exit code 5: the end"),
    ],
)
def test_a_failure_is_told_with_its_kind(way: str, script: str, message: str) -> None:
    with pytest.raises(spawn.CommandError) as error:
        spawn.run(shell(script), 20)
    assert str(error.value) == "/bin/sh " + message


@pytest.mark.parametrize("program", ["/no/such/program", "/etc/passwd"])
def test_what_cannot_start_is_told(way: str, program: str) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(spawn.CommandError, match="cannot start " + program):
        spawn.run([program], 5)
    assert os.listdir("/proc/self/fd") == before


def test_it_has_a_session_the_fixed_environment_no_input_and_no_files_of_ours(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_PRELOAD_CANARY", "1")
    mine = fcntl.fcntl(os.open("/dev/null", os.O_RDONLY), fcntl.F_DUPFD_CLOEXEC, 400)
    script = 'cd "$1"; env >env; cat >input; ls /proc/self/fd >files; cut -d " " -f 1,6 /proc/$$/stat >session'
    spawn.run(shell(script, str(tmp_path)), 20)
    lines = [
        line for line in (tmp_path / "env").read_text().splitlines() if not line.startswith(("PWD=", "OLDPWD=", "_="))
    ]
    assert sorted(lines) == sorted("{}={}".format(*item) for item in spawn.ENVIRONMENT.items())
    assert (tmp_path / "input").read_text() == ""
    assert str(mine) not in (tmp_path / "files").read_text().split()
    pid, session = (tmp_path / "session").read_text().split()
    assert pid == session
    os.close(mine)


def test_signals_that_python_ignores_end_it(way: str) -> None:
    with pytest.raises(spawn.CommandError, match="died from signal {:d}".format(signal.SIGPIPE)):
        spawn.run(shell("kill -PIPE $$"), 5)


@pytest.mark.parametrize("outputs", ["", "exec >/dev/null 2>&1;", "cat /dev/zero >&2 & "])
def test_what_takes_too_long_is_killed_with_its_children(way: str, outputs: str, tmp_path: Path) -> None:
    began = time.monotonic()
    script = "{} sleep 30 & echo $$ $! >{}/pids; trap '' TERM INT; wait; sleep 30".format(outputs, tmp_path)
    with pytest.raises(spawn.CommandError, match=r"did not end within 0\.3 s and was killed"):
        spawn.run(shell(script), 0.3)
    assert 0.3 <= time.monotonic() - began < 20  # of the 30 that it would sleep
    for pid in (tmp_path / "pids").read_text().split():
        assert eventually(lambda pid=pid: not is_alive(pid))  # type: ignore[misc]  # mypy takes no default in a lambda


def is_alive(pid: str) -> bool:
    try:
        return Path("/proc/{}/stat".format(pid)).read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_what_it_leaves_behind_is_not_waited_for(way: str, tmp_path: Path) -> None:
    began = time.monotonic()
    spawn.run(shell("sleep 30 & echo $! >{}/pid".format(tmp_path)), 20)
    assert time.monotonic() - began < 10
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_flood_of_output_is_neither_kept_nor_waited_for(way: str) -> None:
    spawn.run(shell("head -c 30000000 /dev/zero; head -c 30000000 /dev/zero >&2"), 60)


def test_a_short_command_costs_no_polling_delay(way: str) -> None:
    assert median_seconds(lambda: spawn.run(["/bin/true"], 5)) < 0.2


def test_neither_door_forks_beside_a_thread() -> None:
    """In a process of its own: this one may have threads of the test runner."""
    program = """
import threading
from kexec_initd.system import process, spawn
for _ in range(200):
    process.run(["/bin/true"], 20)
    assert threading.active_count() == 1
spawn.run(["/bin/true"], 20)
try:
    process.run(["/bin/sleep", "30"], 0.2)
except process.CommandError:
    process.run(["/bin/true"], 20)
    print(threading.active_count())
"""
    argv = [sys.executable, "-W", "always:This process:DeprecationWarning", "-c", program]  # as of 3.12
    ran = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (ran.stdout, ran.stderr) == (b"1\n", b"")


def test_find_looks_where_programs_are(tmp_path: Path) -> None:
    assert spawn.find(str(tmp_path), "sync") is None
    (tmp_path / "sbin/sync").parent.mkdir()
    (tmp_path / "sbin/sync").write_text("")
    assert spawn.find(str(tmp_path), "sync") is None
    (tmp_path / "sbin/sync").chmod(0o755)
    assert spawn.find(str(tmp_path), "sync") == str(tmp_path / "sbin/sync")
    with pytest.raises(spawn.CommandError, match="the program kexec is missing"):
        spawn.require(str(tmp_path), "kexec")
