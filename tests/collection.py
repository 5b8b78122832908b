"""The Ansible collection, built and installed as its users do it, and the Ansible that runs it: a version of its own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Dict, List

CHECKOUT = Path(__file__).resolve().parents[1]


class Collection:
    """The collection below `directory`, with which Ansible keeps whatever else it keeps."""

    def __init__(self, directory: Path) -> None:
        python = subprocess.check_output([str(CHECKOUT / "scripts/venv"), "", "apart/ansible"])
        self.bin = Path(python.decode().strip()).parent
        self.directory = directory
        self.environment = dict(
            os.environ,
            ANSIBLE_HOME=str(directory / "home"),
            ANSIBLE_COLLECTIONS_PATH=str(directory / "collections"),
            ANSIBLE_HOST_KEY_CHECKING="False",
            ANSIBLE_NOCOLOR="1",
            ANSIBLE_PIPELINING="1",
            ANSIBLE_RETRY_FILES_ENABLED="0",
            LC_ALL="C.UTF-8",
        )
        self.must("ansible-galaxy", "collection", "build", str(CHECKOUT / "ansible"), "--output-path", str(directory))
        (package,) = directory.glob("kexec_initd-fleet-*.tar.gz")
        self.must(
            "ansible-galaxy", "collection", "install", "--offline", str(package), "-p", str(directory / "collections")
        )

    def command(self, name: str, *argv: str) -> List[str]:
        """Return the command line of one of Ansible's programs."""
        return [str(self.bin / name), *argv]

    def run(self, name: str, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Run one of Ansible's programs to its end, whatever that is."""
        return subprocess.run(
            self.command(name, *argv), env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, universal_newlines=True, check=False, timeout=300,
        )  # fmt: skip

    def must(self, name: str, *argv: str) -> str:
        """Run one that has to succeed; return what it said."""
        done = self.run(name, *argv)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def write_inventory(self, hosts: Dict[str, Dict[str, Any]], **variables: Any) -> str:
        """Write an inventory of `hosts` with what is each one's own, and what all have; return its path."""
        path = self.directory / "inventory.json"
        path.write_text(json.dumps({"all": {"vars": variables, "hosts": hosts}}))
        return str(path)
