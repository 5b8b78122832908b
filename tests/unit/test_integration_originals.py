"""The kept original is lost, cut, changed or something else: removal restores it by evidence, or refuses with what to do."""

import os
import shutil
from pathlib import Path
from typing import Callable, Dict

import pytest

from kexec_initd.errors import Refused
from kexec_initd.install.apply import execute
from kexec_initd.install.conffiles import find_conffile
from kexec_initd.install.manifest import PATH as MANIFEST
from kexec_initd.install.manifest import read_manifest
from kexec_initd.install.plan_install import plan_install
from kexec_initd.system.host import gather
from tests.trees import KEXEC, REBOOT, dpkg_status, make_tree, put, snapshot, uninstall

ORIGINALS = "etc/kexec-initd/originals"
KEPT = ORIGINALS + "/reboot"
PLACE = "etc/init.d/reboot"
NEWER = REBOOT.replace("the reboot of", "the newer reboot of").encode()
REINSTALL = "apt-get install --reinstall -o Dpkg::Options::=--force-confmiss initscripts"
BROUGHT = {"/etc/init.d/reboot": REBOOT.encode()}


@pytest.fixture(name="installed", scope="module")
def _installed(tmp_path_factory: "pytest.TempPathFactory") -> Path:
    root = make_tree(tmp_path_factory.mktemp("installed") / "root")
    execute(plan_install(gather(root)))
    return root


@pytest.fixture(name="root")
def _root(installed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(str(installed), str(tmp_path / "root"), symlinks=True))


def owned(root: Path, state: str = "installed", flag: str = "") -> None:
    packages = {
        "sysvinit": ("config-files", BROUGHT),
        "initscripts": (state, BROUGHT),
        "kexec-tools": ("installed", {"/etc/init.d/kexec": KEXEC.encode()}),
    }
    dpkg_status(root, packages, flag)


def as_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def as_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_file(path: Path) -> None:
    shutil.rmtree(str(path.parent))
    path.parent.write_bytes(b"")


HARM: Dict[str, Callable[[Path], object]] = {
    "is missing": lambda kept: kept.unlink(),
    "is missing:": lambda kept: shutil.rmtree(str(kept.parent)),
    "is empty": lambda kept: put(kept, b""),
    "is empty:": lambda kept: put(kept, b"\n \n"),
    "holds NUL bytes": lambda kept: put(kept, bytes(400)),
    "is not what was kept": lambda kept: put(kept, REBOOT.encode()[:100]),
    "is not what was kept.": lambda kept: put(kept, REBOOT.encode() + b"rm -rf /\n"),
    "is one of our own scripts": lambda kept: shutil.copy(str(kept.parents[2] / "init.d/reboot"), str(kept)),
    "is a symbolic link": as_link,
    "is not a regular file": as_directory,
    "cannot read": as_file,
}


@pytest.mark.parametrize("packages", [True, False])
@pytest.mark.parametrize("case", HARM)
def test_ours_stays_and_works_while_the_original_cannot_be_restored(root: Path, case: str, packages: bool) -> None:
    if packages:
        owned(root)
    HARM[case](root / KEPT)
    before = snapshot(root)
    with pytest.raises(Refused) as caught:
        uninstall(root)
    assert snapshot(root) == before, "a removal that is refused leaves everything"
    text = str(caught.value)
    assert case.rstrip(":.") in text and "originals" in text and "\n" not in text
    if case.startswith("is") and "regular" not in case and "link" not in case:
        assert (REINSTALL in text) == packages and ("from a backup" in text) != packages


@pytest.mark.parametrize("case", ["is missing", "is missing:", "is empty", "is not what was kept"])
def test_what_is_asked_for_makes_the_removal_possible(root: Path, case: str) -> None:
    owned(root)
    HARM[case](root / KEPT)
    with pytest.raises(Refused) as caught:
        uninstall(root)
    said = str(caught.value)
    assert ("mkdir -p /" + ORIGINALS in said) != (root / ORIGINALS).is_dir()
    assert ("rm /" + KEPT in said) == (root / KEPT).exists()
    put(root / KEPT, REBOOT.encode())  # as dpkg writes it there
    if case == "is missing:":
        for name in ("kexec", "kexec-load"):
            put(root / "etc/init.d" / name, KEXEC.encode())  # or somebody puts it in its place
    uninstall(root)
    assert (root / PLACE).read_text() == REBOOT
    assert read_manifest(root) is None


def test_a_script_that_the_admin_puts_in_the_place_is_an_answer_too(root: Path) -> None:
    put(root / KEPT, b"")
    put(root / PLACE, b"#!/bin/sh\nreboot -f\n")
    uninstall(root)
    assert (root / PLACE).read_bytes() == b"#!/bin/sh\nreboot -f\n"
    assert not (root / ORIGINALS).exists()


def test_an_edited_original_that_is_not_needed_is_saved(root: Path) -> None:
    put(root / KEPT, NEWER)
    put(root / PLACE, REBOOT.encode())
    uninstall(root)
    assert (root / PLACE).read_text() == REBOOT
    assert NEWER in [path.read_bytes() for path in (root / "var/backups/kexec-initd").iterdir()]


@pytest.mark.parametrize("mode, owner", [(0o644, 0), (0o777, 0), (0o755, 1)])
def test_the_mode_and_the_owner_come_back_with_the_content(root: Path, mode: int, owner: int) -> None:
    (root / KEPT).chmod(mode)
    os.chown(str(root / KEPT), owner, owner)
    uninstall(root)
    found = (root / PLACE).stat()
    assert (found.st_mode & 0o7777, found.st_uid, (root / PLACE).read_text()) == (0o755, 0, REBOOT)
    assert found.st_mtime == 1000000000 and not (root / ORIGINALS).exists()


@pytest.mark.parametrize("mode", [0o755, 0o644])
def test_an_upgrade_is_known_by_the_record_of_dpkg_and_can_be_run(root: Path, mode: int) -> None:
    put(root / KEPT, NEWER, mode)
    dpkg_status(root, {"initscripts": ("installed", {"/etc/init.d/reboot": NEWER})})
    uninstall(root)
    assert (root / PLACE).read_bytes() == NEWER and (root / PLACE).stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("state, flag", [("config-files", ""), ("not-installed", ""), ("installed", " obsolete")])
def test_ours_goes_without_a_successor_where_no_package_brings_one(root: Path, state: str, flag: str) -> None:
    owned(root, state, flag)
    (root / KEPT).unlink()
    uninstall(root)
    assert not (root / PLACE).exists()


@pytest.mark.parametrize("state", ["installed", "unpacked", "half-configured", "half-installed", "triggers-awaited"])
def test_a_package_that_is_there_in_part_is_there(root: Path, state: str) -> None:
    owned(root, state)
    found = find_conffile(root, "/etc/init.d/reboot")
    assert found is not None and found.package == "initscripts"
    (root / KEPT).unlink()
    with pytest.raises(Refused, match="is missing"):
        uninstall(root)


def test_without_a_manifest_the_last_script_is_not_removed_either(root: Path) -> None:
    (root / MANIFEST.lstrip("/")).unlink()
    (root / KEPT).unlink()
    with pytest.raises(Refused, match="reboot cannot be restored"):
        uninstall(root)
    put(root / KEPT, b"")
    with pytest.raises(Refused, match="is empty"):
        uninstall(root)
    assert b"# Written by kexec-initd" in (root / PLACE).read_bytes()


@pytest.mark.parametrize("data", [b"", b"\n", bytes(100)])
def test_an_emptied_script_is_not_kept_as_the_original(root: Path, data: bytes) -> None:
    put(root / PLACE, data)
    execute(plan_install(gather(root)))
    assert (root / KEPT).read_text() == REBOOT
    assert b"# Written by kexec-initd" in (root / PLACE).read_bytes()
    put(root / PLACE, data)
    uninstall(root)
    assert (root / PLACE).read_text() == REBOOT


def test_an_empty_script_is_nothing_to_stand_in_for(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "root")
    put(root / PLACE, b"")
    before = snapshot(root)
    with pytest.raises(Refused, match="reboot is empty"):
        execute(plan_install(gather(root)))
    assert snapshot(root) == before


@pytest.mark.parametrize("case", ["is missing", "is empty", "is not what was kept"])
def test_install_warns_and_does_not_forget_what_the_original_was(root: Path, case: str) -> None:
    found = read_manifest(root)
    assert found is not None
    HARM[case](root / KEPT)
    (root / PLACE).chmod(0o700)  # so that install has something to write down
    plan = plan_install(gather(root))
    assert any(KEPT in warning and case in warning for warning in plan.warnings)
    execute(plan)
    after = read_manifest(root)
    assert after is not None and after.find("/" + PLACE) == found.find("/" + PLACE)


def test_originals_on_another_file_system_are_copied_back(root: Path, monkeypatch: "pytest.MonkeyPatch") -> None:
    rename = os.rename

    def across(source: str, target: str) -> None:
        if (ORIGINALS in source) != (ORIGINALS in target):
            raise OSError(18, os.strerror(18))
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", across)
        uninstall(root)
    found = (root / PLACE).stat()
    assert ((root / PLACE).read_text(), found.st_mode & 0o777, found.st_mtime) == (REBOOT, 0o755, 1000000000)
    assert not (root / ORIGINALS).exists()
    assert sorted(os.listdir(str(root / "etc/init.d"))) == ["kexec", "kexec-load", "reboot"]
