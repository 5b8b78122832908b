"""What only a boot through firmware does: a firmware update of fwupd, a system that is updated as a whole and on trial."""

import os
import sqlite3
import struct
import sys
import zlib
from pathlib import Path
from typing import Dict, Optional

import pytest

from kexec_initd import cli
from kexec_initd.bootloader import ab_slots, fwupd
from kexec_initd.bootloader.target import find_target
from kexec_initd.decision import selection
from kexec_initd.errors import Refused
from kexec_initd.history import attempts
from kexec_initd.history.guard import Record
from kexec_initd.kexec import program, stamp
from kexec_initd.kexec.method import find_appraising
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.system.host import gather
from kexec_initd.system.sysroot import Tree
from tests.bootloader.hosts import unpack
from tests.unit.fake_host import FakeHost, with_kernel
from tests.unit.test_loading import GLOBAL, VARIABLES, grub

HISTORY = "var/lib/fwupd/pending.db"
FIRMWARE = 1_700_000_000  # when the last firmware boot began
DAY = 86400
UNKNOWN, PENDING, SUCCESS, FAILED, NEEDS_REBOOT, FAILED_TRANSIENT = range(6)


@pytest.fixture
def ready(fake: FakeHost) -> FakeHost:
    (fake.root / "var/lib/kexec-initd").mkdir(parents=True)
    grub(with_kernel(fake), "6.1.0-test")
    return fake


def history(root: Path, *states: int, name: str = "System Firmware") -> Path:
    """Write fwupd's record with devices of these states, as changed a week after the last firmware boot."""
    path = root / HISTORY
    path.parent.mkdir(parents=True, exist_ok=True)
    base = sqlite3.connect(str(path))
    base.execute("CREATE TABLE history (device_id TEXT, update_state INTEGER DEFAULT 0, display_name TEXT)")
    base.executemany("INSERT INTO history VALUES (?, ?, ?)", [(str(n), state, name) for n, state in enumerate(states)])
    base.commit()
    base.close()
    os.utime(str(path), (FIRMWARE + 7 * DAY, FIRMWARE + 7 * DAY))
    return path


@pytest.mark.parametrize("states, waits", [
    ((), False),
    ((UNKNOWN, SUCCESS, FAILED, FAILED_TRANSIENT), False),
    ((SUCCESS, NEEDS_REBOOT), True),
    ((PENDING,), True),
])  # fmt: skip
def test_fwupd_waits_for_a_reboot_by_the_state_of_a_device(tmp_path: Path, states: "tuple[int]", waits: bool) -> None:
    before = sorted(os.listdir(str(history(tmp_path, *states).parent)))
    found = fwupd.find_pending(Tree(tmp_path), FIRMWARE)
    assert found == ("a firmware update of fwupd waits for a reboot: System Firmware" if waits else None)
    assert sorted(os.listdir(str(tmp_path / "var/lib/fwupd"))) == before, "reading leaves nothing there"


def test_what_was_asked_for_before_the_last_boot_through_firmware_is_done(tmp_path: Path) -> None:
    path = history(tmp_path, NEEDS_REBOOT)
    os.utime(str(path), (FIRMWARE - 2 * DAY, FIRMWARE - 2 * DAY))
    assert fwupd.find_pending(Tree(tmp_path), FIRMWARE) is None
    assert fwupd.find_pending(Tree(tmp_path), 0) is not None, "nobody knows when that was"
    os.utime(str(path), (FIRMWARE - DAY // 2, FIRMWARE - DAY // 2))
    assert fwupd.find_pending(Tree(tmp_path), FIRMWARE) is not None, "a clock may have been wrong by hours"


def cut(path: Path) -> None:
    os.truncate(str(path), 5000)


def flipped(path: Path) -> None:
    path.write_bytes(bytes(byte ^ 0x55 for byte in path.read_bytes()))


def text(path: Path) -> None:
    path.write_text("nothing of SQLite\n" * 100)


def another_table(path: Path) -> None:
    path.unlink()
    sqlite3.connect(str(path)).execute("CREATE TABLE other (a)").connection.commit()


def with_journal(path: Path) -> None:
    path.with_name("pending.db-journal").write_text("x")


def huge(path: Path) -> None:
    os.truncate(str(path), fwupd.LIMIT + 1)


def endless(path: Path) -> None:
    """A view in place of the table, which would count to the end of time."""
    base = sqlite3.connect(str(path))
    base.execute("DROP TABLE history")
    base.execute(
        "CREATE VIEW history AS WITH RECURSIVE n(update_state) AS (SELECT 7 UNION ALL SELECT update_state + 1 - 1 FROM n)"
        " SELECT update_state, '' AS display_name FROM n"
    )
    base.commit()
    base.close()


@pytest.mark.parametrize("harm", [cut, flipped, text, another_table, with_journal, huge, endless])
def test_a_record_that_cannot_be_read_may_ask_for_something(tmp_path: Path, harm: "object") -> None:
    path = history(tmp_path, SUCCESS)
    harm(path)  # type: ignore[operator]  # one of the functions above
    assert (fwupd.find_pending(Tree(tmp_path), FIRMWARE) or "").startswith("an update of fwupd may wait: ")
    for name in os.listdir(str(path.parent)):
        os.utime(str(path.parent / name), (FIRMWARE - 2 * DAY, FIRMWARE - 2 * DAY))
    assert fwupd.find_pending(Tree(tmp_path), FIRMWARE) is None, "whatever it was is done"


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(str(path))


def as_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def emptied(path: Path) -> None:
    path.write_text("")


@pytest.mark.parametrize("harm", [as_pipe, as_directory, emptied])
def test_what_is_no_record_of_fwupd_asks_for_nothing(tmp_path: Path, harm: "object") -> None:
    harm(history(tmp_path, PENDING))  # type: ignore[operator]  # one of the functions above
    assert fwupd.find_pending(Tree(tmp_path), FIRMWARE) is None


def test_a_python_without_sqlite_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history(tmp_path, SUCCESS)
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    assert "this Python cannot read /var/lib/fwupd/pending.db" in (fwupd.find_pending(Tree(tmp_path), FIRMWARE) or "")


def test_an_update_of_fwupd_after_the_preload_means_cold(ready: FakeHost) -> None:
    shutdown.preload(gather(ready.root), Settings())
    assert "- /" + HISTORY in (ready.root / "run/kexec-initd/stamp").read_text().splitlines()
    path = history(ready.root, NEEDS_REBOOT, name="Evil\nname\x1b[31m" + "x" * 100)
    os.utime(str(path))
    decided = shutdown.prepare(gather(ready.root), Settings())
    assert (decided.kexec, decided.code) == (False, "firmware")
    said = (ready.root / "run/kexec-initd/decision").read_text()
    assert said.startswith("cold a firmware update of fwupd waits") and said.count("\n") == 1 and len(said) < 150


def test_the_record_of_attempts_tells_when_the_last_boot_through_firmware_was(ready: FakeHost) -> None:
    boot_id = (ready.root / "proc/sys/kernel/random/boot_id").read_text().strip()
    ready.write("proc/cmdline", "kexec_initd.attempt=aaaa root=/dev/vda1\n")
    attempts._write(ready.root, attempts.format_record(Record(boot_id, 1, 1, FIRMWARE)))
    path = history(ready.root, NEEDS_REBOOT)
    assert shutdown.prepare(gather(ready.root), Settings()).code == "firmware"
    os.utime(str(path), (FIRMWARE - 2 * DAY, FIRMWARE - 2 * DAY))
    assert shutdown.prepare(gather(ready.root), Settings()).kexec


def grubenv(variables: Dict[str, str]) -> bytes:
    lines = "".join("{}={}\n".format(*pair) for pair in variables.items())
    return ("# GRUB Environment Block\n" + lines).encode().ljust(1024, b"#")


def u_boot(variables: Dict[str, str], flags: bytes = b"") -> bytes:
    lines = b"\0".join("{}={}".format(*pair).encode() for pair in variables.items())
    data = (lines + b"\0\0").ljust(8192, b"\xff")
    return struct.pack("<I", zlib.crc32(data) & 0xFFFFFFFF) + flags + data


RAUC = {"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "1", "B_TRY": "0"}
LEFT = {"BOOT_ORDER": "A B", "BOOT_A_LEFT": "3", "BOOT_B_LEFT": "3"}

TRIALS = [
    ({}, None, None),
    ({"next_entry": "", "saved_entry": "0"}, None, None),
    ({"upgrade_available": "0", "bootcount": "3", "mender_boot_part": "2"}, None, None),
    ({"upgrade_available": "1", "bootcount": "0", "mender_boot_part": "3"}, None, "on trial (upgrade_available=1)"),
    ({"ustate": "0"}, None, None),
    ({"ustate": "3"}, None, None),
    ({"ustate": "1"}, None, "on trial (ustate=1)"),
    ({"ustate": "2"}, None, "on trial (ustate=2)"),
    ({"recovery_status": "in_progress"}, None, "not complete (recovery_status=in_progress)"),
    ({"recovery_status": ""}, None, None),
    (RAUC, None, None),
    (RAUC, "A", None),
    (RAUC, "rootfs.0", None),
    (RAUC, "B", "another slot of RAUC than the running B (ORDER=A B)"),
    ({**RAUC, "ORDER": "B A"}, "A", "another slot of RAUC than the running A (ORDER=B A)"),
    ({**RAUC, "A_TRY": "1"}, "A", "slot A of RAUC is on trial (A_TRY=1)"),
    ({**RAUC, "B_TRY": "1"}, None, "slot B of RAUC is on trial (B_TRY=1)"),
    ({**RAUC, "ORDER": "B A", "B_TRY": "1"}, "A", None),
    ({**RAUC, "ORDER": "B A", "B_OK": "0"}, "A", None),
    ({**RAUC, "A_OK": "0"}, "A", "another slot of RAUC than the running A (ORDER=A B)"),
    (LEFT, None, None),
    (LEFT, "A", None),
    (LEFT, "B", "another slot of RAUC than the running B (BOOT_ORDER=A B)"),
    ({**LEFT, "BOOT_A_LEFT": "2"}, "A", "slot A of RAUC is on trial (BOOT_A_LEFT=2)"),
    ({**LEFT, "BOOT_B_LEFT": "0"}, "A", None),
    ({**LEFT, "BOOT_B_LEFT": "0"}, None, "slot B of RAUC is on trial (BOOT_B_LEFT=0)"),
    ({**LEFT, "BOOT_A_LEFT": "x"}, "A", "slot A of RAUC is on trial (BOOT_A_LEFT=0)"),
]


@pytest.mark.parametrize("variables, slot, reason", TRIALS)
@pytest.mark.parametrize("place", ["boot/grub/grubenv", "boot/uboot.env", "flags"])
def test_what_a_boot_loader_counts(
    tmp_path: Path, place: str, variables: Dict[str, str], slot: Optional[str], reason: Optional[str]
) -> None:
    data = grubenv(variables) if "grub" in place else u_boot(variables, b"\1" if place == "flags" else b"")
    path = tmp_path / (place if place != "flags" else "boot/firmware/uboot.env")
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cmdline").write_text("root=/dev/sda2 {}\n".format("rauc.slot=" + slot if slot else ""))
    found = ab_slots.find_trial(Tree(tmp_path))
    assert found is None if reason is None else reason in (found or "")


def test_where_the_environments_are_is_read_from_their_configuration(tmp_path: Path) -> None:
    for path, data in {
        "etc/rauc/system.conf": b"[system]\nbootloader=grub\ngrubenv=/grubenv/mine\nboot-attempts=2\n",
        "grubenv/mine": grubenv(RAUC),
        "etc/fw_env.config": b"# two\n/data/env 0x100 0x2000\n/dev/nowhere 0x0 0x1000\n",
        "data/env": bytes(256) + u_boot({**LEFT, "BOOT_A_LEFT": "2", "BOOT_B_LEFT": "2"})[:0x2000],
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    assert ab_slots.find_trial(Tree(tmp_path)) is None
    (tmp_path / "grubenv/mine").write_bytes(grubenv({**RAUC, "A_TRY": "1"}))
    assert "A_TRY=1" in (ab_slots.find_trial(Tree(tmp_path)) or "")


def test_a_damaged_environment_counts_for_nothing_with_its_loader(tmp_path: Path) -> None:
    (tmp_path / "boot/grub").mkdir(parents=True)
    (tmp_path / "boot/grub/grubenv").write_bytes(b"?" + grubenv({"upgrade_available": "1"})[1:])
    data = bytearray(u_boot({"upgrade_available": "1"}))
    data[9] ^= 1
    (tmp_path / "boot/uboot.env").write_bytes(bytes(data))
    assert ab_slots.find_trial(Tree(tmp_path)) is None


def test_an_update_on_trial_after_the_preload_means_cold(ready: FakeHost) -> None:
    shutdown.preload(gather(ready.root), Settings())
    (ready.root / "boot/grub/grubenv").write_bytes(grubenv({"upgrade_available": "1"}))
    decided = shutdown.prepare(gather(ready.root), Settings())
    assert (decided.kexec, decided.code) == (False, "update")
    assert not program.is_loaded(ready.root)


@pytest.mark.parametrize("name", ["0", "/boot/vmlinuz-6.1.0-test"])
def test_what_the_admin_names_waits_for_the_firmware_too(
    ready: FakeHost, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host = gather(ready.root)
    path = "/" + name.lstrip("/") if "/" in name else name
    assert isinstance(selection.find_named(host, Settings(), path, file=True), selection.Selected)
    ready.write(VARIABLES + "BootNext" + GLOBAL, "\x07\0\0\0\x03\0")
    wish = selection.find_named(host, Settings(), path, file=True)
    assert isinstance(wish, selection.NoTarget) and "BootNext" in wish.problem
    monkeypatch.setattr(cli, "gather", lambda root: host)
    assert cli.main(["load", "--dry-run", path]) == cli.REFUSED
    assert "BootNext" in capsys.readouterr().err
    from kexec_initd.stages import reboot_into

    if "/" not in name:
        monkeypatch.setattr(reboot_into, "is_installed", lambda root: True)
        with pytest.raises(Refused, match="BootNext"):
            reboot_into.plan(host, Settings(), name)


def test_what_the_admin_has_named_goes_cold_when_the_firmware_is_asked_afterwards(ready: FakeHost) -> None:
    from kexec_initd.kexec import load

    host = gather(ready.root)
    wish = selection.find_named(host, Settings(), "0")
    assert isinstance(wish, selection.Selected)
    load.load_entry(host, Settings(), wish.entry, wish.chosen, (*wish.config, stamp.UNSEEN))
    assert shutdown.prepare(gather(ready.root), Settings()).kexec
    ready.write(VARIABLES + "BootNext" + GLOBAL, "\x07\0\0\0\x03\0")
    assert shutdown.prepare(gather(ready.root), Settings()).code == "firmware"


def test_words_that_smbios_adds_to_a_command_line_mean_cold(tmp_path: Path) -> None:
    root = unpack("sdboot-arch", tmp_path / "root")
    raw = root / "sys/firmware/dmi/entries/11-0/raw"
    raw.parent.mkdir(parents=True)
    for words, problem in ((b"vendor=x", False), (b"io.systemd.boot.kernel-cmdline-extra=debug", True)):
        raw.write_bytes(b"\x0b\5\0\0\1" + words + b"\0\0")
        assert ("kernel-cmdline-extra in SMBIOS" in (find_target(Tree(root)).problem or "")) is problem


RULE = "appraise func=KEXEC_KERNEL_CHECK appraise_type=imasig|modsig"


@pytest.mark.parametrize("policy, words, why", [
    ("", "", None),
    ("measure func=KEXEC_KERNEL_CHECK\nmeasure func=KEXEC_CMDLINE pcr=11\n", "", None),
    ("dont_appraise fsmagic=0x9fa0\n" + RULE + "\n", "", RULE),
    ("appraise func=KEXEC_INITRAMFS_CHECK appraise_type=imasig\n", "", "KEXEC_INITRAMFS_CHECK"),
    ("appraise func=MODULE_CHECK appraise_type=imasig\n", "", None),
    ("", "ro ima_policy=secure_boot quiet", "ima_policy=secure_boot"),
    ("", 'ima_policy="tcb|appraise_tcb"', "ima_policy=tcb|appraise_tcb"),
    ("", "ima_policy=tcb", None),
    ("", "ima_policy=secure_boot ima_appraise=log", None),
    ("", "ima_policy=secure_boot ima_appraise=enforce", "ima_policy=secure_boot"),
])  # fmt: skip
def test_what_ima_verifies(policy: str, words: str, why: Optional[str]) -> None:
    found = find_appraising(policy, words)
    assert found == (None if why is None else found) and (why or "") in (found or "")


def test_a_policy_of_ima_leaves_the_file_load_alone(fake: FakeHost) -> None:
    assert program.read_rules(fake.root).verified is None
    fake.write("sys/kernel/security/ima/policy", RULE + "\n")
    assert program.read_rules(fake.root).verified == "IMA appraises what is loaded ({})".format(RULE)
    program.load(fake.root, program.Image(3, None, "a b", False))
    assert [call[2] for call in fake.calls() if call[1] == "-l"] == ["-s"]
