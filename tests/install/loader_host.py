"""A Debian in a directory with the programs that write boot loaders' configurations, and what we read there.

Kernels and initrds are empty files: those programs go by names alone.
"""

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

from kexec_initd.cli import DONE, REFUSED
from tests.install.chroot import Chroot, copy_base
from tests.vm.cache import CHECKOUT

PACKAGES = "grub2-common memtest86+ u-boot-menu systemd systemd-boot"
NEW, MIDDLE, OLD = RELEASES = ("6.1.0-37-amd64", "6.1.0-9-amd64", "5.10.0-35-cloud-amd64")
CHANGED = ("etc", "boot", "efi", "dev", "lib/modules", "proc")
# File systems of their own exist only as long as the script runs; what they then hold is copied back.
ON_MOUNTS = """
set -e
mount -t proc proc /proc
mkdir /outside
for point in {points}; do
    mount --bind "$point" /outside
    mount -t tmpfs none "$point"
    cp -a /outside/. "$point"
    umount /outside
done
{script}
for point in {points}; do
    mkdir /inside
    mount --move "$point" /inside
    find "$point" -mindepth 1 -delete
    cp -a /inside/. "$point"
    umount /inside
    rmdir /inside
done
rmdir /outside
"""
Found = Dict[str, Any]


class LoaderHost(Chroot):
    """One tree, which is restored to its first state before each test."""

    def __init__(self, tree: Path) -> None:
        super().__init__(tree)
        self._first = tree.parent / "first"
        self._first.mkdir()
        for name in CHANGED:
            (tree / name).mkdir(exist_ok=True)
            subprocess.run(["cp", "-a", str(tree / name), str(self._first / Path(name).name)], check=True)

    def reset(self) -> None:
        """Take back all that a test has changed."""
        for name in CHANGED:
            shutil.rmtree(str(self.tree / name))
            subprocess.run(["cp", "-a", str(self._first / Path(name).name), str(self.tree / name)], check=True)

    def write(self, path: str, text: str = "", mode: int = 0o644) -> None:
        """Write a file and the directories above it; `path` without the leading slash."""
        target = self.tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def append(self, path: str, text: str) -> None:
        """Write at the end of a file."""
        with (self.tree / path).open("a") as file:
            file.write(text)

    def read(self, path: str) -> str:
        """Return the text of a file."""
        return (self.tree / path).read_text()

    def add_kernel(self, release: str) -> None:
        """Lay down what a kernel's package and its initrd's maker put in /boot."""
        for name in ("vmlinuz", "initrd.img", "config", "System.map"):
            self.write("boot/{}-{}".format(name, release))

    def must_on_mounts(self, points: Sequence[str], script: str) -> str:
        """Run a script that finds each of `points` to be a file system of its own; return what it said."""
        return self.must("sh", "-c", ON_MOUNTS.format(points=" ".join(points), script=script))

    def entries(self) -> List[Found]:
        """Return what the command lists."""
        found = self._ours("entries")
        assert isinstance(found, list)
        return found

    def default(self) -> Optional[str]:
        """Return the title of the listed entry that is the default."""
        titles = [entry["title"] for entry in self.entries() if entry["default"]]
        assert len(titles) <= 1, titles
        return titles[0] if titles else None

    def target(self) -> Found:
        """Return what the command says would be booted."""
        found = self._ours("target")
        assert isinstance(found, dict)
        return found

    def _ours(self, verb: str) -> object:
        words = [sys.executable, "-m", "kexec_initd", verb, "--json", "--root", str(self.tree)]
        done = subprocess.run(words, cwd=CHECKOUT, stdout=subprocess.PIPE, check=False)
        assert done.returncode in (DONE, REFUSED)
        return json.loads(done.stdout)


@contextlib.contextmanager
def make_host(directory: Path, packages: str = PACKAGES) -> Iterator[LoaderHost]:
    """Make a host with `packages` below `directory`, which goes when the tests are through."""
    tree = copy_base(directory, packages).tree
    try:
        yield LoaderHost(tree)
    finally:
        shutil.rmtree(str(directory), ignore_errors=True)
