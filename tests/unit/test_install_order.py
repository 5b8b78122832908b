"""The order in which install and uninstall change things, for who is killed in between: what undoes a change comes before it."""

import os
from pathlib import Path
from typing import List, Optional

import pytest

from kexec_initd.install import dpkg, manifest
from kexec_initd.install.apply import execute
from kexec_initd.install.manifest import ChangeKind, InstallState, read_manifest
from kexec_initd.install.plan_install import plan_install
from kexec_initd.install.plan_uninstall import plan_uninstall
from kexec_initd.install.run_lock import LOCK, take_lock
from kexec_initd.install.steps import Divert, KeepOriginal, WriteFile
from kexec_initd.state import flock
from kexec_initd.system.files import write_atomic
from kexec_initd.system.host import gather
from tests.trees import install, make_tree, put


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "root")


def test_an_original_is_kept_before_dpkg_is_told_to_write_to_its_place(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "dpkg-divert"
    put(tool, b"#!/bin/sh\n", 0o755)
    monkeypatch.setattr(dpkg, "find_tool", lambda root: tool)
    (change,) = [change for change in plan_install(gather(root)).changes if change.entry.path == "/etc/init.d/reboot"]
    assert [type(step) for step in change.steps] == [KeepOriginal, Divert, WriteFile]


def test_the_links_go_when_the_scripts_are_gone(root: Path) -> None:
    install(root)
    links = [
        change.entry.kind in (ChangeKind.LINKS, ChangeKind.SYMLINK) for change in plan_uninstall(gather(root)).changes
    ]
    assert any(links) and links == sorted(links)


class Look:
    """A step that changes nothing, and sees what the manifest says by then."""

    def __init__(self) -> None:
        self.seen: List[Optional[InstallState]] = []

    def apply(self, root: Path) -> None:
        found = read_manifest(root)
        self.seen.append(found and found.state)


def test_the_manifest_says_what_is_under_way_before_the_first_change(root: Path) -> None:
    look = Look()
    for plan in (plan_install, plan_uninstall):
        made = plan(gather(root))
        first = made.changes[0]
        execute(made._replace(changes=(first._replace(steps=(look, *first.steps)), *made.changes[1:])))  # type: ignore[arg-type] # none of ours
    assert look.seen == [InstallState.INSTALLING, InstallState.REMOVING]


@pytest.mark.parametrize("again", [False, True])
def test_a_lock_that_goes_in_the_moment_of_its_opening_is_made_anew(
    root: Path, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    place = root / LOCK.lstrip("/")
    tries: List[int] = []

    def late(fd: int) -> bool:
        tries.append(fd)
        if len(tries) == 1:  # the run before is at its end
            place.unlink()
            if again:
                put(place, b"", 0o600)
        return flock.try_lock(fd)

    monkeypatch.setattr("kexec_initd.install.run_lock.try_lock", late)
    fd = take_lock(root)
    assert len(tries) == 2 and os.path.samestat(os.fstat(fd), os.stat(str(place)))
    os.close(fd)


def test_what_is_written_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: List[str] = []
    fsync, rename = os.fsync, os.rename

    def synced(fd: int) -> None:
        done.append("sync " + os.path.basename(os.readlink("/proc/self/fd/{}".format(fd))))
        fsync(fd)

    def renamed(source: str, target: str) -> None:
        done.append("rename {} {}".format(os.path.basename(source), os.path.basename(target)))
        rename(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    write_atomic(tmp_path / "file", b"data", 0o600)
    name = done[0].split(" ")[1]
    assert name.startswith(manifest.STAGED.rstrip("*"))
    assert done == ["sync " + name, "rename {} file".format(name), "sync " + tmp_path.name]
