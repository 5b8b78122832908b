"""A kernel that we have loaded for a panic runs after one, loads nothing there, and a `reboot` in it goes through firmware."""

from typing import Callable

import pytest

from kexec_initd import sentences
from kexec_initd.kexec.panic import NOT_RESERVED
from tests.vm import debian_systemd
from tests.vm.conftest import CRASHKERNEL, StartMachine
from tests.vm.evidence import gather
from tests.vm.qemu import Machine
from tests.vm.reboots import reboot_by_kexec, reboot_cold

NOTED = "/run/kexec-initd/panic-kernel"
WAIT = f"(for i in $(seq 180); do [ -s {NOTED} ] && exec cat {NOTED}; sleep 1; done; exit 1)"


@pytest.mark.full
@pytest.mark.parametrize("host, reboot", [("preloaded", reboot_cold), ("under_systemd", debian_systemd.reboot_cold)])
def test_a_panic_starts_what_was_loaded_and_a_reboot_there_is_cold(
    host: str, reboot: Callable[[Machine, str], object], request: pytest.FixtureRequest, start: StartMachine
) -> None:
    machine = start(request.getfixturevalue(host).setup())
    machine.check("echo PANIC_KERNEL=yes >>/etc/default/kexec-initd; kexec-initd preload", 180)
    assert "panic kernel: not loaded: " + NOT_RESERVED in machine.check("kexec-initd status")
    machine.check(CRASHKERNEL.replace("160M", "256M"), 180)
    before = reboot_by_kexec(machine)
    assert machine.check(WAIT, 200) == "loaded: kernel " + before.release
    machine.check("sync")
    machine.send("echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger")
    machine.wait_login(900)
    captured = gather(machine)
    assert (captured.qemu, captured.resets, captured.attempt) == (before.qemu, 0, None)
    assert "maxcpus=1 nr_cpus=1 irqpoll reset_devices " in captured.cmdline and "elfcorehdr=" in captured.cmdline
    assert "crashkernel=" not in captured.cmdline
    assert machine.check("head -c 4 /proc/vmcore | tail -c 3") == "ELF"
    assert machine.run("kexec-initd preload", 180).output == "kexec-initd: " + sentences.CAPTURE
    reboot(machine, sentences.CAPTURE)
    assert f"last reboot: through firmware: {sentences.CAPTURE} (unsupported)" in machine.check("kexec-initd status")
