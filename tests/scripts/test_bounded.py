"""One command within its limit, in plain shell: nothing but its own end, or the limit, ends the waiting."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.scripts.test_level import SHELLS

BOUNDED = Path(__file__).resolve().parents[2] / "templates/common/bounded.sh"

SIGNALLED = """
trap : HUP INT QUIT TERM PIPE
(sleep 0.3; kill -TERM $$; sleep 0.3; kill -HUP $$) &
bounded 30 sh -c 'sleep 1.5; : >ended; exit 7'
code=$?
[ -e ended ] && echo "$code $result [$expired]"
"""


def run(shell: str, text: str, place: Path) -> str:
    done = subprocess.run(
        [*shell.split(), "-c", BOUNDED.read_text() + text],
        stdout=subprocess.PIPE,
        check=False,
        cwd=str(place),
        env={"PATH": os.environ["PATH"]},
    )
    return done.stdout.decode()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_signal_to_the_shell_does_not_end_the_waiting(shell: str, tmp_path: Path) -> None:
    assert run(shell, SIGNALLED, tmp_path) == "7 7 []\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_limit_does(shell: str, tmp_path: Path) -> None:
    began = time.monotonic()
    assert run(shell, "bounded 1 sleep 60\necho $result [$expired]\n", tmp_path) == "137 [.]\n"
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("shell", SHELLS)
def test_its_end_is_told_although_the_timer_ends_the_waiting_at_the_same_time(shell: str, tmp_path: Path) -> None:
    many = "for _ in $(seq 40); do bounded 0.01 sleep 60; echo $result; done\n"
    assert run(shell, many, tmp_path) == "137\n" * 40
