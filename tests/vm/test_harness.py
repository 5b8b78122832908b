"""The harness itself: it can fail. Without these tests the others would prove nothing."""

import ast
from pathlib import Path

import pytest

from tests.vm.conftest import StartMachine
from tests.vm.evidence import assert_came_by_kexec, gather
from tests.vm.offline import read_disk
from tests.vm.power import check_file_system, cut_power
from tests.vm.qemu import STUCK_AFTER, EndReason, Setup
from tests.vm.snapshot import Snapshot

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.full
def test_hanging_reboot_is_stuck(stock: Snapshot, start: StartMachine) -> None:
    machine = start(stock.setup())
    machine.check("echo LOAD_KEXEC=false >/etc/default/kexec")
    machine.put("/etc/init.d/reboot", b"#!/bin/sh\necho hanging >/dev/console\nwhile :; do sleep 60; done\n", 0o755)
    machine.send("reboot")
    assert machine.talk().look(["hanging"], STUCK_AFTER) == 0
    assert machine.wait_end(limit=5) is EndReason.STUCK


@pytest.mark.full
def test_missing_reboot_script_is_stranded(stock: Snapshot, start: StartMachine) -> None:
    machine = start(stock.setup())
    machine.check("echo LOAD_KEXEC=false >/etc/default/kexec; rm /etc/init.d/reboot")
    machine.send("reboot")
    assert machine.wait_end() is EndReason.STRANDED


@pytest.mark.full
def test_power_cut_is_not_taken_for_clean_or_for_kexec(stock: Snapshot, start: StartMachine) -> None:
    machine = start(stock.setup())
    before = gather(machine)
    machine.check("mkdir /var/tmp/dirty && sync && touch /var/tmp/dirty/file")
    machine.send("echo b >/proc/sysrq-trigger")
    assert machine.wait_end() is EndReason.RESET
    assert not read_disk(machine)[-1].is_clean()
    machine.restart()
    machine.wait_login()
    after = gather(machine)
    assert after.unclean
    with pytest.raises(AssertionError, match="another QEMU process"):
        assert_came_by_kexec(before, after, ours=False)


@pytest.mark.full
def test_power_cut_on_xfs_is_not_taken_for_clean(furnished: Setup, start: StartMachine) -> None:
    machine = start(furnished)
    machine.check("mkfs.xfs -q /dev/vdc; echo '/dev/vdc /srv xfs defaults 0 2' >>/etc/fstab; mount /srv")
    machine.check("touch /srv/file; sync")
    machine.send("echo b >/proc/sysrq-trigger")
    assert machine.wait_end() is EndReason.RESET
    machine.restart()
    machine.wait_login()
    assert any("XFS (vdc)" in line for line in gather(machine).unclean)


def test_a_machine_that_did_nothing_has_not_come_by_kexec(stock: Snapshot, start: StartMachine) -> None:
    machine = start(stock.setup())
    before = gather(machine)
    with pytest.raises(AssertionError, match="same boot"):
        assert_came_by_kexec(before, gather(machine), ours=False)


@pytest.mark.full
@pytest.mark.parametrize("lost", [True, False])
def test_a_power_cut_loses_what_is_not_flushed_where_that_is_asked_for(
    stock: Snapshot, start: StartMachine, lost: bool
) -> None:
    machine = start(stock.setup()._replace(logged=True))
    block = "dd of=/root/block bs=4096 count=1 conv=notrunc iflag=fullblock status=none"
    machine.check(f"echo flushed >/root/file; {block} if=/dev/zero; sync")
    machine.check(f"tr '\\0' x </dev/zero | {block} oflag=direct")
    assert (cut_power(machine, lost) > 0) is lost
    assert check_file_system(machine) == ""
    machine.restart()
    machine.wait_login()
    assert machine.check("cat /root/file") == "flushed"
    assert machine.check("head -c 1 /root/block | od -A n -c").split() == ["\\0" if lost else "x"]


def test_every_guest_starts_through_its_boot_loader_but_where_that_is_the_point() -> None:
    given = {
        path.name
        for room in ("vm", "faults", "bench", "soak", "demo")
        for path in (TESTS / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "kernel" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is None)
        if getattr(node.func, "attr", getattr(node.func, "id", "")) in ("Setup", "_replace")
    }
    assert given == {"image.py", "test_starter.py"}
