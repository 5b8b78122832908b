"""Golden tests: the files for another machine, packaged and standalone. They come out the same on every machine and Python."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from kexec_initd.cli import main
from kexec_initd.install.render import render_plain
from kexec_initd.install.standalone import SCRIPTS
from tests.render.golden import KINDS, TARGETS, expected, generate, read_files, read_table
from tests.render.kept import FILES, read, scripts

SHELLS = [["dash"], ["bash"], ["busybox", "sh"]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", TARGETS)
def test_generated_files_are_as_expected(target: str, kind: str, tmp_path: Path) -> None:
    found = generate(target, kind, tmp_path / "out")
    assert read_files(found) == expected("{} {}".format(target, kind)) != {}
    if kind == "standalone":
        for name in SCRIPTS:
            assert (found / name).read_bytes() == render_plain("standalone/" + name)
            assert (found / name).stat().st_mode & 0o777 == 0o755


def test_every_file_that_is_kept_is_expected_somewhere_and_once() -> None:
    used = {what for _, kind, what, _ in read_table() if kind != "link"}
    kept = {path.name: read(path.name) for path in FILES.iterdir()}
    assert set(kept) == used
    assert len(set(kept.values())) == len(kept)


@pytest.mark.once
@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_generated_files_are_valid_in_every_shell(shell: List[str], tmp_path: Path) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip("{} is not installed here".format(shell[0]))
    assert len(scripts()) > 10
    for name, content in scripts().items():
        (tmp_path / name).write_bytes(content)
        subprocess.run([*shell, "-n", name], check=True, cwd=str(tmp_path))


@pytest.mark.parametrize("target, init", [
    ("rhel:9", []), ("rocky:8", []), ("fedora", []), ("arch", []), ("sles:15", []), ("ubuntu:16.04", []),
    ("debian:13", ["systemd"]),
])  # fmt: skip
def test_under_systemd_all_get_what_their_own_install_gives(target: str, init: List[str], tmp_path: Path) -> None:
    assert main(["render", "--for", target, *(["--init"] * len(init)), *init, "--out", str(tmp_path / "new")]) == 0
    found = read_files(tmp_path / "new/files")
    debian = target.startswith(("debian", "ubuntu"))
    own = expected("debian-12-systemd" if debian else "rhel-9")
    names = ["etc/systemd/system/kexec-initd.service"]
    if debian or "rhel" in target:
        names.append(
            "lib/systemd/system-shutdown/kexec-initd" if debian else "usr/lib/systemd/system-shutdown/kexec-initd"
        )
    assert {name: found[name] for name in names} == {name: own[name] for name in names}
    assert (
        "etc/systemd/system/multi-user.target.wants/kexec-initd.service" in found and "etc/init.d/reboot" not in found
    )


def test_nothing_of_this_machine_enters(tmp_path: Path) -> None:
    """Another process with another environment, directory and umask gives the same files."""
    first = read_files(generate("rhel:6", "standalone", tmp_path / "first"))
    argv = [sys.executable, "-m", "kexec_initd", "render", "--for", "rhel:6", "--standalone", "--out", "second"]
    checkout = str(Path(__file__).resolve().parents[2])
    environment = dict(os.environ, PYTHONPATH=checkout, LC_ALL="C", TZ="Asia/Tokyo", HOME="/nonexistent")
    subprocess.run(argv, check=True, cwd=str(tmp_path), env=environment)
    assert read_files(tmp_path / "second") == first


@pytest.mark.parametrize(
    "argv, code, words",
    [
        (["--for", "ubuntu:12.04"], 2, "--for needs one of --out DIR, --deb FILE and --rpm FILE"),
        (["--for", "ubuntu", "--standalone", "--deb", "{}/a", "--rpm", "{}/b"], 2, "--for needs one of"),
        (["--for", "ubuntu", "--standalone", "--deb", "{}/a", "--out", "{}/b"], 2, "--for needs one of"),
        (["--for", "ubuntu", "--deb", "{}/new"], 2, "--deb goes with --standalone"),
        (["--for", "rhel", "--rpm", "{}/new", "--standalone", "--init", "upstart"], 2, "takes no --init"),
        (["--for", "rhel", "--standalone", "--deb", "{}/new"], 2, "--deb is not for rhel; take --rpm"),
        (["--for", "devuan:1", "--standalone", "--rpm", "{}/new"], 2, "--rpm is not for devuan:1; take --deb"),
        (["--for", "debian", "--standalone", "--deb", "{}/none/new"], 1, "none"),
        (["--for", "debian", "--standalone", "--deb", "{}"], 1, "Is a directory"),
        (["--rpm", "{}/new"], 2, "go with --for only"),
        (["--for", "ubuntu:12.04", "--out", "{}/new", "--root", "{}"], 2, "takes no --root"),
        (["--for", "beos", "--out", "{}/new"], 2, "known are: almalinux, amazon, arch, artix, centos, debian"),
        (["--for", "rhel:six", "--out", "{}/new"], 2, "must be a number"),
        (["--for", "rhel:", "--out", "{}/new"], 2, "must be a number"),
        (["--for", "rhel:3", "--out", "{}/new"], 3, "older than anything"),
        (["--for", "rhel:7", "--standalone", "--out", "{}/new"], 3, "leave out --standalone"),
        (["--for", "arch", "--init", "sysvinit", "--out", "{}/new"], 3, "with the init system sysvinit"),
        (["--for", "gentoo", "--standalone", "--out", "{}/new"], 3, "with the init system openrc"),
        (["--for", "rhel:6", "--init", "openrc", "--out", "{}/new"], 3, "busybox's init, which Alpine has"),
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


def test_no_function_takes_the_place_of_another() -> None:
    for name, script in scripts().items():
        functions = re.findall(rb"^([a-z_0-9]+) \(\)", script, re.MULTILINE)
        assert sorted({found for found in functions if functions.count(found) > 1}) == [], name


@pytest.mark.parametrize("words", [["debian", "--deb"], ["rhel", "--rpm"]])
def test_a_tool_that_is_missing_is_said_in_one_line(
    words: List[str], tmp_path: Path, capsys: "pytest.CaptureFixture[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kexec_initd.system.process.SEARCH", ())
    assert main(["render", "--standalone", "--for", *words, str(tmp_path / "new")]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n"), os.listdir(str(tmp_path))) == ("", 1, [])
    assert " is missing; install it: the package " in said.err


def test_what_comes_next_is_said_in_one_line(tmp_path: Path, capsys: "pytest.CaptureFixture[str]") -> None:
    generate("rhel:6", "standalone", tmp_path / "new")
    said = "copy {} to the host, and run there as root, in it: sh install.sh\n".format(tmp_path / "new")
    assert capsys.readouterr().out == said
    assert "sh install.sh " in (tmp_path / "new/README").read_text()
