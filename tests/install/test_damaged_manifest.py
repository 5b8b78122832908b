"""A manifest that is damaged, or something else in its place: refused in a line, nothing changed, and repaired it works again."""

import os
import subprocess
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from kexec_initd.cli import DONE, FAILED, REFUSED, main
from kexec_initd.install.manifest import is_installed
from tests.damage import KINDS, NOBODY, clear, cuts, flips, with_little_memory
from tests.scripts.jail import Jail
from tests.trees import make_tree, snapshot

MANIFEST = "var/lib/kexec-initd/manifest.json"
LOCK = "var/lib/kexec-initd/lock"
SCRIPTS = ("etc/init.d/reboot", "etc/init.d/kexec", "etc/init.d/kexec-load", "etc/rc.local")
HINT = "restore it from a backup, or remove it and run this again, which then looks for what is ours"
PACKAGES = {"debian/prerm": "etc/init.d/kexec-initd", "rpm/deactivate": "etc/rc.d/init.d/kexec-initd"}
CHECKOUT = Path(__file__).resolve().parents[2]


class Host:
    """A host where it is installed, and what it was before."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.capsys = make_tree(directory / "root"), capsys
        self.old = snapshot(self.root)
        self.scripts = self.read_scripts()
        assert self.run("install") == (DONE, [])
        self.place = self.root / MANIFEST
        self.good = self.place.read_bytes()

    def read_scripts(self) -> Dict[str, bytes]:
        """Return the scripts of the host."""
        return {name: (self.root / name).read_bytes() for name in SCRIPTS}

    def run(self, verb: str) -> Tuple[int, List[str]]:
        """Run `verb` with little memory; return its exit code and the lines of its errors."""
        self.capsys.readouterr()
        code = with_little_memory(lambda: main([verb, "--root", str(self.root)]))
        return code, self.capsys.readouterr().err.splitlines()

    def facts(self, place: Path) -> Dict[str, str]:
        """Take away what is in `place`, and return all else."""
        clear(place)
        return snapshot(self.root)

    def restore(self) -> None:
        """Put the good manifest back, as from a backup."""
        self.place.write_bytes(self.good)
        self.place.chmod(0o600)

    def check_refused(self, verb: str, case: object) -> None:
        """One line says what is wrong with the manifest, where it is, and what to do."""
        code, lines = self.run(verb)
        assert (code, len(lines)) == (REFUSED, 1), (case, lines)
        assert MANIFEST in lines[0] and lines[0].endswith("; " + HINT), case


@pytest.fixture
def host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Host:
    return Host(tmp_path, capsys)


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_a_damaged_manifest_is_refused_with_nothing_changed(host: Host, verb: str) -> None:
    before = host.facts(host.place)
    damaged = [data for data in [*flips(host.good, 211), *cuts(host.good, 97)] if data.split() != host.good.split()]
    assert len(damaged) > 50
    for data in damaged:
        host.place.write_bytes(data)
        host.place.chmod(0o600)
        host.check_refused(verb, data)
    assert host.facts(host.place) == before
    host.restore()
    assert host.run(verb) == (DONE, [])
    assert host.run("uninstall") == (DONE, [])
    assert snapshot(host.root) == host.old


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_something_else_in_its_place_is_refused_with_nothing_changed(host: Host, verb: str) -> None:
    before = host.facts(host.place)
    for kind in set(KINDS) - {"missing"}:
        host.place.with_name("manifest.json.aside").write_bytes(host.good)
        KINDS[kind](host.place)
        host.check_refused(verb, kind)
        assert host.place.with_name("manifest.json.aside").read_bytes() == host.good
        host.place.with_name("manifest.json.aside").unlink()
        assert host.facts(host.place) == before, kind
    host.restore()
    assert host.run("uninstall") == (DONE, [])
    assert snapshot(host.root) == host.old


def test_a_good_one_of_another_owner_is_refused(host: Host) -> None:
    os.chown(str(host.place), NOBODY, NOBODY)
    host.check_refused("uninstall", "of another owner")


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_without_it_what_is_ours_is_found(host: Host, verb: str) -> None:
    host.place.unlink()
    assert host.run(verb) == (DONE, [])
    assert is_installed(host.root) == (verb == "install")
    assert host.run("uninstall") == (DONE, [])
    assert host.read_scripts() == host.scripts
    assert not (host.root / "var/lib/kexec-initd").exists() and not (host.root / "etc/init.d/kexec-initd").exists()


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_something_else_in_the_place_of_the_lock_is_told_with_nothing_changed(host: Host, verb: str) -> None:
    place = host.root / LOCK
    (host.root / "etc/init.d/reboot").chmod(0o700)  # so that install has something to do
    before = host.facts(place)
    for kind in ("directory", "full directory", "fifo", "socket", "device", "link to nothing", "link to itself"):
        KINDS[kind](place)
        code, lines = host.run(verb)
        assert code in (FAILED, REFUSED) and len(lines) == 1, kind
        assert LOCK in lines[0] and lines[0].endswith("; remove what is in its place"), kind
        assert host.facts(place) == before, kind
    assert host.run(verb) == (DONE, [])
    assert host.run("uninstall") == (DONE, [])
    assert host.read_scripts() == host.scripts


@pytest.mark.parametrize("script", PACKAGES)
@pytest.mark.parametrize("kind", [*KINDS, "lost"])
def test_a_package_stays_while_what_is_hooked_cannot_be_given_back(tmp_path: Path, script: str, kind: str) -> None:
    """`kexec-initd uninstall` refuses here; without a manifest and a script of ours that means that nothing is hooked."""
    jail = Jail(tmp_path / "jail", "/bin/dash")
    jail.write("usr/sbin/kexec-initd", "#!/bin/sh\necho called >>/calls\nexit 3\n", 0o755)
    jail.write("script", (CHECKOUT / script).read_text())
    place = jail.write(MANIFEST, "")
    place.unlink()
    jail.write(PACKAGES[script], "") if kind == "lost" else KINDS[kind](place)
    done = subprocess.run(
        ["chroot", str(jail.root), "/bin/sh", "/script", "remove" if script == "debian/prerm" else "0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
        env={"PATH": "/usr/sbin:/bin"},
    )  # fmt: skip
    kept = "kexec-initd: the files of the system could not be restored, the package is not removed\n"
    assert (done.returncode != 0, done.stdout) == ((False, "") if kind == "missing" else (True, kept))
