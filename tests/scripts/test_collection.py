"""The Ansible collection without a host: it is whole, and what it thinks of an arrival stops a rollout. Only facts are set."""

import json
import re
from typing import Any, Dict

import pytest

import kexec_initd
from tests.collection import CHECKOUT, Collection

pytestmark = [pytest.mark.slow, pytest.mark.once]

ARRIVED = {
    "preload": "loaded", "last_reboot": "kexec", "last_outcome": "arrived", "last_attempt": "new", "last_reason": None,
    "guard": None,
}  # fmt: skip
# Of the role only what judges: it runs nothing on a host, and "local" is none.
PLAY = """
- hosts: all
  connection: local
  gather_facts: false
  serial: [1, 2, 1]
  max_fail_percentage: 0
  any_errors_fatal: true
  tasks:
    - ansible.builtin.set_fact: {kexec_initd_rebooted: true}
    - ansible.builtin.include_role: {name: kexec_initd.fleet.reboot, tasks_from: judge}
"""
# It writes only where the inventory says.
SETTINGS = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: kexec_initd.fleet.install, tasks_from: settings}
"""
UNREACHABLE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


@pytest.fixture(name="collection", scope="module")
def _collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return Collection(tmp_path_factory.mktemp("collection"))


def answer(**changes: Any) -> Dict[str, Any]:
    return {"kexec_initd_answer": {"rc": 0, "stdout": json.dumps(dict(ARRIVED, **changes))}}


COLD = answer(last_reboot="cold", last_reason="settings say so")


@pytest.mark.parametrize("web2, words", [
    ({}, None),
    (dict(COLD, kexec_initd_cold=True), None),
    (dict(COLD, kexec_initd_allow_cold=True), None),
    ({"kexec_initd_reboot": {"failed": True, "msg": "Timed out"}}, "did not arrive: Timed out"),
    ({"kexec_initd_answer": {"rc": 1, "stderr": "no"}}, "did not arrive: kexec-initd status fails there: no"),
    (answer(preload=""), "did not arrive: it has rebooted, but its boot did not come to the end where kexec-initd is called"),
    (COLD, "arrived through firmware: settings say so"),
    ({"kexec_initd_cold": True}, "arrived through kexec, although it was asked to go through firmware"),
    (answer(last_attempt="old"), 'did not arrive well: its last kexec is an older one'),
    (answer(last_outcome="failed", guard="it failed"), 'did not arrive well: it failed'),
])  # fmt: skip
def test_the_first_host_that_does_not_arrive_is_named_and_no_batch_follows(
    collection: Collection, web2: Dict[str, Any], words: str
) -> None:
    hosts: Dict[str, Dict[str, Any]] = {"web1": {}, "web2": web2, "web3": {}, "web4": {}}
    inventory = collection.write_inventory(
        hosts, kexec_initd_reboot={"rebooted": True}, kexec_initd_before={"last_attempt": "old"}, **answer(),
    )  # fmt: skip
    play = collection.directory / "play.yml"
    play.write_text(PLAY)
    done = collection.run("ansible-playbook", "-i", inventory, str(play))
    assert done.returncode == (2 if words else 0), done.stdout
    assert "web1 arrived through kexec" in done.stdout
    assert "web3 arrived through kexec" in done.stdout, "what is in the same batch is judged, too"
    assert ("web4 arrived through kexec" in done.stdout) is (words is None)
    if words:
        assert "web2 {}. Not rebooted yet: web4".format(words) in done.stdout


def test_a_host_that_cannot_be_reached_stops_it_too(collection: Collection) -> None:
    inventory = collection.write_inventory({"web1": UNREACHABLE, "web2": UNREACHABLE}, kexec_initd_become=False)
    done = collection.run("ansible-playbook", "-i", inventory, "kexec_initd.fleet.rollout")
    assert done.returncode == 2, done.stdout
    assert "fatal: [web1]: UNREACHABLE!" in done.stdout
    assert "web1 did not arrive. Not rebooted yet: web2" in done.stdout
    assert "fatal: [web2]: UNREACHABLE!" not in done.stdout


def test_settings_are_a_drop_in_of_their_own(collection: Collection) -> None:
    drop_in, play = collection.directory / "drop-in.conf", collection.directory / "settings.yml"
    play.write_text(SETTINGS)
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    inventory = collection.write_inventory({"web1": local})
    settings = {"MAX_DAYS": 30, "KEXEC": False, "CMDLINE_APPEND": 'a="b c" d', "REMOVE_MODULES": "x y"}
    extra = {"kexec_initd_drop_in": str(drop_in), "kexec_initd_settings": settings}
    collection.must("ansible-playbook", "-i", inventory, str(play), "-e", json.dumps(extra))
    assert drop_in.read_text() == (
        "# Written by Ansible (kexec_initd.fleet).\n"
        'CMDLINE_APPEND=\'a="b c" d\'\nKEXEC="no"\nMAX_DAYS="30"\nREMOVE_MODULES="x y"\n'
    )
    extra["kexec_initd_settings"] = {}
    collection.must("ansible-playbook", "-i", inventory, str(play), "-e", json.dumps(extra))
    assert not drop_in.exists()


def test_it_is_whole(collection: Collection) -> None:
    playbooks = sorted(path.stem for path in (CHECKOUT / "ansible/playbooks").iterdir())
    assert playbooks == ["reboot", "rollout", "status"]
    for name in playbooks:
        collection.must("ansible-playbook", "--syntax-check", "-i", "host,", "kexec_initd.fleet." + name)
    listed = json.loads(
        collection.must("ansible-galaxy", "collection", "list", "--format", "json", "kexec_initd.fleet")
    )
    assert [found["kexec_initd.fleet"]["version"] for found in listed.values()] == [kexec_initd.__version__]
    text = (CHECKOUT / "ansible/README.md").read_text()
    for path in (CHECKOUT / "ansible/roles").glob("*/defaults/main.yml"):
        spec = (path.parents[1] / "meta/argument_specs.yml").read_text()
        for name in re.findall("^kexec_initd_[a-z_]+", path.read_text(), re.MULTILINE):
            assert "| `{}` |".format(name) in text
            assert "      {}:\n".format(name) in spec
