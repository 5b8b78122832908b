"""What is left to do once a package has dropped a script that ours stands in for; and a host that install.sh has hooked."""

import hashlib
from pathlib import Path

import pytest

from kexec_initd.errors import Refused
from kexec_initd.install.apply import execute
from kexec_initd.install.deviations import find_deviations
from kexec_initd.install.plan_install import plan_install
from kexec_initd.install.plan_uninstall import plan_uninstall
from kexec_initd.system.host import gather
from tests.trees import KEXEC, install, make_tree, put, snapshot

STUB = "etc/init.d/kexec"
KEPT = "etc/kexec-initd/originals/kexec"
STATUS = "Package: kexec-tools\nStatus: install ok {}\nConffiles:\n /etc/init.d/kexec {} {}\n\n"


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    """Return a host on which ours is installed, and dpkg knows of the script that kexec-tools brings."""
    root = make_tree(tmp_path / "root")
    tell(root, "")
    execute(plan_install(gather(root)))
    return root


def tell(root: Path, word: str, state: str = "installed") -> None:
    md5 = hashlib.new("md5", KEXEC.encode()).hexdigest()
    put(root / "var/lib/dpkg/status", STATUS.format(state, md5, word).replace(" \n", "\n").encode(), 0o644)


@pytest.mark.once
@pytest.mark.parametrize("ending", [".dpkg-backup", ".dpkg-remove", ".dpkg-bak"])
def test_a_script_that_its_package_has_dropped_leaves_nothing(root: Path, ending: str) -> None:
    (root / STUB).rename(root / (STUB + ending))
    tell(root, "obsolete", "half-configured")
    install(root)
    assert [path.name for path in (root / "etc/init.d").iterdir() if "dpkg" in path.name] == []
    assert not (root / STUB).exists() and not (root / KEPT).exists()
    assert not (root / "var/backups/kexec-initd").exists()
    done = snapshot(root)
    assert plan_install(gather(root)).is_empty
    assert find_deviations(root) == []
    install(root)
    assert snapshot(root) == done
    execute(plan_uninstall(gather(root)))
    assert not (root / "etc/kexec-initd").exists()


def test_what_dpkg_has_noted_beside_its_records_counts_while_it_runs(root: Path) -> None:
    (root / STUB).rename(root / (STUB + ".dpkg-bak"))
    status = root / "var/lib/dpkg/status"
    before = b"Package: a\nStatus: install ok installed\n\n" + status.read_bytes()
    tell(root, "obsolete", "half-configured")
    put(root / "var/lib/dpkg/updates/0001", status.read_bytes(), 0o644)
    put(root / "var/lib/dpkg/updates/0000", before.split(b"\n\n")[1] + b"\n", 0o644)
    status.write_bytes(before + b"Package: z\nStatus: install ok installed\n")
    install(root)
    assert not (root / STUB).exists() and not (root / KEPT).exists()


def test_an_original_that_was_edited_is_saved(root: Path) -> None:
    put(root / KEPT, b"#!/bin/sh\n# mine\n")
    (root / STUB).rename(root / (STUB + ".dpkg-bak"))
    tell(root, "obsolete")
    install(root)
    assert [path.read_bytes() for path in (root / "var/backups/kexec-initd").iterdir()] == [b"#!/bin/sh\n# mine\n"]


def test_a_stub_that_is_only_gone_comes_back(root: Path) -> None:
    (root / STUB).unlink()
    install(root)
    assert (root / STUB).exists() and (root / KEPT).exists()


def test_one_that_was_moved_away_while_the_package_still_has_it_comes_back(root: Path) -> None:
    (root / STUB).rename(root / (STUB + ".dpkg-bak"))
    install(root)
    assert (root / STUB).exists() and (root / KEPT).exists()


def test_somebody_elses_backup_is_no_sign(root: Path) -> None:
    (root / STUB).unlink()
    put(root / (STUB + ".dpkg-bak"), KEXEC.encode())
    tell(root, "obsolete")
    install(root)
    assert (root / STUB).exists() and (root / (STUB + ".dpkg-bak")).read_text() == KEXEC


def test_what_install_sh_has_hooked_is_left_to_uninstall_sh(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "root")
    put(root / "var/lib/kexec-initd/manifest", b"kexec-initd standalone 1\n", 0o600)
    before = snapshot(root)
    for plan in (plan_install, plan_uninstall):
        with pytest.raises(
            Refused, match="installed here by install.sh; sh /var/lib/kexec-initd/standalone/uninstall.sh"
        ):
            plan(gather(root))
    assert snapshot(root) == before
