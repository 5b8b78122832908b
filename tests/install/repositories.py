"""Repositories as scripts/build-repos makes them, with a key that is made for the tests."""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.vm.cache import CHECKOUT

WHO = "Tests of kexec-initd <tests@kexec-initd.invalid>"


class Keyring(NamedTuple):
    """A directory of gpg's."""

    home: Path

    def run(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Run a command that asks gpg to its end, whatever that is."""
        return subprocess.run(
            argv, env=dict(os.environ, GNUPGHOME=str(self.home)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, universal_newlines=True, check=False,
        )  # fmt: skip

    def build_repos(self, directory: Path, checkout: Path = CHECKOUT) -> "subprocess.CompletedProcess[str]":
        """Make the repositories of the packages in dist/ as `directory`."""
        return self.run(str(checkout / "scripts/build-repos"), str(directory), "--key", WHO)


def make_keyring(home: Path) -> Keyring:
    """Return a keyring with a secret key that needs no passphrase."""
    home.mkdir(mode=0o700)
    ring = Keyring(home)
    made = ring.run("gpg", "--batch", "--passphrase", "", "--quick-generate-key", WHO, "rsa3072", "sign", "never")
    assert made.returncode == 0, made.stdout
    return ring
