"""Settings are parsed, never sourced, and whatever is in the file leaves settings that are safe to reboot with."""

import os
import re
import stat
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexec_initd.settings.reader import Settings, parse, path_for, read
from kexec_initd.settings.values import SETTINGS, find_meant
from kexec_initd.system.files import identity
from kexec_initd.system.host import Family
from tests.unit.settings_lines import LINE, NOT_UNDERSTOOD, UNDERSTOOD


def test_nothing_set_means_the_defaults() -> None:
    assert parse("") == (
        Settings(True, True, False, 3, 30, 1800, (), "", "", 0, 0, 0, 0, False, False, 60, "no", "no", None, None),
        [],
    )
    assert parse("# KEXEC=no\n\n  \t\n")[0] == Settings()


@pytest.mark.parametrize(
    "text, settings",
    [
        ("KEXEC=no", Settings(kexec=False)),
        ("KEXEC='no'", Settings(kexec=False)),
        ('export KEXEC="no" # not today', Settings(kexec=False)),
        ("  KEXEC=NO\r\n", Settings(kexec=False)),
        ("KEXEC=no\nKEXEC=yes", Settings()),
        ("PRELOAD=no", Settings(preload=False)),
        ("PURGATORY_CHECKS=yes", Settings(purgatory_checks=True)),
        *(("UNPACK_INITRD=" + word, Settings(unpack_initrd="yes")) for word in ("yes", "On", "1")),
        *(("UNPACK_INITRD=" + word, Settings(unpack_initrd="auto")) for word in ("auto", "'AUTO'")),
        ("UNPACK_INITRD=yes\nUNPACK_INITRD=off", Settings(unpack_initrd="no")),
        ("GUARD_BOOTS=1", Settings(guard_boots=1)),
        ('GUARD_BOOTS="999"', Settings(guard_boots=999)),
        ("PANIC=5", Settings(panic=5)),
        ("SHUTDOWN_LIMIT=40", Settings(shutdown_limit=40)),
        ("SHUTDOWN_LIMIT=no", Settings(shutdown_limit=0)),
        (
            'REMOVE_MODULES="nvidia_drm nvidia_modeset nvidia_uvm nvidia"',
            Settings(remove_modules=("nvidia_drm", "nvidia_modeset", "nvidia_uvm", "nvidia")),
        ),
        ('REMOVE_MODULES=" nvidia-drm  nvidia"', Settings(remove_modules=("nvidia-drm", "nvidia"))),
        ("REMOVE_MODULES='mine  Auto'", Settings(remove_modules=("mine", "auto"))),
        ("REMOVE_MODULES=''", Settings()),
        ("REMOVE_MODULES=No", Settings()),
        ("PANIC=no", Settings(panic=0)),
        ("PANIC=0", Settings(panic=0)),
        ("PANIC=1", Settings(panic=1)),
        ("WATCHDOG=30", Settings(watchdog=30)),
        ("WATCHDOG=no", Settings()),
        ("MAX_KEXECS=9999", Settings(max_kexecs=9999)),
        ("MAX_DAYS=30", Settings(max_days=30)),
        ("TRIAL=3", Settings(trial=3)),
        ("TRIAL=3\nTRIAL=0", Settings()),
        ("FORCE_PLATFORM=yes", Settings(force_platform=True)),
        *(("PANIC_KERNEL=" + word, Settings(panic_kernel="yes")) for word in ("yes", "On", "1")),
        ("PANIC_KERNEL=yes\nPANIC_KERNEL='1>2 old'", Settings(panic_kernel="1>2 old")),
        ("CHECK_ROUTE=yes", Settings(check_route=True)),
        ("CHECK_SECONDS=5", Settings(check_seconds=5)),
    ],
)
def test_what_is_understood(text: str, settings: Settings) -> None:
    assert parse(text) == (settings, [])


@pytest.mark.parametrize("text", UNDERSTOOD, ids=lambda text: repr(text[:40]))
def test_what_a_shell_would_read_alike_is_understood(text: str) -> None:
    assert parse(text)[0].ignored is None


@pytest.mark.parametrize("text", NOT_UNDERSTOOD, ids=lambda text: repr(text[:40]))
def test_a_line_that_is_not_understood_means_no_kexec_with_its_number(text: str) -> None:
    """It may have said anything: KEXEC=no, or which modules to remove."""
    settings, warnings = parse("# a comment\nPURGATORY_CHECKS=yes\n" + text + "\nGUARD_BOOTS=2\n")
    found = re.match(r"settings, line (\d+): ", settings.ignored or "")
    assert found is not None and 3 <= int(found.group(1)) <= 3 + text.count("\n")
    assert "line {}: ".format(found.group(1)) in warnings[0] and warnings[0].endswith(": reboots go through firmware")
    assert (settings.purgatory_checks, settings.guard_boots) == (True, 2)


@pytest.mark.parametrize(
    "text, reason",
    [
        (
            "REMOVE_MODULES=nvidia_drm nvidia",
            "settings, line 1: 'REMOVE_MODULES=nvidia_drm nvidia' is not understood; ",
        ),
        ("#\nWATCHDOG=60s", "settings, line 2: WATCHDOG='60s' is neither no nor a number from 30 to 999; "),
        ("X=1\nkexec=no\nA B", "settings, line 2: the setting kexec is unknown, it may mean KEXEC; "),
    ],
)
def test_the_first_line_that_is_not_understood_is_told(text: str, reason: str) -> None:
    assert (parse(text)[0].ignored or "").startswith(reason)


def test_the_later_of_two_lines_counts_but_a_doubt_stays() -> None:
    assert parse("KEXEC=no\nKEXEC=yes\n") == (Settings(), [])
    assert parse("KEXEC=maybe\nKEXEC=yes\n")[0].ignored is not None


@pytest.mark.parametrize("key", ["COLOUR", "X", "FOO", "NIC", "LOAD_KEXEC", "PATH"])
def test_a_key_that_is_none_of_ours_is_only_warned_of(key: str) -> None:
    assert parse(key + "=no") == (Settings(), ["line 1: the setting {} is unknown".format(key)])


def test_what_other_keys_may_mean() -> None:
    for name in SETTINGS:
        others = (
            name.lower(),
            name[1:],
            name[:-2],
            name + "ZZ",
            "Z" + name,
            name[1] + name[0] + name[2:],
            "X" + name[1:],
        )
        assert {find_meant(other) for other in others} == {name}
    assert [find_meant(key) for key in ("KEX", "EXE", "", "KEXECXYZ", "K" * 100000)] == [
        "KEXEC",
        None,
        None,
        None,
        None,
    ]


@given(st.text() | st.text("KEXEC=\"'no \n#$\\") | LINE)
def test_any_text_gives_settings(text: str) -> None:
    settings, warnings = parse(text)
    assert all(isinstance(value, bool) for value in settings[:3])
    assert len(warnings) <= text.count("\n") + 1
    assert settings.ignored is None or warnings


@pytest.mark.parametrize(
    "family, path", [(Family.DEBIAN, "etc/default"), (Family.RHEL, "etc/sysconfig"), (Family.UNKNOWN, "etc/default")]
)
def test_each_family_has_its_place(tmp_path: Path, family: Family, path: str) -> None:
    assert path_for(tmp_path, family) == tmp_path / path / "kexec-initd"


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    path = path_for(tmp_path, Family.DEBIAN)
    path.parent.mkdir(parents=True)
    path.write_text("KEXEC=no\nX=1\n")
    path.chmod(0o644)
    return path


def test_no_file_is_no_warning(tmp_path: Path) -> None:
    assert read(tmp_path, Family.DEBIAN) == (Settings(seen="-"), [])


def test_the_file_with_a_line_that_is_not_understood_is_named(tmp_path: Path, settings_file: Path) -> None:
    settings_file.write_bytes(b"\xef\xbb\xbfKEXEC=no\n")
    assert (read(tmp_path, Family.DEBIAN)[0].ignored or "").startswith("{}, line 1: ".format(settings_file))


def test_the_file_is_read_and_warnings_name_it(tmp_path: Path, settings_file: Path) -> None:
    settings, warnings = read(tmp_path, Family.DEBIAN)
    assert settings == Settings(kexec=False, seen=identity(settings_file))
    assert warnings == ["{}: line 2: the setting X is unknown".format(settings_file)]


@pytest.mark.parametrize("mode", [stat.S_IWGRP, stat.S_IWOTH])
def test_a_file_that_others_can_write_is_ignored(tmp_path: Path, settings_file: Path, mode: int) -> None:
    settings_file.chmod(0o644 | mode)
    _is_ignored(tmp_path)


@pytest.mark.parametrize("content", [b"KEXEC=no\0", b"KEXEC=no\n" + b"#" * 65536])
def test_a_file_that_cannot_be_settings_is_ignored(tmp_path: Path, settings_file: Path, content: bytes) -> None:
    settings_file.write_bytes(content)
    _is_ignored(tmp_path)


def test_the_largest_file_is_read(tmp_path: Path, settings_file: Path) -> None:
    settings_file.write_bytes(b"KEXEC=no\n" + b"#" * (65536 - 9))
    assert read(tmp_path, Family.DEBIAN) == (Settings(kexec=False, seen=identity(settings_file)), [])


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("nowhere", path)])
def test_what_is_no_file_is_ignored(tmp_path: Path, settings_file: Path, make: Callable[[str], None]) -> None:
    settings_file.unlink()
    make(str(settings_file))
    _is_ignored(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_ignored(tmp_path: Path, settings_file: Path) -> None:
    os.chown(str(settings_file), 12345, 0)
    _is_ignored(tmp_path)


def _is_ignored(root: Path) -> None:
    settings, warnings = read(root, Family.DEBIAN)
    assert settings == Settings(ignored=warnings[0], seen=identity(path_for(root, Family.DEBIAN)))
    assert len(warnings) == 1 and warnings[0].startswith("settings ignored: ")
