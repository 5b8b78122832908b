"""On a host without Python: the kept original is lost, cut, changed or something else, and uninstall.sh restores or refuses."""

import os
import shutil
from pathlib import Path
from typing import Callable, Dict

import pytest

from tests.install.standalone import Site
from tests.scripts.standalone import ALONE
from tests.trees import REBOOT, dpkg_status, put

ORIGINALS = "etc/kexec-initd/originals"
KEPT = ORIGINALS + "/reboot"
PLACE = "etc/init.d/reboot"
BROUGHT = {"/etc/init.d/reboot": REBOOT.encode()}
REINSTALL = "apt-get install --reinstall -o Dpkg::Options::=--force-confmiss initscripts, then run this again"


def replace(path: Path, data: bytes, mode: int = 0o755) -> None:
    """Put another file in the place, as a restore does: the kept one may be a second name of what is elsewhere."""
    path.unlink()
    put(path, data, mode)


def as_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def as_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


HARM: Dict[str, Callable[[Path], object]] = {
    "is missing": lambda kept: kept.unlink(),
    "is missing:": lambda kept: shutil.rmtree(str(kept.parent)),
    "is empty": lambda kept: put(kept, b""),
    "is empty:": lambda kept: put(kept, b" \n" + bytes(9)),
    "is not what was kept": lambda kept: put(kept, REBOOT.encode()[:100]),
    "is one of our own scripts": lambda kept: replace(kept, (kept.parents[2] / "init.d/reboot").read_bytes()),
    "is no regular file": as_link,
    "is no regular file:": as_directory,
}


@pytest.fixture(name="site", params=ALONE)
def _site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    site = Site(tmp_path, str(request.param))
    dpkg_status(site.root, {"sysvinit": ("config-files", BROUGHT), "initscripts": ("installed", BROUGHT)})
    site.keep()
    site.must(site.install())
    return site


def test_ours_stays_and_works_while_the_original_cannot_be_restored(site: Site, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    for name in ("etc", "sbin", "var"):
        shutil.copytree(str(site.root / name), str(kept / name), symlinks=True)
    for case, harm in HARM.items():
        harm(site.root / KEPT)
        before = site.facts()
        done = site.uninstall()
        assert (done.code, done.said.count("\n")) == (3, 1), (case, done.said)
        assert KEPT.rpartition("/")[2] + " " + case.rstrip(":") in done.said and REINSTALL in done.said, case
        assert ("mkdir -p /" + ORIGINALS in done.said) != (site.root / ORIGINALS).is_dir()
        assert ("rm /" + KEPT in done.said) == os.path.lexists(str(site.root / KEPT))
        assert site.facts() == before, case
        site.reset(kept)
    site.must(site.uninstall())
    site.check_old()


def test_the_way_out_that_is_told_leads_out(site: Site) -> None:
    (site.root / KEPT).unlink()
    assert site.uninstall().code == 3
    put(site.root / KEPT, REBOOT.encode())
    site.must(site.uninstall())
    assert (site.root / PLACE).read_text() == REBOOT
    site.must(site.install())
    put(site.root / KEPT, b"")
    replace(site.root / PLACE, b"#!/bin/sh\nreboot -f\n")
    site.must(site.uninstall())
    assert (site.root / PLACE).read_bytes() == b"#!/bin/sh\nreboot -f\n"
    assert not (site.root / ORIGINALS).exists() and not (site.root / "var/lib/kexec-initd").exists()


def test_the_mode_and_the_owner_come_back_with_the_content(site: Site) -> None:
    (site.root / KEPT).chmod(0o644)
    os.chown(str(site.root / KEPT), 1, 1)
    site.must(site.uninstall())
    site.check_old()


def test_ours_goes_without_a_successor_where_no_package_brings_one(site: Site) -> None:
    dpkg_status(site.root, {"initscripts": ("config-files", BROUGHT)})
    (site.root / KEPT).unlink()
    site.must(site.uninstall())
    assert not (site.root / PLACE).exists()


def test_an_emptied_script_is_not_kept_as_the_original(site: Site) -> None:
    for data in (b"", bytes(20)):
        put(site.root / PLACE, data)
        site.must(site.install())
        assert (site.root / KEPT).read_text() == REBOOT
    put(site.root / PLACE, b"")
    site.must(site.uninstall())
    assert (site.root / PLACE).read_text() == REBOOT


@pytest.mark.parametrize("shell", ALONE)
def test_a_script_of_the_admin_that_was_wrapped_is_missed_and_one_that_never_was_is_not(
    tmp_path: Path, shell: str
) -> None:
    site = Site(tmp_path, shell, "rhel:6")
    site.must(site.install())
    site.must(site.uninstall())
    site.check_old()
    put(site.root / "sbin/halt.local", b"#!/bin/sh\n# mine\n")
    site.must(site.install())
    kept = site.root / ORIGINALS / "halt.local"
    kept.unlink()
    done = site.uninstall()
    assert done.code == 3 and "halt.local is missing" in done.said and "from a backup" in done.said
    assert (site.root / "sbin/halt.local").exists()
    put(kept, b"#!/bin/sh\n# mine\n")
    site.must(site.uninstall())
    assert (site.root / "sbin/halt.local").read_bytes() == b"#!/bin/sh\n# mine\n"
