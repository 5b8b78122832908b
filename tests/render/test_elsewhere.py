"""Golden tests: the files for another machine, packaged and standalone, are those below tests/render/elsewhere/NAME.

They come out the same on every machine and every Python. With UPDATE_GOLDEN=1 in the environment the expected files
are written instead.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Set, Tuple

import pytest

from kexec_initd.cli import main

EXPECTED = Path(__file__).resolve().parent / "elsewhere"
TARGETS = [
    *("ubuntu:10.04", "ubuntu:12.04", "ubuntu:13.04", "ubuntu:14.04", "debian:7", "debian:8", "debian:12", "devuan"),
    *("rhel:4", "rhel:5", "rhel:6", "centos:6", "oracle:6", "amazon:1"),
]
INSTALLERS = ("install.sh", "uninstall.sh")  # the same for every target, and kept once
SHELLS = [["dash"], ["bash"], ["busybox", "sh"]]


def generate(target: str, standalone: bool, out: Path) -> Path:
    assert main(["render", "--for", target, "--out", str(out)] + ["--standalone"] * standalone) == 0
    return out


def read_tree(directory: Path, without: Tuple[str, ...] = ()) -> Dict[str, Tuple[str, bytes]]:
    """Return what stands for each path: a link and its target, or whether a file is executable, and its content."""
    found = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_symlink():
            found[name] = ("link", os.readlink(str(path)).encode())
        elif path.is_file() and name not in without:
            found[name] = ("executable" if path.stat().st_mode & 0o100 else "plain", path.read_bytes())
    return found


def update(found: Path, expected: Path) -> None:
    """Take what was found for what is expected from now on."""
    shutil.rmtree(str(expected), ignore_errors=True)
    shutil.copytree(str(found), str(expected), symlinks=True)
    for name in INSTALLERS:
        if (expected / name).exists():
            (expected / name).replace(EXPECTED / name)


@pytest.mark.parametrize("kind", ["packaged", "standalone"])
@pytest.mark.parametrize("target", TARGETS)
def test_generated_files_are_as_expected(target: str, kind: str, tmp_path: Path) -> None:
    found = generate(target, kind == "standalone", tmp_path / "out")
    expected = EXPECTED / target.replace(":", "-") / kind
    if os.environ.get("UPDATE_GOLDEN"):
        update(found, expected)
        found = generate(target, kind == "standalone", tmp_path / "again")
    assert read_tree(found, INSTALLERS) == read_tree(expected)
    if kind == "standalone":
        for name in INSTALLERS:
            assert (found / name).read_bytes() == (EXPECTED / name).read_bytes()
            assert (found / name).stat().st_mode & 0o777 == 0o755


def scripts() -> List[Path]:
    """Return one of each kind of generated script; equal ones are read once."""
    seen: Set[bytes] = set()
    found = []
    for path in sorted(EXPECTED.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.name != "list" and path.read_bytes() not in seen:
            seen.add(path.read_bytes())
            found.append(path)
    return found


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_generated_files_are_valid_in_every_shell(shell: List[str]) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip("{} is not installed here".format(shell[0]))
    assert len(scripts()) > 10
    for path in scripts():
        subprocess.run([*shell, "-n", str(path)], check=True)


def test_nothing_of_this_machine_enters(tmp_path: Path) -> None:
    """Another process with another environment, directory and umask gives the same files."""
    first = read_tree(generate("rhel:6", True, tmp_path / "first"))
    argv = [sys.executable, "-m", "kexec_initd", "render", "--for", "rhel:6", "--standalone", "--out", "second"]
    checkout = str(Path(__file__).resolve().parents[2])
    environment = dict(os.environ, PYTHONPATH=checkout, LC_ALL="C", TZ="Asia/Tokyo", HOME="/nonexistent")
    subprocess.run(argv, check=True, cwd=str(tmp_path), env=environment)
    assert read_tree(tmp_path / "second") == first


@pytest.mark.parametrize(
    "argv, code, words",
    [
        (["--for", "ubuntu:12.04"], 2, "--for needs --out DIR"),
        (["--for", "ubuntu:12.04", "--out", "{}/new", "--root", "{}"], 2, "takes no --root"),
        (["--for", "beos", "--out", "{}/new"], 2, "known are: amazon, centos, debian"),
        (["--for", "rhel:six", "--out", "{}/new"], 2, "must be a number"),
        (["--for", "rhel:", "--out", "{}/new"], 2, "must be a number"),
        (["--for", "rhel:3", "--out", "{}/new"], 3, "older than anything"),
        (["--for", "rhel:7", "--out", "{}/new"], 3, "systemctl kexec"),
        (["--for", "ubuntu:16.04", "--out", "{}/new"], 3, "with the init system systemd"),
        (["--for", "debian:12", "--init", "openrc", "--out", "{}/new"], 2, "invalid choice"),
        (["--for", "debian:12", "--init", "launchd", "--out", "{}/new"], 2, "invalid choice"),
        (["--standalone", "--out", "{}/new"], 2, "go with --for only"),
        (["--for", "debian:12", "--out", "{}"], 3, "is there already"),
    ],
)
def test_what_cannot_be_generated_is_said_in_one_line(
    argv: List[str],
    code: int,
    words: str,
    tmp_path: Path,
    capsys: "pytest.CaptureFixture[str]",
) -> None:
    (tmp_path / "there").write_text("")
    assert main(["render"] + [word.format(tmp_path) for word in argv]) == code
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert words in said.err
    assert os.listdir(str(tmp_path)) == ["there"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("standalone", [False, True])
def test_no_function_takes_the_place_of_another(target: str, standalone: bool, tmp_path: Path) -> None:
    for name, (_, data) in read_tree(generate(target, standalone, tmp_path / "out")).items():
        functions = re.findall(rb"^([a-z_0-9]+) \(\)", data, re.MULTILINE)
        assert len(functions) == len(set(functions)), (
            name,
            [found for found in functions if functions.count(found) > 1],
        )
