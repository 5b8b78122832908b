"""With entries from /loader/entries a plain `reboot` starts what GRUB's own `blscfg` makes of them, from the same disk."""

from pathlib import Path
from typing import Dict, Mapping, NamedTuple, Tuple

import pytest

from tests.vm import grub_bls
from tests.vm.conftest import PRELOAD, StartMachine
from tests.vm.evidence import Boot, own_words
from tests.vm.grub_bls import BLSCFG, CONFIGURATION, KERNELOPTS, TOKEN, entry
from tests.vm.kernels import Kernels, find_kernels
from tests.vm.qemu import Machine
from tests.vm.reboots import assert_goes_cold, reboot_by_kexec, reboot_cold
from tests.vm.snapshot import Snapshot, take

ENTRIES = "loader/entries/"
OLD_ID, NEW_ID = TOKEN + "-@OLD@", TOKEN + "-@NEW@"
BLOCK = "/boot/grub2/grubenv"
SAVING = """\
function savedefault {
  saved_entry="${chosen}"
  save_env saved_entry
}
set blsuki_save_default=true
"""
# A blank line ends the file: what is behind it is not read.
SHORT = """\
# a comment of no weight
\ttitle\tOld, in an odd way
  linux \t /vmlinuz-@OLD@
version 999

linux /vmlinuz-@NEW@
"""
# Of the options only the first line counts.
ODD = f"""\
linux /vmlinuz-@OLD@
options {KERNELOPTS} odd=1 $unset
options odd=2
initrd /grub2/early.img
#initrd /initrd.img-@NEW@
initrd /initrd.img-@OLD@
"""
PACK_EARLY = "(cd /etc && echo hostname | cpio --quiet -o -H newc >/boot/grub2/early.img)"


class Setting(NamedTuple):
    """What is done in the guest, in this order, and what GRUB makes of it; @OLD@ and such are filled in (Kernels).

    The shell lines `commands`, the `files` by their names in /boot, and `saved` as the value of saved_entry. `kernel` is
    "old" or "new", and `word` is on the command line.
    """

    kernel: str
    word: str = "from=grubenv"
    saved: str = ""
    commands: str = ""
    files: Mapping[str, str] = {}


SETTINGS: Dict[str, Setting] = {
    "newest": Setting("new"),
    "saved-id": Setting("old", saved=OLD_ID),
    "saved-number": Setting("old", saved="1"),
    "saved-title": Setting(
        "old", "from=grub.cfg", "Red Hat Enterprise Linux (@OLD@) 8.10 (Ootpa)",
        commands=f"grub-editenv {BLOCK} unset kernelopts",
    ),
    "saves-what-it-boots": Setting(
        "old", saved=OLD_ID, files={"grub2/grub.cfg": CONFIGURATION + SAVING + BLSCFG}
    ),
    "sorted-by-version": Setting(
        "old", "ten=1", commands="rm /boot/loader/entries/*",
        files={ENTRIES + "x-1.9.conf": entry("@NEW@"), ENTRIES + "x-1.10.conf": entry("@OLD@", "$kernelopts ten=1")},
    ),
    "entry-removed": Setting("old", saved=NEW_ID, commands=f"rm /boot/{ENTRIES}{NEW_ID}.conf"),
    "options-of-its-own": Setting(
        "new", "tuned=1",
        files={
            ENTRIES + NEW_ID + ".conf": entry("@NEW@", KERNELOPTS + " $tuned_params"),
            "grub2/grub.cfg": CONFIGURATION + 'set tuned_params="tuned=1 quoted=it"\n' + BLSCFG,
        },
    ),
    "odd-files": Setting(
        "old", "odd=1", saved="zz-odd", commands=PACK_EARLY,
        files={
            ENTRIES + "zz-odd.conf": ODD, ENTRIES + "zy.conf": SHORT, ENTRIES + "zz-none.conf": "title none\n",
            ENTRIES + "zz-empty.conf": "", ENTRIES + ".zz-hidden.conf": SHORT, ENTRIES + "zz-more.conf~": SHORT,
        },
    ),
    "own-directory": Setting(
        "old", "from=grubenv own=1", commands="mkdir /boot/mine",
        files={
            "mine/one.conf": entry("@OLD@", "$kernelopts own=1"),
            "grub2/grub.cfg": CONFIGURATION + "blscfg --path=(hd0,msdos1)/mine --enable-fallback\n",
        },
    ),
    "fallback": Setting(
        "old", saved="zz-99",
        files={
            ENTRIES + "zz-99.conf": entry("9.9"), "grub2/grub.cfg": CONFIGURATION + "set fallback=2\n" + BLSCFG,
        },
    ),
}


@pytest.fixture(scope="module", name="preloaded_bls")
def _preloaded_bls(debs: Tuple[Path, ...]) -> Snapshot:
    """Return the guest with our package, its kernel loaded as at the end of a boot: the newest."""
    return take(grub_bls.build(), debs, PRELOAD)


def find_both(machine: Machine) -> Kernels:
    """Return the kernels of the guest, which runs the newer."""
    found = find_kernels(machine)
    return Kernels(old=found.new, new=found.old)


def make(machine: Machine, setting: Setting, kernels: Kernels) -> None:
    """Make the setting in the guest."""
    if setting.commands:
        machine.check(kernels.fill_in(setting.commands))
    for name, text in setting.files.items():
        machine.put("/boot/" + kernels.fill_in(name), kernels.fill_in(text).encode())
    if setting.saved:
        machine.check(f"grub-editenv {BLOCK} set saved_entry='{kernels.fill_in(setting.saved)}'")


def started(machine: Machine, boot: Boot) -> Tuple[str, str, str]:
    """Return what has to be the same, the environment block that the boot leaves included."""
    return boot.release, own_words(boot), machine.check(f"grub-editenv {BLOCK} list")


def go_cold(machine: Machine) -> Boot:
    """Reboot once through firmware."""
    machine.check("touch /no-kexec-reboot")
    return reboot_cold(machine, "asked for by /no-kexec-reboot")


@pytest.mark.full
@pytest.mark.parametrize("name", SETTINGS)
def test_kexec_starts_what_blscfg_boots(preloaded_bls: Snapshot, start: StartMachine, name: str) -> None:
    machine, setting = start(preloaded_bls.setup()), SETTINGS[name]
    kernels = find_both(machine)
    make(machine, setting, kernels)
    warm = started(machine, reboot_by_kexec(machine))
    cold = started(machine, go_cold(machine))
    assert warm == cold
    assert cold[0] == getattr(kernels, setting.kernel)
    assert setting.word in cold[1]


@pytest.mark.full
def test_an_entry_for_once_is_taken_once(preloaded_bls: Snapshot, start: StartMachine) -> None:
    machine = start(preloaded_bls.setup())
    kernels = find_both(machine)
    once = kernels.fill_in(f"grub-editenv {BLOCK} set next_entry={OLD_ID} saved_entry={NEW_ID}")
    machine.check(once)
    warm = started(machine, reboot_by_kexec(machine))
    assert reboot_by_kexec(machine).release == kernels.new
    machine.check(once)
    assert started(machine, go_cold(machine)) == warm
    assert warm[0] == kernels.old
    assert go_cold(machine).release == kernels.new


@pytest.mark.full
def test_an_id_that_begins_like_a_number_is_not_decided(preloaded_bls: Snapshot, start: StartMachine) -> None:
    """GRUB 2.14 reads "1f0e-..." as the number 1; Fedora's looks for the id first."""
    machine = start(preloaded_bls.setup())
    kernels = find_both(machine)
    name = kernels.fill_in("1f0e-@NEW@")
    make(machine, Setting("new", saved=name, files={ENTRIES + name + ".conf": entry("@NEW@")}), kernels)
    assert_goes_cold(machine, "versions of GRUB differ in what the default")
    machine.restart()
    machine.wait_login()
