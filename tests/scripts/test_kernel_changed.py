"""The hooks of kernel packages and of update-initramfs: after one of them what was loaded before is never believed again."""

import os
from pathlib import Path
from typing import Callable

import pytest

from kexec_initd.kexec import stamp
from kexec_initd.system.virt import find_state_directory
from tests.scripts.jail import WHOLE, Jail
from tests.scripts.test_rhel import put_scripts
from tests.trees import immutable

DEBIAN = ("kernel/postinst.d", "kernel/postrm.d", "initramfs/post-update.d")
RHEL = ("kernel/postinst.d", "kernel/prerm.d")
STATE = "run/kexec-initd"
ASKED = ["python3 -I -m kexec_initd prepare"]


@pytest.fixture
def loaded(jail: Jail) -> Jail:
    (jail.root / "usr/bin").mkdir(parents=True, exist_ok=True)
    jail.fake("../usr/bin/python3", "echo kexec >/run/kexec-initd/decision")
    jail.write("boot/vmlinuz-1", "content")
    take_stamp(jail)
    return jail


def take_stamp(jail: Jail) -> None:
    """Record what is loaded, and its attempt, as Python does."""
    paths = [Path("/boot/vmlinuz-1"), stamp.mark_file(jail.root)]
    state = find_state_directory(jail.root)[1:]
    jail.write(state + "/attempt", WHOLE)
    jail.write(state + "/stamp", stamp.text_for(jail.root, paths))
    (jail.root / "var/lib").mkdir(parents=True, exist_ok=True)


def run_hook(jail: Jail, directory: str) -> None:
    """Run a hook as the packages do; it must be silent and never fail."""
    done = jail.run("../{}/zzz-kexec-initd".format(directory), "6.1.0-test", "/boot/vmlinuz-6.1.0-test", runlevel="2")
    assert (done.said, done.code) == ("", 0)


def stop(jail: Jail) -> "list[str]":
    """Run the early step; return the calls since the last time, but for those that make the record durable."""
    (jail.root / "calls").write_text("")
    jail.run("kexec-initd", "stop")
    return [call for call in jail.calls() if not call.startswith("sync ")]


@pytest.mark.parametrize("directory", DEBIAN)
def test_the_early_step_asks_again_although_no_file_shows_a_change(loaded: Jail, directory: str) -> None:
    assert stop(loaded) == []
    run_hook(loaded, directory)
    assert stop(loaded) == ASKED


def test_each_change_counts_in_the_same_second_too(loaded: Jail) -> None:
    for _ in range(3):
        run_hook(loaded, DEBIAN[0])
        assert stop(loaded) == ASKED
        take_stamp(loaded)
        assert stop(loaded) == []


def test_what_was_loaded_by_hand_is_not_touched(loaded: Jail) -> None:
    for name in ("stamp", "attempt"):
        (loaded.root / STATE / name).unlink()
    loaded.fake("../usr/bin/python3", "exit 1")
    run_hook(loaded, DEBIAN[0])
    assert sorted(os.listdir(loaded.root / STATE)) == ["changed", "decision"]
    assert stop(loaded) == ASKED
    assert (loaded.root / STATE / "decision").read_text() == "kexec\n"


def test_where_nothing_was_ever_loaded_nothing_is_made(jail: Jail) -> None:
    (jail.root / STATE / "decision").unlink()
    (jail.root / STATE).rmdir()
    run_hook(jail, DEBIAN[0])
    assert os.listdir(jail.root / "run") == []


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [Path.touch, link_to_nothing])
def test_a_state_directory_that_is_none_fails_no_package(jail: Jail, make: Callable[[Path], None]) -> None:
    (jail.root / STATE / "decision").unlink()
    (jail.root / STATE).rmdir()
    make(jail.root / STATE)
    run_hook(jail, DEBIAN[0])
    assert os.listdir(jail.root / "run") == ["kexec-initd"]


def test_a_state_directory_that_cannot_be_written_fails_no_package(loaded: Jail) -> None:
    with immutable(loaded.root / STATE):
        run_hook(loaded, DEBIAN[0])
    assert not (loaded.root / STATE / "changed").exists()


@pytest.mark.parametrize("name", ["stamp", "changed"])
def test_a_directory_in_the_place_of_a_file_fails_no_package(loaded: Jail, name: str) -> None:
    if name == "stamp":
        (loaded.root / STATE / name).unlink()
    (loaded.root / STATE / name).mkdir()
    run_hook(loaded, DEBIAN[0])
    assert (loaded.root / STATE / name).is_dir() == (name == "stamp"), "what is in the place of the mark goes"
    assert stop(loaded) == ASKED


@pytest.mark.parametrize("directory", RHEL)
def test_on_a_rhel(jail: Jail, directory: str) -> None:
    (jail.root / "usr/sbin").mkdir(parents=True)
    (jail.root / "var/run").mkdir(parents=True)
    put_scripts(jail, "centos-6")
    jail.fake("../usr/sbin/kexec-initd", "echo kexec >/dev/.kexec-initd/decision")
    jail.write("boot/vmlinuz-1", "content")
    take_stamp(jail)
    assert stop(jail) == []
    run_hook(jail, "../" + directory)
    assert stop(jail) == ["kexec-initd prepare"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_package_never_waits_for_what_is_in_the_place_of_the_mark(loaded: Jail, make: Callable[[Path], None]) -> None:
    make(loaded.root / STATE / "changed")
    run_hook(loaded, "kernel/postinst.d")
