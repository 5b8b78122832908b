"""What only a boot through firmware does, without Python: the shell sees the same, or goes cold where it cannot read."""

import os
import struct
from pathlib import Path
from typing import Dict

import pytest

from kexec_initd import sentences
from kexec_initd.bootloader import firmware, fwupd
from kexec_initd.history.attempts import format_record
from kexec_initd.history.guard import Record
from kexec_initd.settings import values
from tests.scripts.standalone import ALONE, CMDLINE, RELEASE, UUID, StandaloneJail
from tests.scripts.test_standalone_load import COLD, RECORD, SETTINGS
from tests.unit.test_pending import LEFT, RAUC, grubenv, u_boot

FIRMWARE = 1_700_000_000
DAY = 86400
FWUPD = "sys/firmware/efi/efivars/fwupd-1234-0" + firmware.FWUPD
INDICATIONS = firmware.INDICATIONS[1:]
HISTORY = fwupd.HISTORY[1:]


@pytest.fixture(params=ALONE)
def jail(request: pytest.FixtureRequest, tmp_path: Path) -> StandaloneJail:
    found = StandaloneJail(tmp_path / "jail", request.param)
    found.put(RECORD, format_record(Record(boot=UUID, firmware=FIRMWARE)), 0o600)
    return found


def indications(value: int) -> bytes:
    return struct.pack("<IQ", 7, value)


def staged(status: int) -> bytes:
    return bytes(52) + struct.pack("<I", status)


ASKED = [
    (firmware.BOOT_NEXT[1:], b"\7\0\0\0\3\0", "a wish for one boot only (BootNext)"),
    (INDICATIONS, indications(1), "asked for its setup (OsIndications)"),
    (INDICATIONS, indications(0x80), "asked for a recovery of its platform (OsIndications)"),
    (FWUPD, staged(1), "fwupd waits for the next boot (fwupd-1234-0)"),
    (FWUPD, b"\7\0\0\0", "fwupd waits for the next boot (fwupd-1234-0)"),
    ("sys/firmware/efi/efivars/MokAuth" + firmware.SHIM, b"\7\0\0\0", "a request of mokutil waits"),
    ("efi/EFI/UpdateCapsule/x.cap", b"x", "a firmware update waits in /efi/EFI/UpdateCapsule"),
    (HISTORY, b"x", "an update of fwupd may wait"),
    (HISTORY + "-wal", b"x", ""),
    ("boot/grub/grubenv", grubenv({"upgrade_available": "1"}), "on trial (upgrade_available=1)"),
    ("boot/grub2/grubenv", grubenv({"a": "b", "ustate": "2"}), "on trial (ustate=2)"),
    ("boot/uboot.env", u_boot({"upgrade_available": "1"}), "on trial (upgrade_available=1)"),
    ("boot/firmware/uboot.env", u_boot({"recovery_status": "in_progress"}, b"\1"), "(recovery_status=in_progress)"),
    ("boot/grub/grubenv", grubenv({**RAUC, "B_TRY": "1"}), "on trial (B_TRY=1)"),
    ("boot/grub/grubenv", grubenv({**RAUC, "ORDER": "B A"}), "another slot of RAUC"),
    ("boot/uboot.env", u_boot({**LEFT, "BOOT_A_LEFT": "2"}), "on trial (BOOT_A_LEFT=2)"),
    ("boot/uboot.env", u_boot({**LEFT, "BOOT_ORDER": "B A"}), "another slot of RAUC"),
]


@pytest.mark.parametrize("path, data, reason", ASKED)
def test_what_is_asked_for_after_the_load_means_cold(jail: StandaloneJail, path: str, data: bytes, reason: str) -> None:
    jail.write("proc/cmdline", CMDLINE + " rauc.slot=A\n")
    silent = path in (INDICATIONS, FWUPD)
    if silent:
        jail.put(path, indications(0) if path == INDICATIONS else staged(2))
    assert jail.run("kexec-initd", "load", runlevel="2").said.startswith("kexec-initd: loaded kernel")
    jail.put(path, data)
    said = jail.run("kexec-initd", "stop").said
    if not reason:
        assert (said, jail.decision) == ("", "kexec\n"), "there is no table that the journal belongs to"
        return
    assert said.startswith(COLD) and reason in said and said.count("\n") == 1
    last = (jail.root / "var/lib/kexec-initd/last-cold").read_text()
    assert last.split()[0] == ("update" if path.startswith("boot/") else "firmware")
    assert (jail.root / "sys/kernel/kexec_loaded").read_text() == "0\n"


QUIET: "Dict[str, bytes]" = {
    INDICATIONS: indications(0x100),
    FWUPD: staged(2),
    "boot/grub/grubenv": grubenv({**RAUC, "upgrade_available": "0", "ustate": "0", "recovery_status": ""}),
    "boot/uboot.env": u_boot({**LEFT, "upgrade_available": "0", "bootcount": "1"}),
    "etc/rauc/system.conf": b"grubenv=/grubenv/mine\n",
    "grubenv/mine": grubenv(RAUC),
}


def test_what_asks_for_nothing_is_passed_over(jail: StandaloneJail) -> None:
    jail.write("proc/cmdline", CMDLINE + " rauc.slot=A\n")
    for path, data in QUIET.items():
        jail.put(path, data)
    history = jail.put(HISTORY, b"x")
    os.utime(str(history), (FIRMWARE - 2 * DAY, FIRMWARE - 2 * DAY))
    for _ in range(2):
        assert jail.run("kexec-initd", "stop").said == ""
        assert jail.decision == "kexec\n"
    jail.put("grubenv/mine", grubenv({**RAUC, "A_TRY": "1"}))
    assert "on trial (A_TRY=1)" in jail.run("kexec-initd", "stop").said


def test_without_a_boot_through_firmware_on_record_fwupd_is_in_doubt(jail: StandaloneJail) -> None:
    jail.put(RECORD, format_record(Record(boot=UUID)), 0o600)
    os.utime(str(jail.put(HISTORY, b"x")), (1, 1))
    assert "an update of fwupd may wait" in jail.run("kexec-initd", "stop").said


@pytest.mark.parametrize("line, reason", [
    ("WATCHDOG=60", "WATCHDOG is set, and only Python can set a watchdog"),
    ("UNPACK_INITRD=yes", "UNPACK_INITRD is set, and only Python can unpack an initrd"),
])  # fmt: skip
def test_what_no_shell_can_do_means_cold_where_it_is_set(jail: StandaloneJail, line: str, reason: str) -> None:
    jail.write(SETTINGS, line + "\n")
    assert jail.run("kexec-initd", "stop").said == "{}{}\n".format(COLD, reason)
    jail.write(SETTINGS, "{}\n{}=no\n".format(line, line.split("=")[0]))
    assert jail.run("kexec-initd", "stop").said == ""


# A word for each setting that plain shell supports, which is not its default.
SUPPORTED = {
    **dict.fromkeys(("PURGATORY_CHECKS", "FORCE_PLATFORM", "CHECK_ROUTE"), "yes"),
    **dict.fromkeys(("GUARD_BOOTS", "MAX_KEXECS", "CHECK_SECONDS", "PANIC"), "40"),
    **dict.fromkeys(("REMOVE_MODULES", "CMDLINE_APPEND", "CMDLINE_REMOVE"), "x"),
    "PRELOAD": "no",
    "SHUTDOWN_LIMIT": "900",
    "MAX_DAYS": "9999",
}


def test_what_no_reboot_depends_on_is_told_at_boot_and_no_reason_to_go_cold(jail: StandaloneJail) -> None:
    jail.write(SETTINGS, "PANIC_KERNEL=yes\n")
    told = "kexec-initd: PANIC_KERNEL is set, and only Python can load a kernel for a panic\n"
    assert (
        jail.run("kexec-initd", "load", runlevel="2").said == "kexec-initd: loaded kernel {}\n".format(RELEASE) + told
    )
    assert jail.run("kexec-initd", "stop").said == ""


def test_the_kernel_that_a_panic_has_started_loads_nothing_and_judges_nothing(jail: StandaloneJail) -> None:
    cmdline = jail.root / "proc/cmdline"
    cmdline.write_text("elfcorehdr=0x1 " + cmdline.read_text())
    record = format_record(Record(boot=UUID[::-1], firmware=FIRMWARE))
    jail.put(RECORD, record, 0o600)
    for call, begin in (
        ("load", "kexec-initd: nothing is loaded at boot, reboot goes through firmware: "),
        ("stop", COLD),
    ):
        assert jail.run("kexec-initd", call).said == "{}{}\n".format(begin, sentences.CAPTURE)
    assert (jail.root / RECORD).read_bytes() == record


def test_all_other_settings_are_supported(jail: StandaloneJail) -> None:
    cold = {"KEXEC", "TRIAL"}
    assert {*SUPPORTED, *cold} == {name for name, setting in values.SETTINGS.items() if not setting.python}
    lines = [
        "UNPACK_INITRD=Auto",
        *("{}={}".format(*pair) for pair in SUPPORTED.items()),
    ]  # it asks for what can be done
    jail.write(SETTINGS, "\n".join(lines) + "\n")
    assert jail.run("kexec-initd", "stop").said == ""


RULE = "appraise func=KEXEC_KERNEL_CHECK appraise_type=imasig\n"


@pytest.mark.parametrize("policy, words, files", [
    ("", "", False),
    ("measure func=KEXEC_KERNEL_CHECK\n", "", False),
    ("dont_appraise fsmagic=1\n" + RULE, "", True),
    ("", " ima_policy=secure_boot", True),
    ("", " ima_policy=tcb|appraise_tcb", True),
    ("", " ima_policy=secure_boot ima_appraise=fix", False),
    ("", " ima_policy=tcb", False),
])  # fmt: skip
def test_where_ima_verifies_there_is_the_file_load_alone(
    jail: StandaloneJail, policy: str, words: str, files: bool
) -> None:
    jail.write("sys/kernel/security/ima/policy", policy)
    jail.write("proc/cmdline", CMDLINE + words + "\n")
    jail.run("kexec-initd", "stop")
    (load,) = [call for call in jail.calls() if call.startswith("kexec -l")]
    assert load.split()[2] == ("-s" if files else "-c")
