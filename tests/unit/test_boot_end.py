"""Whether the preload of this boot was called, which `status` tells by the mark that it leaves."""

import os
import time
from pathlib import Path
from typing import Optional

import pytest

from kexec_initd.install.apply import execute
from kexec_initd.install.boot_end import find_missed_preload, was_preload_called
from kexec_initd.install.plan_install import plan_install
from kexec_initd.settings.reader import Settings
from kexec_initd.system.host import gather
from kexec_initd.verbs import status
from tests.trees import make_tree, put

BOOT = "3f0c9f2e-0000-4000-8000-000000000001"
MANIFEST = "var/lib/kexec-initd/manifest.json"


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    """Return a host that was installed a day ago and has booted an hour ago."""
    root = make_tree(tmp_path / "root")
    put(root / "proc/sys/kernel/random/boot_id", (BOOT + "\n").encode(), 0o444)
    put(root / "proc/uptime", b"3600.00 1.00\n", 0o444)
    put(root / "proc/cmdline", b"root=/dev/vda1\n", 0o444)
    execute(plan_install(gather(root)))
    installed_before(root, 86400)
    return root


def installed_before(root: Path, seconds: int) -> None:
    when = time.time() - seconds
    os.utime(str(root / MANIFEST), (when, when))


def missed(root: Path) -> Optional[str]:
    return find_missed_preload(gather(root))


def mark(root: Path, text: str) -> None:
    put(root / "run/kexec-initd/preloaded", text.encode(), 0o600)


def test_a_preload_of_this_boot_is_known_by_its_mark(root: Path) -> None:
    mark(root, BOOT + "\n")
    assert was_preload_called(gather(root))
    assert missed(root) is None
    assert status.gather_status(gather(root), Settings(), []).preload_called


@pytest.mark.once
@pytest.mark.parametrize("text", [None, "", BOOT[:-1] + "\n", "\xff\n"])
def test_without_it_status_says_that_nothing_has_called_it(root: Path, text: Optional[str]) -> None:
    if text is not None:
        mark(root, text)
    answer = status.gather_status(gather(root), Settings(), ["another"])
    assert not answer.preload_called
    assert answer.warnings[0] == "another"
    assert answer.warnings[1] == (
        "the preload was not called in this boot, so a reboot takes longer: "
        "nothing has run /etc/rc.local, or its block is gone (kexec-initd install --dry-run)"
    )


def test_what_keeps_the_file_from_being_run_is_named(root: Path) -> None:
    (root / "etc/rc.local").chmod(0o644)
    assert (missed(root) or "").endswith(": /etc/rc.local is not executable, so nothing runs it")
    (root / "etc/rc.local").write_text("#!/usr/bin/python3\n")
    (root / "etc/rc.local").chmod(0o755)
    assert (missed(root) or "").endswith(": /etc/rc.local is run by /usr/bin/python3, not by a shell")


def test_nothing_is_missed_by_a_boot_that_was_there_before_the_installation(root: Path) -> None:
    installed_before(root, 60)
    assert missed(root) is None


def test_nothing_is_missed_while_the_boot_may_still_be_under_way(root: Path) -> None:
    put(root / "proc/uptime", b"60.00 1.00\n", 0o444)
    assert missed(root) is None


def test_under_another_init_nothing_is_expected(root: Path) -> None:
    (root / "run/systemd/system").mkdir(parents=True)
    assert missed(root) is None
