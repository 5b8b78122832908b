"""Install and uninstall below a root directory: exact undo, edits kept, unfit hosts refused with nothing changed."""

import fcntl
import json
import os
import re
from pathlib import Path
from typing import Callable, Dict

import pytest

from kexec_initd.errors import Error, Refused
from kexec_initd.install.apply import execute
from kexec_initd.install.manifest import (
    InstallState,
    Manifest,
    format_manifest,
    is_installed,
    parse_manifest,
    read_manifest,
)
from kexec_initd.install.plan_install import plan_install
from kexec_initd.install.steps import WriteFile, describe
from kexec_initd.state import checksum
from kexec_initd.state.store import Lasting
from kexec_initd.system.host import gather
from kexec_initd.system.safe_path import locate
from tests.trees import KEXEC, RC_LOCAL, REBOOT, dpkg_status, immutable, install, make_tree, put, snapshot, uninstall

pytestmark = pytest.mark.ends

KEPT = "etc/kexec-initd/originals/reboot"
MANIFEST = "var/lib/kexec-initd/manifest.json"
HOOK = "zzz-kexec-initd"
HOOKS = ["etc/kernel/postinst.d/" + HOOK, "etc/kernel/postrm.d/" + HOOK, "etc/initramfs/post-update.d/" + HOOK]
MADE = ["etc/kernel", "etc/kernel/postinst.d", "etc/kernel/postrm.d", "etc/initramfs", "etc/initramfs/post-update.d"]


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "root")


def text(root: Path, name: str) -> str:
    return (root / name).read_text()


def test_install_puts_everything_in_place(root: Path) -> None:
    install(root)
    assert "# Written by kexec-initd" in text(root, "etc/init.d/reboot")
    assert "# Provides:\t\tkexec\n" in text(root, "etc/init.d/kexec")
    assert text(root, KEPT) == REBOOT
    assert text(root, "etc/rc.local").endswith("# END kexec-initd\nfoo || :\n\nexit 0\n")
    assert os.readlink(str(root / "etc/rc6.d/K01kexec-initd")) == "../init.d/kexec-initd"
    assert {(root / "etc/init.d" / name).stat().st_mode & 0o777 for name in ("reboot", "kexec", "kexec-initd")} == {
        0o755
    }
    assert (root / MANIFEST).stat().st_mode & 0o777 == 0o600
    assert (root / MANIFEST).parent.stat().st_mode & 0o777 == 0o700
    assert is_installed(root)
    assert not (root / "etc/kexec-initd/staging").exists()


def test_the_hooks_of_kernel_packages_are_run_after_those_of_boot_loaders(root: Path) -> None:
    install(root)
    assert {(root / path).stat().st_mode & 0o777 for path in HOOKS} == {0o755}
    assert {(root / path).stat().st_mode & 0o777 for path in MADE} == {0o755}
    assert re.fullmatch("[a-zA-Z0-9_-]+", HOOK), "run-parts(8) passes over any other name"
    assert sorted(["zz-update-grub", "zz-flash-kernel", HOOK, "zz-runlilo", "zz-zipl"])[-1] == HOOK


def test_nothing_is_left_in_a_directory_that_boot_programs_read(root: Path) -> None:
    install(root)
    assert sorted(os.listdir(str(root / "etc/init.d"))) == ["kexec", "kexec-initd", "kexec-load", "reboot"]
    assert sorted(os.listdir(str(root / "etc/rc6.d"))) == ["K01kexec-initd", "K08reboot"]


def test_uninstall_is_exact(root: Path) -> None:
    before = snapshot(root)
    install(root)
    assert snapshot(root) != before
    uninstall(root)
    assert snapshot(root) == before


def test_a_second_install_changes_nothing(root: Path) -> None:
    install(root)
    before = snapshot(root)
    assert install(root) == "nothing to do: kexec-initd is installed"
    assert snapshot(root) == before


def test_what_reboots_have_left_goes_too(root: Path) -> None:
    before = snapshot(root)
    install(root)
    for file in set(Lasting) - {Lasting.MANIFEST}:
        put(root / "var/lib/kexec-initd" / file.value, b"x\n")
    uninstall(root)
    assert snapshot(root) == before


def test_a_second_uninstall_changes_nothing(root: Path) -> None:
    before = snapshot(root)
    assert uninstall(root) == "nothing to do: kexec-initd is not installed"
    install(root)
    uninstall(root)
    uninstall(root)
    assert snapshot(root) == before


def test_planning_changes_nothing_and_shows_the_diff(root: Path) -> None:
    before = snapshot(root)
    said = describe(plan_install(gather(root)))
    assert snapshot(root) == before
    assert (
        "keep the original /etc/init.d/reboot as /etc/kexec-initd/originals/reboot\nwrite /etc/init.d/reboot\n" in said
    )
    assert "-echo the reboot of the distribution\n" in said
    assert "+# BEGIN kexec-initd" in said


def _without_kexec_tools(root: Path) -> None:
    (root / "etc/init.d/kexec").unlink()
    (root / "etc/init.d/kexec-load").unlink()


def _without_rc_local(root: Path) -> None:
    (root / "etc/rc.local").unlink()


def _linked_rc_local(root: Path) -> None:
    (root / "etc/rc.local").rename(root / "etc/rc")
    (root / "etc/rc.local").symlink_to("rc")


def _rc_local_linked_outside(root: Path) -> None:
    (root / "etc/rc.local").unlink()
    (root / "etc/rc.local").symlink_to("/etc/passwd")


def _hard_linked_rc_local(root: Path) -> None:
    os.link(str(root / "etc/rc.local"), str(root / "etc/rc"))


def _without_rc6(root: Path) -> None:
    (root / "etc/rc6.d/K08reboot").unlink()
    (root / "etc/rc6.d").rmdir()


def _linked_init_d(root: Path) -> None:
    (root / "etc/rc.d").mkdir(mode=0o755)
    (root / "etc/init.d").rename(root / "etc/rc.d/init.d")
    (root / "etc/init.d").symlink_to("/etc/rc.d/init.d")


def _directories_of_hooks(root: Path) -> None:
    put(root / "etc/kernel/postinst.d/zz-update-grub", b"#!/bin/sh\n")
    (root / "etc/initramfs/post-update.d").mkdir(parents=True)
    (root / "etc/initramfs/post-update.d").chmod(0o700)


UNFIT: Dict[str, Callable[[Path], None]] = {
    "rc.local not executable": lambda root: put(root / "etc/rc.local", b"#!/bin/sh\nfoo\n", 0o644),
    "rc.local in Python": lambda root: put(root / "etc/rc.local", b"#!/usr/bin/python3\nprint(1)\n"),
    "rc.local of DOS": lambda root: put(root / "etc/rc.local", b"#!/bin/sh\r\nfoo\r\n"),
    "rc.local linked": _linked_rc_local,
    "rc.local linked outside": _rc_local_linked_outside,
    "rc.local hard-linked": _hard_linked_rc_local,
}
VARIANTS: Dict[str, Callable[[Path], None]] = {
    "edited reboot of another mode": lambda root: put(root / "etc/init.d/reboot", b"#!/bin/sh\necho mine\xff", 0o700),
    "no kexec-tools scripts": _without_kexec_tools,
    "no rc.local": _without_rc_local,
    "empty rc.local": lambda root: put(root / "etc/rc.local", b""),
    "rc.local without final newline": lambda root: put(root / "etc/rc.local", b"#!/bin/sh\nfoo", 0o711),
    "no rc6.d": _without_rc6,
    "a configuration directory": lambda root: put(root / "etc/kexec-initd/pre-jump.d/10-hook", b"#!/bin/sh\n"),
    "init.d linked, as on other systems": _linked_init_d,
    "directories of hooks": _directories_of_hooks,
}
VARIANTS.update(UNFIT)


@pytest.mark.once
@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_uninstall_is_exact_whatever_was_there(root: Path, name: str) -> None:
    VARIANTS[name](root)
    original = locate(root, "/etc/init.d/reboot").read_bytes()
    before = snapshot(root)
    install(root)
    assert is_installed(root)
    assert (root / KEPT).read_bytes() == original
    uninstall(root)
    assert snapshot(root) == before


@pytest.mark.once
@pytest.mark.parametrize("name", sorted(UNFIT))
def test_a_rc_local_that_is_not_fit_is_left_alone_with_a_warning(root: Path, name: str) -> None:
    VARIANTS[name](root)
    path = root / "etc/rc.local"
    before = path.lstat().st_ino
    assert "warning: no preload at boot: " in install(root)
    assert path.lstat().st_ino == before


def test_our_edited_script_is_saved_and_said_so(root: Path) -> None:
    for run in (install, uninstall):
        install(root)
        with (root / "etc/init.d/reboot").open("a") as file:
            file.write("# edited for {}\n".format(run.__name__))
        edited = text(root, "etc/init.d/reboot")
        assert "save /etc/init.d/reboot as /var/backups/kexec-initd/reboot." in run(root)
        saved = list((root / "var/backups/kexec-initd").iterdir())
        assert edited in [path.read_text() for path in saved]
    assert text(root, "etc/init.d/reboot") == REBOOT


def test_an_edited_block_is_saved_and_edits_around_it_are_kept(root: Path) -> None:
    install(root)
    path = root / "etc/rc.local"
    edited = path.read_text().replace("preload", "preload --verbose").replace("foo", "bar")
    path.write_text(edited)
    uninstall(root)
    assert path.read_text() == RC_LOCAL.replace("foo", "bar")
    assert [saved.read_text() for saved in (root / "var/backups/kexec-initd").iterdir()] == [edited]


def test_a_created_rc_local_stays_once_somebody_uses_it(root: Path) -> None:
    (root / "etc/rc.local").unlink()
    install(root)
    path = root / "etc/rc.local"
    path.write_text(path.read_text().replace("exit 0", "bar\nexit 0"))
    uninstall(root)
    assert path.read_text() == "#!/bin/sh\nbar\nexit 0\n"


def test_an_upgrade_of_the_kept_original_is_given_back(root: Path) -> None:
    install(root)
    newer = b"#!/bin/sh\necho newer\n"
    put(root / KEPT, newer, 0o750)
    dpkg_status(root, {"initscripts": ("installed", {"/etc/init.d/reboot": newer})})
    uninstall(root)
    assert text(root, "etc/init.d/reboot") == "#!/bin/sh\necho newer\n"
    assert (root / "etc/init.d/reboot").stat().st_mode & 0o777 == 0o750


def test_a_script_that_another_put_over_ours_stays(root: Path) -> None:
    install(root)
    put(root / "etc/init.d/reboot", b"#!/bin/sh\necho newest\n")
    uninstall(root)
    assert text(root, "etc/init.d/reboot") == "#!/bin/sh\necho newest\n"


def test_a_purged_original_is_not_invented(root: Path) -> None:
    install(root)
    dpkg_status(root, {"initscripts": ("config-files", {"/etc/init.d/reboot": REBOOT.encode()})})
    (root / KEPT).unlink()
    assert "already" not in install(root)
    uninstall(root)
    assert not (root / "etc/init.d/reboot").exists()


def test_a_lost_manifest_does_not_stop_the_removal(root: Path) -> None:
    before = snapshot(root)
    install(root)
    (root / MANIFEST).unlink()
    uninstall(root)
    after = snapshot(root)
    for path in ("etc/rc.local", "etc/inittab"):  # their time stamps were in the manifest
        del before[path], after[path]
    for path in ["etc/kexec-initd", *MADE]:  # that they were not there before was in it, too
        del after[path]
    assert after == before
    assert text(root, "etc/rc.local") == RC_LOCAL


def test_a_lost_manifest_is_made_anew_by_install(root: Path) -> None:
    install(root)
    (root / MANIFEST).unlink()
    install(root)
    assert text(root, KEPT) == REBOOT
    uninstall(root)
    assert text(root, "etc/init.d/reboot") == REBOOT


def test_a_malformed_header_gives_the_default_one(root: Path) -> None:
    put(root / "etc/init.d/kexec", KEXEC.replace("# X-Stop-After", "reboot; X-Stop-After").encode())
    install(root)
    stub = text(root, "etc/init.d/kexec")
    assert "# X-Stop-After:      umountroot\n" in stub
    assert "reboot;" not in stub


def _hard_link(root: Path) -> None:
    os.link(str(root / "etc/init.d/reboot"), str(root / "etc/reboot"))


def _symlink(root: Path) -> None:
    (root / "etc/init.d/reboot").rename(root / "etc/reboot")
    (root / "etc/init.d/reboot").symlink_to("../reboot")


def _fifo(root: Path) -> None:
    (root / "etc/init.d/reboot").unlink()
    os.mkfifo(str(root / "etc/init.d/reboot"))


def _missing(root: Path) -> None:
    (root / "etc/init.d/reboot").unlink()


def _foreign(root: Path) -> None:
    put(root / "etc/init.d/kexec-initd", b"#!/bin/sh\n")


def _foreign_hook(root: Path) -> None:
    put(root / HOOKS[1], b"#!/bin/sh\n")


def _foreign_link(root: Path) -> None:
    (root / "etc/rc6.d/K01kexec-initd").symlink_to("elsewhere")


def _writable(root: Path) -> None:
    (root / "etc/init.d").chmod(0o777)


def _damaged_block(root: Path) -> None:
    put(root / "etc/rc.local", b"#!/bin/sh\n# BEGIN kexec-initd\n")


def _ours_without_original(root: Path) -> None:
    put(root / "etc/init.d/reboot", b"#!/bin/sh\n# Written by kexec-initd\n")


def _damaged_manifest(root: Path) -> None:
    put(root / MANIFEST, b'{"version": 1, "state": "ins', 0o600)
    (root / MANIFEST).parent.chmod(0o700)


def _systemd(root: Path) -> None:
    (root / "run/systemd/system").mkdir(parents=True)


def _unknown_family(root: Path) -> None:
    put(root / "etc/os-release", b"ID=plan9\n", 0o644)


@pytest.mark.parametrize(
    "make, said",
    [
        (_hard_link, "has 2 hard links"),
        (_symlink, "is a symbolic link"),
        (_fifo, "is not a regular file"),
        (_missing, "/etc/init.d/reboot is missing"),
        (_foreign, "exists and is not ours"),
        (_foreign_hook, "/etc/kernel/postrm.d/zzz-kexec-initd exists and is not ours"),
        (_foreign_link, "exists and is not ours"),
        (_writable, "can be changed by others"),
        (_damaged_block, "damaged"),
        (_ours_without_original, "its original is gone"),
        (_damaged_manifest, "manifest.json is damaged"),
        (_systemd, "with the init system systemd; under systemd it needs systemd-shutdown"),
        (_unknown_family, "family unknown"),
    ],
)
def test_an_unfit_host_is_refused_with_nothing_changed(root: Path, make: Callable[[Path], None], said: str) -> None:
    make(root)
    before = snapshot(root)
    with pytest.raises(Refused, match=said):
        install(root)
    assert snapshot(root) == before


def test_an_immutable_script_is_refused(root: Path) -> None:
    with immutable(root / "etc/init.d/reboot"), pytest.raises(Refused, match="immutable"):
        install(root)


def test_a_script_that_is_not_valid_shell_is_refused_and_everything_put_back(root: Path) -> None:
    header = REBOOT.replace("# Description:\n", "# Description: \xe9\n")
    put(root / "etc/init.d/reboot", header.encode("latin-1"))
    before = snapshot(root)
    plan = plan_install(gather(root))
    broken = [
        change._replace(
            steps=tuple(
                step._replace(content=step.content._replace(data=step.content.data.replace(b"esac", b"")))
                if isinstance(step, WriteFile) and step.path.endswith("reboot")
                else step
                for step in change.steps
            )
        )
        for change in plan.changes
    ]
    with pytest.raises(Refused, match="not valid shell"):
        execute(plan._replace(changes=tuple(broken)))
    assert snapshot(root) == before


def test_a_plan_that_no_longer_fits_is_not_carried_out(root: Path) -> None:
    plan = plan_install(gather(root))
    put(root / "etc/init.d/reboot", b"#!/bin/sh\necho newer\n")
    before = snapshot(root)
    with pytest.raises(Error, match="run the command again"):
        execute(plan)
    assert snapshot(root) == before


def test_only_one_run_at_a_time(root: Path) -> None:
    install(root)
    (root / "etc/init.d/reboot").chmod(0o700)
    with (root / "var/lib/kexec-initd/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Error, match="another install or uninstall is under way"):
            install(root)
    install(root)


def test_a_link_in_place_of_the_lock_is_not_followed(root: Path) -> None:
    install(root)
    lock = root / "var/lib/kexec-initd/lock"
    lock.unlink()
    lock.symlink_to(root / "canary")
    with pytest.raises(Error):
        uninstall(root)
    assert not (root / "canary").exists()


@pytest.mark.parametrize(
    "field, value", [("path", "/etc/../x"), ("path", "etc/x"), ("mode", -1), ("kind", "x"), ("ours", [1])]
)
def test_the_manifest_parser_is_strict(root: Path, field: str, value: object) -> None:
    install(root)
    data = (root / MANIFEST).read_bytes()
    found = read_manifest(root)
    assert found is not None and format_manifest(parse_manifest(data)) == data == format_manifest(found)
    fields = json.loads(data.decode())
    fields["changes"][0][field] = value
    with pytest.raises((ValueError, TypeError)):
        parse_manifest(json.dumps(fields).encode())


def test_a_manifest_of_another_version_is_refused(root: Path) -> None:
    fields = checksum.load(format_manifest(Manifest(InstallState.INSTALLED, (), ())))
    put(root / MANIFEST, checksum.dump(dict(fields, version=2)), 0o600)
    (root / MANIFEST).parent.chmod(0o700)
    with pytest.raises(Refused, match="was written by a newer version of kexec-initd"):
        uninstall(root)
