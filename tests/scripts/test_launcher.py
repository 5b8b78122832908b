"""The command of the .rpm finds the Python that is fit, under each shell that may be /bin/sh of a host."""

from pathlib import Path
from typing import Optional

import pytest

from tests.scripts.jail import Jail, Run

LAUNCHER = Path(__file__).resolve().parents[2] / "rpm/kexec-initd"
PYTHON3 = "usr/bin/python3"
COLLECTION = "opt/rh/rh-python36/root/usr/bin/python3"
PLATFORM = "usr/libexec/platform-python"
LOCAL = "usr/local/bin/python3"
# Answers as an interpreter does that is asked for its version, and tells what else it was called with.
FAKE = """#!/bin/sh
case "$*" in *version_info*) {answer} ;; esac
printf '%s|' "$0" "$@" "$PATH" "$LD_LIBRARY_PATH" "$(umask)"
exit 42
"""
NEW, OLD, BROKEN = "exit 0", "exit 1", "echo 'libpython3.6m.so.1.0: cannot open' >&2; exit 127"


@pytest.fixture(name="jail", params=["/bin/dash", "/bin/bash", "/bin/busybox"])
def _jail(request: pytest.FixtureRequest, tmp_path: Path) -> Jail:
    jail = Jail(tmp_path / "jail", request.param)
    jail.write("etc/init.d/launcher", LAUNCHER.read_text(), 0o755)
    return jail


def put(jail: Jail, place: str, answer: str = NEW) -> None:
    jail.write(place, FAKE.format(answer=answer), 0o755)


def check(done: Run, place: str, libraries: Optional[str] = None) -> None:
    """The Python at `place` ran the program with the arguments of `done`, isolated."""
    words = done.said.split("|")
    main = "/usr/share/kexec-initd/main.py"
    assert words[:7] == ["/" + place, "-I", "-B", main, "a b", "", "*"]
    assert words[7:10] == ["/usr/sbin:/usr/bin:/sbin:/bin", libraries or "", "0022"]
    assert done.code == 42


def launch(jail: Jail) -> Run:
    return jail.run("launcher", "a b", "", "*")


def test_the_first_fit_one_runs_the_program(jail: Jail) -> None:
    for place in (LOCAL, PLATFORM, COLLECTION, "usr/bin/python3.13", "usr/bin/python3.6", PYTHON3):
        put(jail, place)
        check(launch(jail), place, "/opt/rh/rh-python36/root/usr/lib64" if place == COLLECTION else None)


@pytest.mark.parametrize("answer", [OLD, BROKEN])
def test_one_that_is_too_old_or_does_not_start_is_passed_over(jail: Jail, answer: str) -> None:
    for place in (PYTHON3, "usr/bin/python3.6", "usr/bin/python3.12", COLLECTION):
        put(jail, place, answer)
    put(jail, PLATFORM)
    check(launch(jail), PLATFORM)


def test_other_names_are_no_pythons(jail: Jail) -> None:
    for name in ("python", "python2", "python3.4", "python3.6m", "python3.6-config", "python3-config"):
        put(jail, "usr/bin/" + name)
    assert launch(jail).code == 3


def test_without_python_one_line_and_refused(jail: Jail) -> None:
    put(jail, PYTHON3, OLD)
    jail.write("usr/bin/python3.8", "", 0o644)
    done = launch(jail)
    assert done.code == 3
    assert done.said.startswith("kexec-initd: there is no Python 3.6 or newer as python3 in /usr/bin, ")
    assert "install one" in done.said
    assert done.said.count("\n") == 1
