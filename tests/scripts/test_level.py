"""Which runlevel is entered: by init's environment, that of rc, of OpenRC, by runit's file, by init's record."""

import os
import subprocess
from pathlib import Path
from typing import Dict

import pytest

from kexec_initd.install.templates import find_templates

ASK = """find_level
printf '%s ' "$level"
sh -c 'printf %s "${RUNLEVEL-}"'
"""
SHELLS = ["dash", "bash", "busybox sh"]
# What is in the environment, in runit's file, what runlevel(8) says: the level.
CASES = [
    ({"RUNLEVEL": "6"}, "2", "N 2", "6"),
    ({"RUNLEVEL": "2"}, "6", "2 6", "2"),
    ({"runlevel": "6", "previous": "3"}, None, "N 3", "6"),
    ({"RUNLEVEL": "", "runlevel": "0"}, None, "", "0"),
    ({"RC_REBOOT": "YES", "RC_RUNLEVEL": "shutdown"}, None, "N 2", "6"),
    ({"RC_RUNLEVEL": "shutdown"}, None, "2 6", "0"),
    ({"RC_RUNLEVEL": "default"}, None, "N 3", "3"),
    ({}, "6", "N 2", "6"),
    ({}, "0", "N 2", "0"),
    ({}, None, "2 6", "6"),
    ({}, None, "N 2", "2"),
    ({}, None, "N S", ""),
    ({}, None, "unknown", ""),
    ({}, None, "", ""),
    ({}, None, "2 66", ""),
]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("case", range(len(CASES)))
def test_the_level(shell: str, case: int, tmp_path: Path) -> None:
    environment, runit, record, level = CASES[case]
    if runit is not None:
        (tmp_path / "runit").write_text(runit)
    assert ask(shell, environment, record, tmp_path) == "{0} {0}".format(level)


def ask(shell: str, environment: Dict[str, str], record: str, place: Path) -> str:
    common = find_templates() / "common"
    text = "".join((common / name).read_text() for name in ("bounded.sh", "level.sh"))
    text = text.replace("/run/runit.runlevel", str(place / "runit")).replace(
        "/run/systemd/system", str(place / "systemd")
    )
    text += "runlevel () {{ printf '%s\\n' '{}'; }}\n".format(record) + ASK
    done = subprocess.run(
        [*shell.split(), "-c", text],
        stdout=subprocess.PIPE,
        check=False,
        env=dict(environment, PATH=os.environ["PATH"]),
    )
    return done.stdout.decode()


@pytest.mark.parametrize("shell", SHELLS)
def test_systemd_has_no_levels_whatever_is_in_the_record(shell: str, tmp_path: Path) -> None:
    (tmp_path / "systemd").mkdir()
    assert ask(shell, {}, "5 6", tmp_path) == " "
    assert ask(shell, {"RUNLEVEL": "6"}, "N 5", tmp_path) == "6 6"
