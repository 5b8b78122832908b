"""With systemd-boot a plain `reboot` starts what the loader boots: itself the judge, on the same disk and variables."""

from typing import Dict, NamedTuple, Tuple

import pytest

from tests.vm import uefi
from tests.vm.conftest import StartMachine
from tests.vm.evidence import Boot, own_words
from tests.vm.kernels import Kernels, find_kernels
from tests.vm.qemu import Machine
from tests.vm.reboots import reboot_by_kexec, reboot_cold
from tests.vm.snapshot import Snapshot

BY_HAND = "asked for by /no-kexec-reboot"
MARK = "initrd=\\"
CONF = "/boot/efi/loader/loader.conf"
ENTRIES = "/boot/efi/loader/entries"
NEW, OLD = (f"{uefi.TOKEN}-{release}.conf" for release in ("@NEW@", "@OLD@"))
ONE_SHOT = "ls /sys/firmware/efi/efivars | grep LoaderEntryOneShot"


def entry(name: str, lines: str, options: str) -> str:
    """Return shell lines that write an entry, its file `name`, for the older kernel."""
    directory = f"/{uefi.TOKEN}/@OLD@"
    text = f"title {name}\\n{lines}linux {directory}/linux\\ninitrd {directory}/initrd.img-@OLD@\\n"
    return f"printf '{text}options root=UUID=@UUID@ ro console=ttyS0,115200 {options}\\n' >{ENTRIES}/{name}.conf\n"


class Setting(NamedTuple):
    """Shell lines for the guest, and what systemd-boot makes of them: "old" or "new" kernel, a word of its command line."""

    kernel: str
    commands: str = ""
    word: str = ""


SETTINGS: Dict[str, Setting] = {
    "newest": Setting("new"),
    "pattern": Setting("old", f"echo 'default *-@OLD@*' >>{CONF}"),
    "default-variable": Setting("old", f"bootctl set-default {OLD}"),
    "sorted-by-name": Setting(
        "old",
        f"rm {ENTRIES}/{uefi.TOKEN}*\n" + entry("k-6.9", "", "n=9") + entry("k-6.10", "", "n=10") + entry("a", "", "n=a"),
        word=" n=10",
    ),
    "sorted-by-key": Setting(
        "old",
        entry("a", "sort-key aa\\nversion 6.9\\n", "n=9") + entry("b", "sort-key aa\\nversion 6.10\\n", "n=10"),
        word=" n=10",
    ),
    "no-tries-left": Setting("old", f"cd {ENTRIES}; mv {NEW} {uefi.TOKEN}-@NEW@+0-3.conf"),
    "odd-paths": Setting(
        "old",
        entry("odd", "sort-key aa\\n", "one=1\\noptions  two=2").replace("initrd /", "initrd //").replace("linux /", "linux "),
        word=f"initrd=\\{uefi.TOKEN}\\",
    ),
}


def kernels_of(machine: Machine) -> Kernels:
    """Return the kernels of the guest, which runs the newer one."""
    found = find_kernels(machine)
    return Kernels(old=found.new, new=found.old)


def started(boot: Boot) -> Tuple[str, str]:
    """Return what has to be the same."""
    return boot.release, own_words(boot)


@pytest.mark.full
@pytest.mark.parametrize("name", SETTINGS)
def test_kexec_starts_what_systemd_boot_boots(preloaded_uefi: Snapshot, start: StartMachine, name: str) -> None:
    machine, setting = start(preloaded_uefi.setup()), SETTINGS[name]
    kernels = kernels_of(machine)
    machine.check(kernels.fill_in(setting.commands or "true"))
    warm = reboot_by_kexec(machine)
    cold = reboot_cold(machine, BY_HAND, "coldreboot", MARK)
    assert started(warm) == started(cold)
    assert cold.release == getattr(kernels, setting.kernel)
    assert kernels.fill_in(setting.word) in cold.cmdline


@pytest.mark.full
def test_a_wish_for_one_boot_is_honoured_and_taken_back(preloaded_uefi: Snapshot, start: StartMachine) -> None:
    machine = start(preloaded_uefi.setup())
    kernels = kernels_of(machine)
    wish = kernels.fill_in(f"bootctl set-oneshot {OLD}")
    machine.check(wish)
    machine.check(ONE_SHOT)
    warm = reboot_by_kexec(machine)
    assert warm.release == kernels.old
    assert machine.run(ONE_SHOT).output == ""
    assert reboot_by_kexec(machine).release == kernels.new
    machine.check(wish)
    cold = reboot_cold(machine, BY_HAND, "coldreboot", MARK)
    assert started(warm) == started(cold)
    assert machine.run(ONE_SHOT).output == ""


@pytest.mark.full
def test_tries_are_left_for_the_loader_to_count(preloaded_uefi: Snapshot, start: StartMachine) -> None:
    machine = start(preloaded_uefi.setup())
    kernels = kernels_of(machine)
    counted = kernels.fill_in(f"{ENTRIES}/{uefi.TOKEN}-@NEW@+%s.conf")
    machine.check(kernels.fill_in(f"cd {ENTRIES}; mv {NEW} {counted % 3}"))
    cold = reboot_cold(machine, "the loader counts the tries of", mark=MARK)
    assert cold.release == kernels.new
    machine.check("test -e " + counted % "2-1")
