"""`kexec-initd check`: each thing that is wrong has its line and the exit code 1, and the verdict is that of `status`."""

import json
import re
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import pytest

from kexec_initd.check import kernel_log, preconditions
from kexec_initd.check.installation import find_early_end
from kexec_initd.cli import main
from kexec_initd.codes import Code
from kexec_initd.decision.policy import list_preconditions
from kexec_initd.history import attempts
from kexec_initd.install.manifest import read_manifest, write_manifest
from tests.trees import REBOOT, make_tree, put
from tests.unit.fake_host import FakeHost
from tests.unit.loaded_host import make_loaded_host
from tests.unit.test_policy import GOOD

SETTINGS = "etc/default/kexec-initd"
HOOKS = "etc/kexec-initd/pre-jump.d"

pytestmark = pytest.mark.ends


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> FakeHost:
    """A host as it should be, with a kernel loaded."""
    return make_loaded_host(tmp_path / "root")


def check(host: FakeHost, capsys: "pytest.CaptureFixture[str]", *options: str) -> Tuple[int, str]:
    code = main(["check", *options, "--root", str(host.root)])
    return code, capsys.readouterr().out


def lose(host: FakeHost) -> None:
    """Let a kexec get under way that never arrives."""
    attempts.begin(host.root)
    host.boot("00000000-0000-4000-8000-000000000002")


def undivert(host: FakeHost) -> None:
    """Have dpkg forget the diversion, which a tree that is not running does not have."""
    found = read_manifest(host.root)
    assert found is not None
    entries = tuple(entry._replace(diverted=entry.path == "/etc/init.d/reboot") for entry in found.entries)
    write_manifest(host.root, found._replace(entries=entries))
    host.write("var/lib/dpkg/diversions", "")


def share_hooks(host: FakeHost) -> None:
    (host.root / HOOKS).mkdir(parents=True, exist_ok=True)
    (host.root / HOOKS).chmod(0o777)


def set_to(line: str) -> Callable[[FakeHost], object]:
    return lambda host: host.write(SETTINGS, "# ours\n" + line + "\n")


def end_early(host: FakeHost) -> None:
    path = host.root / "etc/rc.local"
    path.write_text(path.read_text().replace("# BEGIN kexec-initd", "exit 0\n# BEGIN kexec-initd"))


def remove(path: str) -> Callable[[FakeHost], object]:
    return lambda host: (host.root / path).unlink()


def log(line: str) -> Callable[[FakeHost], object]:
    return lambda host: host.write("dev/kmsg", "6,1,0,-;Linux version 6.1\n3,2,9,-;{}\n SUBSYSTEM=x\n".format(line))


BLOCKED = ("blocks kexec  {}", "cold")
WARNED = ("warning       {}", "kexec")
CASES: Dict[str, Tuple[Callable[[FakeHost], object], Tuple[str, str], str]] = {
    "copied back": (
        lambda host: put(host.root / "etc/init.d/reboot", REBOOT.encode()),
        BLOCKED,
        "installed: /etc/init.d/reboot is not our script; kexec-initd install puts it right",
    ),
    "K link gone": (remove("etc/rc6.d/K08reboot"), BLOCKED, "installed: /etc/rc6.d has no link to /etc/init.d/reboot"),
    "K01 gone": (
        remove("etc/rc6.d/K01kexec-initd"),
        BLOCKED,
        "installed: /etc/rc6.d has no link to /etc/init.d/kexec-i",
    ),
    "script gone": (remove("etc/init.d/kexec-initd"), BLOCKED, "installed: /etc/init.d/kexec-initd is gone"),
    "diversion gone": (
        undivert,
        BLOCKED,
        "installed: dpkg has no diversion of /etc/init.d/reboot any more",
    ),
    "kexec-tools' script copied back": (
        lambda host: put(host.root / "etc/init.d/kexec", b"#!/bin/sh\nkexec -e\n"),
        BLOCKED,
        "installed: /etc/init.d/kexec is not our script",
    ),
    "hook with a dot": (
        lambda host: put(host.root / HOOKS / "10-a.sh", b"#!/bin/sh\n"),
        BLOCKED,
        "hooks: /etc/kexec-initd/pre-jump.d/10-a.sh is left out: its name has",
    ),
    "hook not executable": (
        lambda host: put(host.root / HOOKS / "10-a", b"#!/bin/sh\n", 0o644),
        BLOCKED,
        "hooks: /etc/kexec-initd/pre-jump.d/10-a is left out: it is not executable",
    ),
    "hooks of others": (
        share_hooks,
        BLOCKED,
        "hooks: /etc/kexec-initd/pre-jump.d: the directory",
    ),
    "unquoted": (
        set_to("REMOVE_MODULES=a b"),
        BLOCKED,
        "settings: 'REMOVE_MODULES=a b' is not understood (/etc/default/kexec-initd:2); put a value that has blanks into",
    ),
    "unknown": (
        set_to("COLOUR=red"),
        WARNED,
        "settings: the setting COLOUR is unknown (/etc/default/kexec-initd:2); correct or remove it",
    ),
    "KEXEC=no": (
        set_to("KEXEC=no"),
        BLOCKED,
        "switch: KEXEC=no in the settings (/etc/default/kexec-initd:2); kexec-initd on",
    ),
    "KEXEC=no in a drop-in": (
        lambda host: host.write(SETTINGS + ".d/50-switch.conf", "KEXEC=no\n"),
        BLOCKED,
        "switch: KEXEC=no in the settings (/etc/default/kexec-initd.d/50-switch.conf:1); kexec-initd on",
    ),
    "kexec-tools": (
        lambda host: host.write("etc/default/kexec", "#\nLOAD_KEXEC=false\n"),
        WARNED,
        "kexec-tools: LOAD_KEXEC=false is a setting of kexec-tools' own scripts, and no longer counts (/etc/default/kexec:2)",
    ),
    "guard": (lose, BLOCKED, "guard: attempt "),
    "trial": (set_to("TRIAL=2"), BLOCKED, "trial: on trial, 0 of 2 kexecs have arrived"),
    "kexec missing": (
        remove("sbin/kexec"),
        BLOCKED,
        "kexec: the program kexec is missing (package kexec-tools); install the package kexec-tools",
    ),
    "cold once": (
        lambda host: host.write("no-kexec-reboot", ""),
        BLOCKED,
        "cold-once: asked for by /no-kexec-reboot; kexec-initd cold --cancel",
    ),
    "stale": (
        lambda host: host.write("run/kexec-initd/changed", "."),
        WARNED,
        "loaded: a kernel package or an initramfs has changed since the load; the reboot loads again",
    ),
    "nothing loaded": (
        lambda host: host.write("sys/kernel/kexec_loaded", "0\n"),
        ("ok            {}", "kexec"),
        "loaded: nothing yet",
    ),
    "unfit": (
        lambda host: host.write("boot/initrd.img-6.1.0-test", "text"),
        BLOCKED,
        "image: /boot/initrd.img-6.1.0-test",
    ),
    "no entry": (lambda host: host.write("boot/grub/grub.cfg", ""), BLOCKED, "entry: "),
    "early exit": (end_early, WARNED, "boot-end: /etc/rc.local ends before our block, so no kernel is loaded at boot"),
    "oops": (log("BUG: unable to handle page fault"), WARNED, 'kernel-log: the kernel has failed: "BUG: unable'),
    "disk": (log("blk_update_request: I/O error, dev sda, sector 1"), WARNED, "kernel-log: a disk fails"),
    "floppy": (
        log("I/O error, dev fd0, sector 0"),
        ("ok            {}", "kexec"),
        "kernel-log: none of the kernel's 2",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_has_its_line(case: str, host: FakeHost, capsys: "pytest.CaptureFixture[str]") -> None:
    harm, (form, reboot), line = CASES[case]
    harm(host)
    code, text = check(host, capsys)
    told = [found for found in text.splitlines() if found.startswith(form.format(line))]
    assert len(told) == 1, text
    assert code == (0 if form.startswith("ok") else 1)
    last = text.splitlines()[-1]
    assert last.startswith(
        "reboot: through kexec into kernel 6.1.0-test" if reboot == "kexec" else "reboot: through firm"
    )
    assert main(["status", "--json", "--root", str(host.root)]) == 0
    status: Dict[str, Any] = json.loads(capsys.readouterr().out)
    assert status["reboot"] == reboot and ("kexec" if status["code"] == "target" else status["reason"]) in last
    assert (reboot == "cold") == ("\nblocks kexec  " in "\n" + text)


def test_a_host_as_it_should_be_has_nothing_to_tell(host: FakeHost, capsys: "pytest.CaptureFixture[str]") -> None:
    code, text = check(host, capsys)
    assert (code, [line for line in text.splitlines()[:-1] if not line.startswith("ok  ")]) == (0, [])
    assert text.splitlines()[-1] == "reboot: through kexec into kernel 6.1.0-test, Debian GNU/Linux (grub2)"


@pytest.mark.parametrize("init, code", [("systemd", 3), ("sysvinit", 1)])
def test_a_host_that_nothing_hooks_is_refused(
    init: str, code: int, tmp_path: Path, capsys: "pytest.CaptureFixture[str]"
) -> None:
    root = make_tree(tmp_path / "root")
    if init == "systemd":
        (root / "sbin/init").unlink()
        (root / "sbin/init").symlink_to("/lib/systemd/systemd")
    assert main(["check", "--root", str(root)]) == code
    said = capsys.readouterr()
    assert ("blocks kexec  installed: kexec-initd is not installed; kexec-initd install" in said.out) == (code == 1)
    assert said.err.count("\n") == (code == 3)


def test_every_precondition_of_the_policy_is_told() -> None:
    codes = {code for code, _ in list_preconditions(GOOD)} | {Code.CHROOT, Code.FIRMWARE, Code.UPDATE}
    assert codes == {*preconditions.PRECONDITIONS, *preconditions.TOLD_ELSEWHERE}


@pytest.mark.parametrize(
    "before, line",
    [
        (b"", None),
        (b"exit 0\n", 1),
        (b"echo a\nexit\n", 2),
        (b"if a; then\n  exit 1\nfi\n", None),
        (b"exec >/var/log/rc.local 2>&1\n", None),
        (b"exec /usr/local/bin/start\n", 1),
        (b"# exit 0\nexited=1\n", None),
    ],
)
def test_an_early_end_is_known(before: bytes, line: object) -> None:
    assert find_early_end(before + b"# BEGIN kexec-initd\n:\n# END kexec-initd\nexit 0\n") == line


@pytest.mark.parametrize("trouble", kernel_log.TROUBLES, ids=lambda trouble: trouble.meaning)
def test_ordinary_messages_foretell_nothing(trouble: kernel_log.Trouble) -> None:
    calm: List[str] = [
        "ACPI BIOS Error (bug): Could not resolve symbol",
        "[Firmware Bug]: TSC_DEADLINE disabled",
        "I/O error, dev sr0, sector 0",
        "EXT4-fs (sda1): re-mounted. Opts: errors=remount-ro",
        "NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.",
        "DMAR: IOMMU enabled",
        "nvme nvme0: 8/0/0 default/read/poll queues",
        "mce: CPU0: Thermal monitoring enabled (TM1)",
    ]
    assert re.search(trouble.pattern, "\n".join(calm), re.MULTILINE) is None
