"""What proves how a guest came up: nothing is inferred from a prompt alone."""

import re
from typing import NamedTuple, Optional, Tuple

from tests.vm.qemu import Machine

ATTEMPT = re.compile(r"(?:^|\s)kexec_initd\.attempt=(\S+)")
ADDED = re.compile(r"(?:^|\s)kexec_initd\.panic=(\S+) panic=\1(?=\s|$)")
# Words of ext4 and XFS about a file system that was not unmounted: fs/ext4/super.c, fs/ext4/orphan.c, fs/jbd2/recovery.c,
# fs/xfs/xfs_log_recover.c
UNCLEAN = "recovery complete|recovery required|recovering journal|orphan cleanup|orphan inode|fs with errors|starting recovery"


class Boot(NamedTuple):
    """One boot of a guest. `resets` counts the resets since QEMU process `qemu` started; `unclean` holds dmesg lines."""

    boot_id: str
    cmdline: str
    attempt: Optional[str]
    release: str
    qemu: int
    resets: int
    unclean: Tuple[str, ...]


def own_words(boot: Boot) -> str:
    """Return the command line without our own words: what the boot loader's entry gives."""
    return ADDED.sub("", ATTEMPT.sub("", boot.cmdline, count=1), count=1).strip()


def gather(machine: Machine) -> Boot:
    """Ask the guest, the monitor and the console log how this boot came about."""
    boot_id, release, cmdline = machine.check(
        "cat /proc/sys/kernel/random/boot_id; uname -r; cat /proc/cmdline"
    ).splitlines()[:3]
    attempt = ATTEMPT.search(cmdline)
    unclean = machine.run(f"dmesg | grep -i -E {UNCLEAN!r}").output.splitlines()
    return Boot(
        boot_id, cmdline, attempt.group(1) if attempt else None, release, machine.pid(), machine.resets(),
        tuple(unclean),
    )


def assert_came_by_kexec(before: Boot, after: Boot, ours: bool = True) -> None:
    """Fail unless `after` was reached from `before` by kexec; `ours`: with a fresh attempt of kexec-initd."""
    assert after.qemu == before.qemu, "another QEMU process: the machine was started anew"
    assert after.resets == 0, f"the machine was reset: {after}"
    assert after.boot_id != before.boot_id, "the same boot still runs"
    if ours:
        assert after.attempt, f"no attempt on the command line: {after.cmdline}"
        assert after.attempt != before.attempt, f"not a fresh attempt: {after.attempt}"
    assert_clean(after)


def assert_came_cold(before: Boot, after: Boot, mark: str = "BOOT_IMAGE=") -> None:
    """Fail unless `after` came up through the firmware on a machine that had been reset or switched off.

    `mark` is what the boot loader leaves on the command line: GRUB's by default.
    """
    assert after.qemu != before.qemu, "the same QEMU process: this was no cold boot"
    assert after.boot_id != before.boot_id, "the same boot still runs"
    assert after.attempt is None, f"an attempt on the command line: {after.cmdline}"
    assert mark in after.cmdline, f"not from the boot loader: {after.cmdline}"
    assert_clean(after)


def assert_clean(boot: Boot) -> None:
    """Fail if a file system had not been unmounted or made read-only before this boot."""
    assert not boot.unclean, "\n".join(boot.unclean)
