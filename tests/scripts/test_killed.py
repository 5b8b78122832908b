"""The early step is killed at any of its lines: the last step then finds the whole decision, or none and goes cold."""

import shutil
import subprocess
from pathlib import Path
from typing import Iterator, Tuple

import pytest

from kexec_initd.kexec import stamp
from tests.scripts.jail import WHOLE, Jail

SCRIPT = "etc/init.d/kexec-initd"
RECORD = "var/lib/kexec-initd/attempts"
DECISION = "run/kexec-initd/decision"
KILLED = (137, -9)  # what chroot(8), which becomes the shell, ends with

# What each way through the script begins with, and the decision that it comes to when nobody kills it.
WAYS = {
    "unchanged": ("", "kexec\n"),
    "changed": ("boot/vmlinuz-1", "cold nothing fit is loaded, and the program that would load it failed (code 1)\n"),
    "asked-for": ("no-kexec-reboot", "cold asked for by /no-kexec-reboot\n"),
}


@pytest.fixture
def early(jail: Jail) -> Jail:
    (jail.root / "usr/bin").mkdir(parents=True, exist_ok=True)
    jail.fake("../usr/bin/python3", "exit 1")
    (jail.root / "var/lib").mkdir(parents=True)
    return jail


def prepare(jail: Jail, change: str) -> None:
    """Bring the jail to the beginning of a shutdown; `change` is what was written since the kernel was loaded."""
    shutil.rmtree(jail.root / "var/lib/kexec-initd", ignore_errors=True)
    jail.write("sys/kernel/kexec_loaded", "1\n")
    jail.write("boot/vmlinuz-1", "content")
    jail.write("run/kexec-initd/attempt", WHOLE)
    jail.write("run/kexec-initd/stamp", stamp.text_for(jail.root, [Path("/boot/vmlinuz-1")]))
    (jail.root / DECISION).unlink(missing_ok=True)
    if change:
        jail.write(change, "another content")


def killing(jail: Jail) -> Iterator[Tuple[int, str]]:
    """Yield the script with one more line, which kills it, at each place where the shell takes a command."""
    lines = (jail.root / SCRIPT).read_text().splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.strip() and not line.lstrip().startswith("#"):
            text = "".join([*lines[:number], "kill -KILL $$\n", *lines[number:]])
            if (
                subprocess.run(["sh", "-n"], input=text, text=True, stderr=subprocess.DEVNULL, check=False).returncode
                == 0
            ):
                yield number, text


@pytest.mark.full
def test_killed_at_any_line_the_early_step_leaves_a_whole_decision_or_none(early: Jail) -> None:
    places = list(killing(early))
    for way, (change, decision) in WAYS.items():
        kills = 0
        for number, text in places:
            early.write(SCRIPT, text, 0o755)
            prepare(early, change)
            code = early.run("kexec-initd", "stop").code
            left = (early.root / DECISION).read_text() if (early.root / DECISION).exists() else ""
            # A line more in the middle of a text makes other words of it, and what it stands for is then no longer known.
            whole = left == decision or (left.startswith("cold ") and left.endswith("\n"))
            assert whole or (left == "" and code in KILLED), (way, number, left)
            assert left != "kexec\n" or (early.root / RECORD).read_text() == WHOLE, (way, number)
            kills += code in KILLED
        assert kills > 20, way


def test_without_a_decision_the_last_step_goes_cold(early: Jail) -> None:
    prepare(early, "")
    said = early.run("reboot", "stop").said
    assert "kexec-initd: reboot goes through firmware: the early shutdown step left no decision\n" in said
    assert early.calls()[-1] == "reboot -d -f -i"
