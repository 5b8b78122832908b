"""The main job: our package installed by dpkg, plain `reboot` typed on the console, the way the guest comes up proved."""

import shlex

import pytest

from tests.vm.conftest import WAIT_LOADED, StartMachine
from tests.vm.evidence import assert_came_by_kexec, gather, own_words
from tests.vm.grub_settings import entry
from tests.vm.kernels import Kernels
from tests.vm.qemu import EndReason
from tests.vm.reboots import reboot_by_kexec, reboot_cold
from tests.vm.snapshot import Snapshot

OTHERS = [pytest.param(command, marks=pytest.mark.full) for command in ("shutdown -r now", "init 6")]


@pytest.mark.parametrize("command", ["reboot", *OTHERS])
def test_every_way_to_reboot_goes_through_kexec(preloaded: Snapshot, start: StartMachine, command: str) -> None:
    machine = start(preloaded.setup())
    reboot_by_kexec(machine, command)
    if command == "reboot":
        # The new boot has preloaded by itself, from rc.local, and goes the same way again.
        machine.check(f"({WAIT_LOADED})", limit=180)
        reboot_by_kexec(machine)


@pytest.mark.parametrize(
    "command, end", [("poweroff", EndReason.POWEROFF), pytest.param("halt", EndReason.HALTED, marks=pytest.mark.full)]
)
def test_off_is_off_with_a_kernel_loaded(
    preloaded: Snapshot, start: StartMachine, command: str, end: EndReason
) -> None:
    machine = start(preloaded.setup())
    assert machine.check("cat /sys/kernel/kexec_loaded") == "1"
    # Debian's `halt` powers off unless this says otherwise.
    machine.check("echo HALT=halt >>/etc/default/halt")
    machine.send(command)
    assert machine.wait_end() is end


@pytest.mark.full
def test_without_a_preload_the_early_step_loads(installed: Snapshot, start: StartMachine) -> None:
    machine = start(installed.setup())
    assert machine.check("cat /sys/kernel/kexec_loaded") == "0"
    reboot_by_kexec(machine)


@pytest.mark.full
def test_a_hook_that_fails_means_cold(preloaded: Snapshot, start: StartMachine) -> None:
    machine = start(preloaded.setup())
    machine.check("ln -s /bin/false /etc/kexec-initd/pre-jump.d/50-no")
    reboot_cold(machine, "50-no failed with exit code 1")


def test_coldreboot_is_cold_once(preloaded: Snapshot, start: StartMachine) -> None:
    machine = start(preloaded.setup())
    assert machine.check("cat /sys/kernel/kexec_loaded") == "1"
    reboot_cold(machine, "asked for by /no-kexec-reboot", "coldreboot")
    assert machine.run("test -e /no-kexec-reboot").status != 0
    reboot_by_kexec(machine)


def test_a_separate_boot_is_unmounted_when_the_kernel_starts(boot_partition: Snapshot, start: StartMachine) -> None:
    machine = start(boot_partition.setup())
    # The last step tells what is mounted: our own hook is the witness.
    witness = "#!/bin/sh\ngrep ' /boot ' /proc/mounts >/dev/console && exit 1\necho /boot is unmounted >/dev/console\n"
    machine.put("/etc/kexec-initd/pre-jump.d/witness", witness.encode(), 0o755)
    reboot_by_kexec(machine)
    assert "/boot is unmounted" in machine.log_text()


HOSTILE = """hostile="a b" $(touch${IFS}/canary) `touch /canary` ;touch;/canary 'q' "x;y z" %s \\n * ~ & | < > # !"""


@pytest.mark.full
def test_a_hostile_command_line_arrives_unchanged(preloaded: Snapshot, start: StartMachine) -> None:
    machine = start(preloaded.setup())
    release = machine.check("uname -r")
    hostile = " ".join("'{}'".format(word.replace("'", "'\"'\"'")) for word in HOSTILE.split(" "))
    custom = "set default=own\n" + Kernels(release, release).fill_in(entry("own", "@OLD@", hostile))
    machine.put("/boot/grub/custom.cfg", custom.encode())
    cold = reboot_cold(machine, "asked for by /no-kexec-reboot", "coldreboot")
    assert all(word in cold.cmdline for word in ("$(touch${IFS}/canary)", "`touch", ";touch;", "&", "#", "!"))
    assert own_words(reboot_by_kexec(machine)) == cold.cmdline
    assert machine.run("ls -d /canary").status != 0


@pytest.mark.full
def test_a_kernel_loaded_by_hand_is_kept(installed: Snapshot, start: StartMachine) -> None:
    machine = start(installed.setup())
    by_hand = shlex.quote("root=/dev/vda1 ro console=ttyS0,115200 by_hand=1")
    machine.check(f"kexec -l /boot/vmlinuz-$(uname -r) --initrd=/boot/initrd.img-$(uname -r) --append={by_hand}")
    before = gather(machine)
    machine.send("reboot")
    machine.wait_login()
    after = gather(machine)
    assert_came_by_kexec(before, after, ours=False)
    assert "by_hand=1" in after.cmdline
    assert after.attempt is None
