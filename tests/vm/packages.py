"""Our packages as the tests install them: the newest of dist/, and one that is newer still, for an upgrade."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.vm.cache import CHECKOUT, digest, make_once

# What scripts/build-rpm needs of the checkout.
SOURCES = (
    *("CHANGELOG.md", "LICENSE", "README.md", "completion", "debian", "docs", "kernel-install", "kexec_initd", "rpm", "scripts"),
    "templates",
)
VERSION = re.compile(r'^(__version__ = "[0-9.]*?)([0-9]+)"$', re.MULTILINE)


def find(pattern: str, variable: str, builder: str) -> Path:
    """Return the package that the environment's `variable` names, else the newest in dist/ that fits `pattern`."""
    if os.environ.get(variable):
        return Path(os.environ[variable]).absolute()
    found = sorted((CHECKOUT / "dist").glob(pattern), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError(f"no package in dist/: run ./scripts/{builder} first")
    return found[-1]


def build_deb() -> Path:
    """Build our .deb, or take the one of this very tree, and return it."""
    return CHECKOUT / subprocess.check_output([str(CHECKOUT / "scripts/build-deb")], text=True).splitlines()[-1]


def find_deb() -> Path:
    """Return our .deb."""
    return find("kexec-initd_*.deb", "KEXEC_INITD_DEB", "build-deb")


def find_rpm() -> Path:
    """Return our .rpm."""
    return find("kexec-initd-[0-9]*.noarch.rpm", "KEXEC_INITD_RPM", "build-rpm")


def build_newer_rpm(rpm: Path) -> Path:
    """Return what the checkout would give as the version after `rpm`'s: cached, as long as `rpm` is the same."""

    def make(directory: Path) -> None:
        copy = directory / "checkout"
        copy.mkdir()
        for name in SOURCES:
            subprocess.run(["cp", "-R", str(CHECKOUT / name), str(copy / name)], check=True)
        for wheels in (CHECKOUT / "build").glob("wheels-*"):
            shutil.copytree(wheels, copy / "build" / wheels.name)
        raise_version(copy / "kexec_initd/__init__.py")
        built = subprocess.check_output([str(copy / "scripts/build-rpm")], text=True).splitlines()[-1]
        shutil.copyfile(copy / built, directory / "newer.noarch.rpm")
        shutil.rmtree(copy)

    return make_once("newer-" + digest([Path(__file__).read_bytes(), rpm.read_bytes()]), make) / "newer.noarch.rpm"


def raise_version(path: Path) -> None:
    """Raise the last number of the version in the module `path`."""
    text, count = VERSION.subn(lambda found: f'{found.group(1)}{int(found.group(2)) + 1}"', path.read_text())
    assert count == 1, f"no version in {path}"
    path.write_text(text)
