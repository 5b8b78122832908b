"""Settings are parsed, never sourced, and whatever is in the file leaves settings that are safe to reboot with."""

import os
import stat
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexec_initd.host import Family
from kexec_initd.settings import Settings, parse, path_for, read


def test_nothing_set_means_the_defaults() -> None:
    assert parse("") == (Settings(True, True, False, 3, 30, 1800, (), "", "", 0, 0, 0, 0, False, False, 60, None), [])
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
        ("GUARD_BOOTS=1", Settings(guard_boots=1)),
        ('GUARD_BOOTS="999"', Settings(guard_boots=999)),
        ("PANIC=5", Settings(panic=5)),
        ("SHUTDOWN_LIMIT=40", Settings(shutdown_limit=40)),
        ("SHUTDOWN_LIMIT=no", Settings(shutdown_limit=0)),
        ('REMOVE_MODULES=" nvidia-drm  nvidia"', Settings(remove_modules=("nvidia-drm", "nvidia"))),
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
        ("CHECK_ROUTE=yes", Settings(check_route=True)),
        ("CHECK_SECONDS=5", Settings(check_seconds=5)),
    ],
)
def test_what_is_understood(text: str, settings: Settings) -> None:
    assert parse(text) == (settings, [])


@pytest.mark.parametrize("key, none", [("GUARD_BOOTS", "0"), ("PANIC", ""), ("WATCHDOG", "29")])
@pytest.mark.parametrize("value", ["", "03", "-1", "1000", "yes", "1.5", "3;"])
def test_a_number_that_is_none_leaves_the_default(key: str, none: str, value: str) -> None:
    settings, warnings = parse("{}={}".format(key, value or none))
    assert settings == Settings()
    assert len(warnings) == 1


@pytest.mark.parametrize(
    "line",
    [
        "exit 0",
        "set -e",
        "reboot() { :; }",
        "PRELOAD = no",
        'PRELOAD="no',
        "PRELOAD=$(touch /canary)",
        'PRELOAD="`id`"',
        "PRELOAD=no; reboot",
        "PRELOAD=n'o'",
        "PRELOAD=maybe",
        "PRELOAD=",
        "COLOUR=red",
        "SHUTDOWN_LIMIT=9",
        "REMOVE_MODULES='a; reboot'",
        "REMOVE_MODULES=-f",
        "\udcff",
    ],
)
def test_what_is_not_understood_changes_nothing_and_is_named_with_its_line(line: str) -> None:
    settings, warnings = parse("# a comment\n" + line + "\nPURGATORY_CHECKS=yes\n")
    assert settings == Settings(purgatory_checks=True)
    assert len(warnings) == 1 and warnings[0].startswith("line 2: ")


@pytest.mark.parametrize("line", ["KEXEC=maybe", "KEXEC=", 'KEXEC="no', "export KEXEC=$X", "KEXEC=no#"])
def test_in_doubt_no_kexec(line: str) -> None:
    settings, warnings = parse(line)
    assert settings == Settings(kexec=False)
    assert len(warnings) == 1 and "taken as no" in warnings[0]


@pytest.mark.parametrize("key", ["TRIAL", "MAX_KEXECS", "MAX_DAYS"])
@pytest.mark.parametrize("value", ["", "03", "-1", "10000", "yes", "$X", '"1', "3;"])
def test_a_limit_that_is_not_understood_means_no_kexec(key: str, value: str) -> None:
    settings, warnings = parse("{0}={1}\nKEXEC=yes\n".format(key, value))
    assert (settings.ignored or "").startswith("settings: {}".format(key))
    assert settings == Settings(ignored=settings.ignored)
    assert len(warnings) == 1 and warnings[0].endswith(": reboots go through firmware")


@given(st.text() | st.text("KEXEC=\"'no \n#$\\"))
def test_any_text_gives_settings(text: str) -> None:
    settings, warnings = parse(text)
    assert all(isinstance(value, bool) for value in settings[:3]) and settings.ignored is None
    assert len(warnings) <= text.count("\n") + 1


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
    assert read(tmp_path, Family.DEBIAN) == (Settings(), [])


def test_the_file_is_read_and_warnings_name_it(tmp_path: Path, settings_file: Path) -> None:
    settings, warnings = read(tmp_path, Family.DEBIAN)
    assert settings == Settings(kexec=False)
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
    assert read(tmp_path, Family.DEBIAN) == (Settings(kexec=False), [])


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
    assert settings == Settings(ignored=warnings[0])
    assert len(warnings) == 1 and warnings[0].startswith("settings ignored: ")
