"""The Ansible collection against four guests: a rollout stops at the first that does not arrive, and goes on once mended."""

import json
import subprocess
from pathlib import Path
from typing import Any, Dict, Sequence, Tuple

import pytest

from tests.collection import Collection
from tests.install.repositories import make_keyring
from tests.vm.conftest import StartMachine
from tests.vm.evidence import assert_came_by_kexec, gather
from tests.vm.fleet import build_guest, find_ports, forwarding
from tests.vm.packages import find_deb, find_rpm
from tests.vm.qemu import EndReason, Machine
from tests.vm.snapshot import write_payload

NAMES = ("web1", "web2", "web3", "web4")
# A kernel that was given this panics, and resets the machine; which stays off until the test starts it again.
NO_INIT = {"CMDLINE_APPEND": "init=/bin/false"}
SSH = "-o ControlMaster=auto -o ControlPersist=60 -o ServerAliveInterval=20 -o UserKnownHostsFile=/dev/null"


@pytest.fixture(name="repository")
def _repository(tmp_path: Path) -> Path:
    """Return signed repositories of the packages in dist/."""
    find_deb()
    find_rpm()
    ring = make_keyring(tmp_path / "gnupg")
    made = ring.build_repos(tmp_path / "repos")
    ring.run("gpgconf", "--kill", "all")
    assert made.returncode == 0, made.stdout
    return tmp_path / "repos"


class Fleet:
    """Guests by their names, each with a repository in a directory of its own, and who manages them."""

    def __init__(self, tmp_path: Path, repository: Path, start: StartMachine) -> None:
        self.collection, self.key = Collection(tmp_path), tmp_path / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        self.ports = dict(zip(NAMES, find_ports(len(NAMES))))
        payload = write_payload(tmp_path / "apt.tar", sorted((repository / "apt").iterdir()))
        snapshot = build_guest()
        self.machines: Dict[str, Machine] = {}
        for name, port in self.ports.items():
            machine = start(snapshot.setup(payload)._replace(extra_args=forwarding(port)))
            machine.put("/root/.ssh/authorized_keys", self.key.with_suffix(".pub").read_bytes(), 0o600)
            machine.check("mkdir -p /srv/apt")
            machine.unpack("/srv/apt")
            self.machines[name] = machine
        self.common: Dict[str, Any] = {
            "ansible_host": "127.0.0.1", "ansible_user": "root", "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_args": SSH, "ansible_timeout": 60, "ansible_python_interpreter": "/usr/bin/python3",
            "kexec_initd_become": False, "kexec_initd_apt_uri": "file:/srv/apt", "kexec_initd_key": str(repository / "key.asc"),
        }

    def play(self, playbook: str, *argv: str, serial: Sequence[int] = (1,), **own: Dict[str, Any]) -> Tuple[int, str]:
        """Run a playbook of the collection with what is some hosts' `own`; return its exit status and what it said."""
        hosts = {name: {"ansible_port": port, **own.get(name, {})} for name, port in self.ports.items()}
        inventory = self.collection.write_inventory(hosts, **self.common)
        argv = (*argv, "-e", json.dumps({"kexec_initd_serial": list(serial)}))
        log = self.collection.directory / "log"
        command = self.collection.command("ansible-playbook", "-i", inventory, "kexec_initd.fleet." + playbook, *argv)
        with open(log, "w") as stream, subprocess.Popen(
            command, env=self.collection.environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
        ) as process:
            while process.poll() is None:
                for machine in self.machines.values():  # a console that nobody reads holds a shutdown up
                    machine.talk().look([], 0.2)
        said = log.read_text()
        print(said)
        return process.returncode, said


@pytest.mark.full
def test_a_rollout_stops_at_the_first_host_that_does_not_arrive(
    tmp_path: Path, repository: Path, start: StartMachine
) -> None:
    fleet = Fleet(tmp_path, repository, start)
    before = {name: gather(machine) for name, machine in fleet.machines.items()}
    broken = {"kexec_initd_settings": NO_INIT, "kexec_initd_reboot_seconds": 120}

    code, said = fleet.play("rollout", web2=broken)
    assert code == 2
    assert "web1 arrived through kexec" in said
    assert "web2 did not arrive: Timed out waiting" in said
    assert "Not rebooted yet: web3, web4" in said
    assert fleet.machines["web2"].wait_end() is EndReason.RESET
    fleet.machines["web1"].wait_login()
    assert_came_by_kexec(before["web1"], gather(fleet.machines["web1"]))
    for name in ("web3", "web4"):
        machine = fleet.machines[name]
        assert gather(machine) == before[name]
        assert machine.run("ls /usr/sbin/kexec-initd /etc/apt/sources.list.d/kexec-initd.sources").status == 2

    # As it was, that host is not rebooted again; mended, it has another command line, which nothing speaks against.
    machine = fleet.machines["web2"]
    machine.restart()
    machine.wait_login()
    code, said = fleet.play("rollout", "--limit", "web2", web2=broken)
    assert code == 2
    assert "web2 is not rebooted: it would go through firmware: " in said
    before = {name: gather(fleet.machines[name]) for name in NAMES}
    code, said = fleet.play("rollout", "--limit", "!web1", serial=[3], web3={"kexec_initd_settings": {"MAX_DAYS": 30}})
    assert code == 0
    for name in ("web2", "web3", "web4"):
        fleet.machines[name].wait_login()
        assert_came_by_kexec(before[name], gather(fleet.machines[name]))
    settings = fleet.machines["web3"].check("grep -rh -e MAX_DAYS= -e CMDLINE_APPEND= /etc/default/kexec-initd*")
    assert [line for line in settings.splitlines() if not line.startswith("#")] == ['MAX_DAYS="30"']

    code, said = fleet.play("status")
    assert code == 0
    assert said.count("reboot: kexec: ") == 4

    # Through firmware on request: that guest is off then, until it is started again, and so it does not arrive here.
    code, said = fleet.play("reboot", "--limit", "web4", "-e", '{"kexec_initd_cold": true, "kexec_initd_reboot_seconds": 60}')
    assert "web4 did not arrive" in said
    machine = fleet.machines["web4"]
    assert machine.wait_end() is EndReason.RESET
    assert "asked for by /no-kexec-reboot" in machine.log_text()
