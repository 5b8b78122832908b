"""The door to commands: arguments arrive unchanged, failures are told once, nothing is waited for too long."""

import os
import sys
import time
from pathlib import Path
from typing import List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexec_initd.system import process
from tests.unit.waiting import eventually, median_seconds

ARGUMENT = st.text(st.characters(min_codepoint=1, max_codepoint=0x2FF, blacklist_categories=["Cs"]))
ECHO = "import os, sys; sys.stdout.buffer.write(b'\\0'.join(map(os.fsencode, sys.argv[1:])))"


def python(code: str, *args: str) -> List[str]:
    return [sys.executable, "-c", code, *args]


@given(st.lists(ARGUMENT, max_size=4))
def test_any_argument_arrives_unchanged(args: List[str]) -> None:
    env = {"PYTHONUTF8": "1"}
    assert process.run(python(ECHO, *args), 20, env=env) == "\0".join(args)


def test_bytes_that_are_not_text_arrive_unchanged() -> None:
    assert process.run(python(ECHO, os.fsdecode(b"a\xff\xe9b")), 20) == "a\udcff\udce9b"


def test_environment_and_directory_are_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD_CANARY", "1")
    assert sorted(process.run(["/usr/bin/env"], 5).splitlines()) == [
        "LANG=C",
        "LC_ALL=C",
        "PATH=" + process.ENVIRONMENT["PATH"],
    ]
    assert process.run(["/bin/pwd"], 5) == "/\n"


def test_standard_input_is_empty() -> None:
    assert process.run(["/bin/cat"], 5) == ""


def test_a_descriptor_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    fd = os.open(str(tmp_path / "file"), os.O_RDONLY)
    assert process.run(["/bin/cat", "/proc/self/fd/{}".format(fd)], 5, pass_fds=[fd]) == "content"
    os.close(fd)


def test_a_descriptor_that_is_not_named_is_not_inherited() -> None:
    fd = os.open("/dev/null", os.O_RDONLY)
    with pytest.raises(process.CommandError):
        process.run(["/bin/cat", "/proc/self/fd/{}".format(fd)], 5)
    os.close(fd)


@pytest.mark.parametrize(
    "script, message",
    [
        ("echo first >&2; echo 'last line' >&2; exit 3", "failed with exit code 3: last line"),
        ("exit 4", "failed with exit code 4"),
        ("kill -SEGV $$", "died from signal 11"),
        ("kill -KILL $$", "died from signal 9"),
    ],
)
def test_a_failure_is_told_with_its_kind(script: str, message: str) -> None:
    with pytest.raises(process.CommandError) as error:
        process.run(["/bin/sh", "-c", script], 5)
    assert str(error.value) == "/bin/sh " + message


def test_an_expected_code_is_no_failure() -> None:
    assert process.run(["/bin/sh", "-c", "echo out; exit 7"], 5, ok=(0, 7)) == "out\n"


@pytest.mark.parametrize("program", ["/no/such/program", "/etc/passwd"])
def test_what_cannot_start_is_told(program: str) -> None:
    with pytest.raises(process.CommandError, match="cannot start " + program):
        process.run([program], 5)


def alive_in_session(session: int) -> List[List[str]]:
    """Return the processes of a session that are not zombies: proc_pid_stat(5), after the name: state, ppid, pgrp, session."""
    rows = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            rows.append(stat.read_text().rpartition(")")[2].split())
        except OSError:
            continue
    return [row for row in rows if row[3] == str(session) and row[0] not in "ZX"]


@pytest.mark.parametrize("script", ["sleep 30", "trap '' TERM INT; sleep 30; echo", "sleep 30 & wait"])
def test_what_takes_too_long_is_killed_with_its_children(script: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(process.CommandError, match=r"did not end within 0\.3 s"):
        process.run(["/bin/sh", "-c", "echo $$ >{}/pid; {}".format(tmp_path, script)], 0.3)
    assert time.monotonic() - began < 20  # of the 30 that it would sleep
    session = int((tmp_path / "pid").read_text())
    assert eventually(lambda: alive_in_session(session) == [])


def test_a_short_command_costs_no_polling_delay() -> None:
    # `sh` sleeps up to a second before it sees that a background process has ended.
    assert median_seconds(lambda: process.run(["/bin/true"], 5)) < 0.5


def test_find_looks_below_the_root_only(tmp_path: Path) -> None:
    assert process.find(tmp_path, "sync") is None
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin/sync").write_text("")
    assert process.find(tmp_path, "sync") is None
    (tmp_path / "sbin/sync").chmod(0o755)
    assert process.find(tmp_path, "sync") == tmp_path / "sbin/sync"
    with pytest.raises(process.CommandError, match="the program kexec is missing"):
        process.require(tmp_path, "kexec")
