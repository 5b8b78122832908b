"""The plug-in for kernel-install: it takes what a kexec has put on the line out of the entry just made, and nothing else."""

import os
import subprocess
from pathlib import Path
from typing import Dict

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "kernel-install/91-kexec-initd.install"
VERSION = "6.1.0-of-no-machine"
OURS = "kexec_initd.attempt=0123456789abcdef kexec_initd.panic=30 panic=30 "


@pytest.fixture(params=["dash", "bash", "busybox"], name="shell")
def _shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(shell: str, *words: str, env: Dict[str, str]) -> None:
    """Run the plug-in, which has to succeed in silence."""
    command = ["busybox", "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(
        [*command, str(PLUGIN), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, env=env
    )
    assert done.stdout == b""


def entry(root: Path, name: str, options: str) -> Path:
    place = root / "loader/entries" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("title Debian\nversion {}\noptions {}\nlinux /x/linux\n".format(VERSION, options))
    return place


@pytest.mark.parametrize("given, left", [
    (OURS + "root=UUID=x ro quiet systemd.machine_id=t", "root=UUID=x ro quiet systemd.machine_id=t"),
    ("root=UUID=x ro kexec_initd.attempt=old kexec_initd.attempt=older", "root=UUID=x ro"),
    ("kexec_initd.attempt=old panic=5 ro", "panic=5 ro"),
    ("kexec_initd.panic=30 panic=30 ro panic=30", "ro panic=30"),
    ("ro kexec_initd.append debug a=* systemd.machine_id=t", "ro systemd.machine_id=t"),
    ("ro kexec_initd.append debug -- kept for init", "ro -- kept for init"),
    ("kexec_initd.attempt=old a=* b=$(x) \"c d\" e\\f %s -n", "a=* b=$(x) \"c d\" e\\f %s -n"),
])  # fmt: skip
def test_only_what_a_kexec_has_added_goes(tmp_path: Path, shell: str, given: str, left: str) -> None:
    place = entry(tmp_path, "t-{}.conf".format(VERSION), given)
    counted = entry(tmp_path, "t-{}+3.conf".format(VERSION), given)
    before = place.read_text()
    env = {"PATH": os.environ["PATH"], "KERNEL_INSTALL_BOOT_ROOT": str(tmp_path)}
    run(shell, "add", VERSION, str(tmp_path / "t" / VERSION), "/boot/vmlinuz", env=env)
    for path in (place, counted):
        assert path.read_text().split("\n") == before.replace("options " + given, "options    " + left).split("\n")
    assert sorted(os.listdir(str(place.parent))) == sorted([place.name, counted.name])


def test_what_is_none_of_it_stays_as_it_is(tmp_path: Path, shell: str) -> None:
    """Entries without a word of ours, of other kernels, and of other verbs; a host without entries."""
    env = {"PATH": os.environ["PATH"]}
    good = entry(tmp_path, "t-{}.conf".format(VERSION), "root=UUID=x  ro")
    other = entry(tmp_path, "t-5.10.conf", OURS + "ro")
    known = [(path.read_text(), path.stat().st_ino) for path in (good, other)]
    for words in (
        ("add", VERSION, str(tmp_path / "t" / VERSION), "/boot/vmlinuz"),
        ("remove", "5.10", str(tmp_path / "t/5.10")),
        ("add",),
        (),
        ("add", VERSION, str(tmp_path / "none/t" / VERSION)),
    ):
        run(shell, *words, env=env)
    assert [(path.read_text(), path.stat().st_ino) for path in (good, other)] == known


def test_before_250_the_directory_tells_where_entries_are(tmp_path: Path, shell: str) -> None:
    place = entry(tmp_path, "t-{}.conf".format(VERSION), OURS + "ro")
    run(shell, "add", VERSION, str(tmp_path / "t" / VERSION), "/boot/vmlinuz", env={"PATH": os.environ["PATH"]})
    assert "\noptions    ro\n" in place.read_text()
