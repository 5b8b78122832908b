"""What the last step says: never waited for, and never a reason to do something else."""

import os
import pty
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Callable, Iterator, Tuple

import pytest

from kexec_initd.stages import last_step
from kexec_initd.system.console import Console
from tests.unit.fake_host import FakeHost

CALL = """import sys; from pathlib import Path
from kexec_initd.stages import last_step; from kexec_initd.system import console
console.PATIENCE = 0.2
sys.exit(last_step.main([], Path(sys.argv[1])))"""


@pytest.fixture
def terminal() -> Iterator[Tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def call(fake: FakeHost, stdout: int) -> int:
    """Run the last step as a process whose standard output and standard error are `stdout`; return its exit code."""
    argv = [sys.executable, "-c", CALL, str(fake.root)]
    here = str(Path(last_step.__file__).resolve().parents[2])
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stdout, cwd=here, timeout=30, check=False
    )
    return done.returncode


def full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def broken_pipe() -> int:
    read_end, write_end = os.pipe()
    os.close(read_end)
    return write_end


def read_only() -> int:
    return os.open("/dev/null", os.O_RDONLY)


def gone() -> int:
    """A terminal whose other end is closed: each write is an EIO."""
    ours, theirs = pty.openpty()
    os.close(ours)
    return theirs


OUTPUTS = [full, broken_pipe, read_only, gone]


@pytest.mark.parametrize("code", [3, last_step.WENT_COLD])
@pytest.mark.parametrize("output", OUTPUTS)
def test_that_nothing_can_be_said_changes_no_decision(fake: FakeHost, output: Callable[[], int], code: int) -> None:
    if code == 3:
        (fake.root / "run/utmp").unlink()
    fd = output()
    assert call(fake, fd) == code
    os.close(fd)


@pytest.mark.parametrize("device", ["/dev/full", "/nowhere"])
def test_a_console_that_fails_changes_none_either(fake: FakeHost, device: str) -> None:
    (fake.root / "dev").mkdir()
    (fake.root / "dev/console").symlink_to(device)
    (fake.root / "run/utmp").unlink()
    fd = full()
    assert call(fake, fd) == 3
    os.close(fd)


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_stopped_console_is_not_waited_for(fake: FakeHost, terminal: Tuple[int, int], by_hand: bool) -> None:
    termios.tcflow(terminal[1], termios.TCOOFF)
    (fake.root / "dev").mkdir()
    (fake.root / "dev/console").symlink_to(os.ttyname(terminal[1]))
    fake.write("sys/kernel/kexec_loaded", "1\n")
    fake.program("10-loud", "head -c 300000 /dev/zero; echo speaks", directory=last_step.HOOKS)
    output = terminal[1] if by_hand else full()
    assert call(fake, output) == last_step.WENT_COLD
    assert fake.names() == ["10-loud", "sync", "umount", "kexec"]


def test_who_calls_it_by_hand_is_answered_on_his_own_terminal(fake: FakeHost, terminal: Tuple[int, int]) -> None:
    fake.write("dev/console", "")
    (fake.root / "run/utmp").unlink()
    assert call(fake, terminal[1]) == 3
    assert os.read(terminal[0], 4096) == b"kexec-initd: refused: the runlevel is unknown, not 6\r\n"
    assert (fake.root / "dev/console").read_text() == ""


def test_patience_is_lost_once_and_comes_back_with_the_output(
    fake: FakeHost, terminal: Tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kexec_initd.system.console.PATIENCE", 0.2)
    (fake.root / "dev").mkdir()
    (fake.root / "dev/console").symlink_to(os.ttyname(terminal[1]))
    console = Console(fake.root)
    console.say("one")
    termios.tcflow(terminal[1], termios.TCOOFF)
    began = time.monotonic()
    for number in range(50):
        console.say("lost {}".format(number))
    assert 0.2 <= time.monotonic() - began < 5
    termios.tcflow(terminal[1], termios.TCOON)
    console.say("two")
    text = b""
    while not text.endswith(b"two\r\n"):
        text += os.read(terminal[0], 4096)
    assert text == b"one\r\ntwo\r\n"


def test_a_long_line_goes_out_as_the_other_side_takes_it(fake: FakeHost, terminal: Tuple[int, int]) -> None:
    (fake.root / "dev").mkdir()
    (fake.root / "dev/console").symlink_to(os.ttyname(terminal[1]))
    child = os.fork()
    if child == 0:
        Console(fake.root).say("x" * 100000)
        os._exit(0)
    text = b""
    while not text.endswith(b"\n"):
        text += os.read(terminal[0], 65536)
    assert os.waitpid(child, 0)[1] == 0
    assert len(text) == 100002
