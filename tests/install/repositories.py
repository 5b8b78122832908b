"""Repositories as scripts/build-repos makes them, with a key that is made for the tests."""

import os
import subprocess
from pathlib import Path
from typing import Dict, List, NamedTuple

from tests.vm.cache import CHECKOUT

WHO = "Tests of kexec-initd <tests@kexec-initd.invalid>"


class Keyring(NamedTuple):
    """A directory of gpg's that holds one secret key."""

    home: Path

    def environment(self) -> Dict[str, str]:
        """Return the environment for gpg and for what calls it."""
        return dict(os.environ, GNUPGHOME=str(self.home))

    def gpg(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Run gpg to its end."""
        return run(["gpg", "--batch", *argv], self.environment())


def run(argv: List[str], environment: Dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, whatever that is."""
    return subprocess.run(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        universal_newlines=True, check=False,
    )  # fmt: skip


def make_keyring(home: Path) -> Keyring:
    """Make a key without a passphrase. Where its directory's name is too long for a socket, gpg uses /run/user."""
    home.mkdir(mode=0o700)
    ring = Keyring(home)
    made = ring.gpg("--passphrase", "", "--quick-generate-key", WHO, "rsa3072", "sign", "never")
    assert made.returncode == 0, made.stdout
    return ring


def end_agent(ring: Keyring) -> None:
    """End the agent that gpg has started for this keyring."""
    run(["gpgconf", "--kill", "all"], ring.environment())


def build_repos(ring: Keyring, directory: Path, checkout: Path = CHECKOUT) -> "subprocess.CompletedProcess[str]":
    """Make the repositories of the packages in dist/ as `directory`."""
    return run([str(checkout / "scripts/build-repos"), str(directory), "--key", WHO], ring.environment())
