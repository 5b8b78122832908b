"""What shows by what the running boot came, and what the record makes of it: only the last attempt's own id is an arrival."""

import os
from typing import Optional

import pytest

from kexec_initd.errors import Error
from kexec_initd.history import attempts
from kexec_initd.history.attempts import record_boot
from kexec_initd.history.guard import Attempt, Boot, Guard, Last, Outcome, Record, judge
from kexec_initd.history.running_boot import read_uptime, shows_kexec
from kexec_initd.kexec import program, stamp
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.system.host import gather
from kexec_initd.system.sysroot import Tree
from kexec_initd.verbs import status
from tests.unit.fake_host import FakeHost, with_kernel

A = Attempt("aaaa", 1000, "0000000a", "6.1.0-test")
UNDER_WAY = Record("0", 1, 5, 1_600_000_000, Last(Outcome.UNDER_WAY, A))
BY_KEXEC = "proc/sys/kernel/bootloader_type"
KERNEL = "/boot/vmlinuz-6.1.0-test"
LINE = "BOOT_IMAGE=" + KERNEL + " root=/dev/vda1 ro"
MENU = "menuentry Linux {{ linux {} root=/dev/vda1 ro\n initrd /boot/initrd.img-6.1.0-test\n}}\n".format(KERNEL)


@pytest.fixture
def ready(fake: FakeHost) -> FakeHost:
    (fake.root / "var/lib/kexec-initd").mkdir(parents=True)
    fake.write(BY_KEXEC, "114\n")
    fake.write("boot/grub/grub.cfg", MENU)
    return with_kernel(fake)


def boot(fake: FakeHost, line: str = LINE, loader: int = 114, settings: Settings = Settings()) -> None:
    """Let the next boot come, with that command line and the number of what has started it; its end is reached."""
    fake.boot(os.urandom(16).hex())
    fake.write("proc/cmdline", line + "\n")
    fake.write(BY_KEXEC, "{}\n".format(loader))
    shutdown.preload(gather(fake.root), settings)


def reboot(fake: FakeHost, settings: Settings = Settings()) -> Optional[str]:
    """Shut down; return the attempt that is under way, or None for a cold reboot."""
    decided = shutdown.prepare(gather(fake.root), settings)
    loaded = stamp.read_loaded(fake.root) if decided.kexec else None
    return loaded.attempt if loaded else None


@pytest.mark.parametrize("number, found", [
    ("208", True), ("223", True), ("207", False), ("224", False), ("114", False), ("", False), ("0xd0", False),
    ("-208", False), ("²08", False), ("208 208", False), ("9" * 4000, False),
])  # fmt: skip
def test_the_number_of_kexec_tools_shows_a_kexec(fake: FakeHost, number: str, found: bool) -> None:
    assert not shows_kexec(Tree(fake.root))
    fake.write(BY_KEXEC, number + "\n")
    assert shows_kexec(Tree(fake.root)) is found


def test_the_device_tree_shows_one_too(fake: FakeHost) -> None:
    fake.write("proc/device-tree/chosen/linux,booted-from-kexec", "")
    assert shows_kexec(Tree(fake.root))


@pytest.mark.parametrize("shown, by_kexec, last, kexecs, firmware, closed", [
    ("aaaa", True, Outcome.ARRIVED, 2, 1_600_000_000, False),
    ("aaaa", False, Outcome.ARRIVED, 2, 1_600_000_000, False),
    (None, True, Outcome.REPLACED, 2, 1_600_000_000, False),
    (None, False, Outcome.LOST, 0, 7, True),
])  # fmt: skip
def test_what_becomes_of_an_attempt(
    shown: Optional[str], by_kexec: bool, last: Outcome, kexecs: int, firmware: int, closed: bool
) -> None:
    record = judge(UNDER_WAY, Boot("1", shown, 7, by_kexec), 3)
    assert record.last == Last(last, A)
    assert (record.kexecs, record.firmware) == (kexecs, firmware)
    assert record.guard == (Guard(0, A) if closed else None)


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("words", [
    "kexec_initd.attempt={old} " + LINE, LINE + " kexec_initd.attempt={old}",
    "kexec_initd.attempt={old} kexec_initd.panic=30 panic=30 " + LINE + " kexec_initd.append quiet",
    LINE + " kexec_initd.attempt={old} kexec_initd.attempt=0123456789abcdef",
    LINE + ' "kexec_initd.attempt={old}"', LINE + " -- kexec_initd.attempt={old}",
])  # fmt: skip
@pytest.mark.parametrize("settings", [Settings(max_kexecs=1), Settings(max_days=1)])
def test_an_old_attempt_on_the_loaders_own_line_counts_for_nothing(
    ready: FakeHost, words: str, settings: Settings
) -> None:
    ready.write("proc/uptime", "900000.00 1.00\n")
    boot(ready)
    old = reboot(ready)
    assert old is not None
    line = words.format(old=old)
    boot(ready, "kexec_initd.attempt={} {}".format(old, LINE), 208)
    assert attempts.read(ready.root).kexecs == 1
    assert reboot(ready, Settings(kexec=False)) is None
    ready.write("proc/uptime", "10.00 1.00\n")
    for _ in range(2):  # a boot through firmware each, whose entry was made from the line of the kexec
        boot(ready, line, settings=settings)
        record = attempts.read(ready.root)
        assert (record.kexecs, record.last and record.last.outcome) == (0, Outcome.ARRIVED)
        assert status.gather_status(gather(ready.root), settings, []).last_reboot == "cold"
        assert reboot(ready, Settings(kexec=False)) is None
    boot(ready, line, settings=settings)
    shown = reboot(ready, settings)
    assert shown is not None
    # The new attempt stands in place of the old one, and is found even beside it.
    boot(ready, "kexec_initd.attempt={} {}".format(shown, line), 208)
    assert attempts.read(ready.root).kexecs == 1


def test_an_old_attempt_is_no_arrival_of_the_new_one(ready: FakeHost) -> None:
    boot(ready)
    old = reboot(ready)
    boot(ready, "kexec_initd.attempt={} {}".format(old, LINE), 208)
    assert reboot(ready) is not None
    boot(ready, "kexec_initd.attempt={} {}".format(old, LINE))
    record = attempts.read(ready.root)
    assert record.last is not None and record.last.outcome is Outcome.LOST
    assert record.guard is not None


def test_a_kernel_that_the_admin_has_loaded_over_ours_is_told_as_such(ready: FakeHost) -> None:
    boot(ready)
    lost = reboot(ready)
    assert lost is not None
    boot(ready, LINE + " quiet", 208)
    answer = status.gather_status(gather(ready.root), Settings(), [])
    assert (answer.last_attempt, answer.last_outcome, answer.guard) == (lost, "replaced", None)
    assert (answer.last_reboot, answer.kexecs, answer.kexecs_total) == ("kexec", 1, 0)
    assert "replaced by a kernel that was loaded by hand" in status.as_text(answer)
    assert reboot(ready) is not None


def test_where_the_boot_loader_is_a_kernel_its_kexec_is_no_evidence(ready: FakeHost) -> None:
    boot(ready, loader=208)
    assert reboot(ready) is not None
    boot(ready, loader=208)
    record = attempts.read(ready.root)
    assert (record.last and record.last.outcome, record.kexecs) == (Outcome.LOST, 0)
    boot(ready, loader=114)
    assert reboot(ready) is None, "the guard is closed"
    attempts.trust(gather(ready.root), 3)
    boot(ready, loader=114)
    assert reboot(ready) is not None
    boot(ready, loader=208)
    last = attempts.read(ready.root).last
    assert last is not None and last.outcome is Outcome.REPLACED


@pytest.mark.parametrize("text", [
    "", "\n", "nan nan\n", "inf 1\n", "-inf 1\n", "1e400 1\n", "-5.00 1\n", "1e9 1\n", "0x10 1\n", "\xb2 1\n", "x" * 4096,
    "1" * 5000 + " 1\n", "1_000.0 1\n", "1,5 1\n",
])  # fmt: skip
def test_an_uptime_of_another_form_counts_for_nothing(ready: FakeHost, text: str) -> None:
    ready.write("proc/uptime", text)
    assert read_uptime(ready.root) == 0
    boot(ready)
    assert reboot(ready) is not None


@pytest.mark.parametrize("text", ["ü\n", "a b\n", "a\nb\n", "\x1b[2J\n", "a" * 65, "\0", "\udcff"])
def test_a_boot_id_of_another_form_means_cold_and_is_told(ready: FakeHost, text: str) -> None:
    ready.root.joinpath("proc/sys/kernel/random/boot_id").write_bytes(text.encode("utf-8", "surrogateescape"))
    decided = shutdown.prepare(gather(ready.root), Settings())
    assert not decided.kexec
    assert "the id of this boot is unknown" in decided.reason
    assert not program.is_loaded(ready.root)
    with pytest.raises(Error, match="the id of this boot is unknown"):
        record_boot(gather(ready.root), 3)
    status.as_text(status.gather_status(gather(ready.root), Settings(), []))


@pytest.mark.parametrize("words, warned", [
    ("kexec_initd.attempt=0123456789abcdef", True), ("quiet kexec_initd.append nomodeset", True),
    ("-- kexec_initd.panic=30", True), ("kexec_initd", False), ("x=kexec_initd.attempt=1", False),
])  # fmt: skip
def test_an_entry_that_was_copied_from_a_kexec_is_told(ready: FakeHost, words: str, warned: bool) -> None:
    ready.write("etc/fstab", "/dev/vda1 / ext4 defaults 0 1\n")
    ready.write(
        "boot/grub/grub.cfg", "menuentry copy {\nlinux /boot/vmlinuz-6.1.0-test root=/dev/vda1 " + words + "\n}\n"
    )
    found = status.gather_status(gather(ready.root), Settings(), ["another"])
    assert found.warnings[0] == "another"
    assert any('entry "copy" has words of kexec-initd' in text for text in found.warnings) == warned
