"""Which init system runs, and in which runlevel: facts of each decision, by whatever evidence there is."""

import functools
import socket
import tempfile
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

import pytest

from kexec_initd import cli
from kexec_initd.kexec import load, program, stamp
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.system import journal as journal_of
from kexec_initd.system.host import InitSystem, find_unhooked, gather
from kexec_initd.system.virt import find_runlevel
from kexec_initd.verbs import init, status
from tests.unit.fake_host import RUNLEVEL_6, FakeHost, running_entry, with_kernel


def systemd_runs(fake: FakeHost) -> None:
    (fake.root / "run/systemd/system").mkdir(parents=True)


def systemd_by_name(fake: FakeHost) -> None:
    fake.write("proc/1/comm", "systemd\n")


def openrc_runs(fake: FakeHost) -> None:
    (fake.root / "run/openrc").mkdir(parents=True)


def runit_runs(fake: FakeHost) -> None:
    fake.write("proc/1/comm", "runit\n")


def a_shell_runs(fake: FakeHost) -> None:
    fake.write("proc/1/stat", "1 (bash (x)) S 0 1 1\n")


RUNNING: Dict[Callable[[FakeHost], None], str] = {
    systemd_runs: "systemd", systemd_by_name: "systemd", openrc_runs: "openrc", runit_runs: "runit", a_shell_runs: "bash (x)",
}  # fmt: skip


@pytest.mark.parametrize("run", list(RUNNING))
def test_under_another_init_system_nothing_is_loaded_and_what_is_ours_goes(
    fake: FakeHost, run: Callable[[FakeHost], None]
) -> None:
    with_kernel(fake)
    load.load_entry(gather(fake.root), Settings(), running_entry(gather(fake.root)))
    run(fake)
    why = "the running init system is {}, in which kexec-initd is not hooked".format(RUNNING[run])
    answer = status.gather_status(gather(fake.root), Settings(), [])
    assert (answer.reboot, answer.installed) == ("cold", False)
    assert shutdown.preload(gather(fake.root), Settings()).endswith("reboot goes through firmware: " + why)
    assert not program.is_loaded(fake.root)
    assert not stamp.exists(fake.root)
    fake.write("sys/kernel/kexec_loaded", "1\n")  # by hand
    decided = shutdown.prepare(gather(fake.root), Settings())
    assert (decided.kexec, decided.code, decided.reason) == (False, "init", why)


UNIT, SCRIPT, OF_RHEL = (
    "etc/systemd/system/kexec-initd.service",
    "etc/init.d/kexec-initd",
    "etc/rc.d/init.d/kexec-initd",
)


@pytest.mark.parametrize("installed, hooked", [
    ((), "sysvinit"), ((SCRIPT,), "sysvinit"), ((OF_RHEL,), "sysvinit"), ((UNIT,), "systemd"),
    ((UNIT, SCRIPT), "both"), ((UNIT, OF_RHEL), "both"),
])  # fmt: skip
def test_each_init_system_is_hooked_by_its_own_file(fake: FakeHost, installed: Sequence[str], hooked: str) -> None:
    for path in installed:
        fake.write(path, "")
    assert (find_unhooked(gather(fake.root)) is None) == (hooked != "systemd")
    systemd_runs(fake)
    assert (find_unhooked(gather(fake.root)) is None) == (hooked != "sysvinit")
    # Its record says 6, and means nothing; nor is that a shutdown that was called off.
    assert (find_runlevel(fake.root, {}), find_runlevel(fake.root, {"RUNLEVEL": "0"})) == (None, "0")


ENABLED = "etc/systemd/system/kexec.target.wants/kexec-load@linux.service"


@pytest.mark.parametrize("enabled, unit", [
    (ENABLED, "kexec-load@linux.service"),
    ("usr/lib/systemd/system/kexec.target.wants/kexec-load.service", "kexec-load.service"),
    ("run/systemd/system/kexec.target.requires/prepare-kexec.service", "prepare-kexec.service"),
    ("run/systemd/generator.late/multi-user.target.wants/kexec-load.service", "kexec-load.service"),
    ("run/systemd/generator.late/multi-user.target.wants/kexec.service", None),
    ("etc/systemd/system/multi-user.target.wants/kexec-initd.service", None),
    ("etc/systemd/system/multi-user.target.wants/kexec-initd-load@6.1.0-test.service", None),
    ("etc/systemd/system/multi-user.target.wants/kdump.service", None),
    ("etc/systemd/system/kexec-load@linux.service", None),  # it is there, and nothing wants it
])  # fmt: skip
def test_a_unit_that_loads_a_kernel_of_its_own_makes_it_cold(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch, enabled: str, unit: Optional[str]
) -> None:
    with_kernel(fake)
    fake.write(UNIT, "")
    systemd_runs(fake)
    fake.write(enabled, "")
    fake.write("etc/init.d/kexec", "#!/bin/sh\n# Written by kexec-initd: does nothing.\n")
    fake.write("etc/init.d/kexec-load", "#!/bin/sh\nkexec -l\n")
    journal = receive(monkeypatch)
    decided = shutdown.prepare(gather(fake.root), Settings())
    why = "the unit {0} loads a kernel of its own; `systemctl disable {0}` ends that".format(unit)
    assert (decided.code, decided.reason) == (("init", why) if unit else ("target", decided.reason))
    way = "firmware" if unit else "kexec"
    if unit is None:
        assert b"\nKEXEC_INITD_CODE=loaded\n" in journal.recv(4096)
    assert journal.recv(4096).decode().splitlines() == [
        "MESSAGE=reboot goes through {}: {}".format(way, decided.reason), "PRIORITY=5", "SYSLOG_IDENTIFIER=kexec-initd",
        "KEXEC_INITD_CODE={}".format(decided.code),
    ]  # fmt: skip
    if unit is not None:
        (fake.root / "etc/systemd/system" / unit).symlink_to("/dev/null")  # masked
        assert shutdown.prepare(gather(fake.root), Settings()).code == "target"


def test_a_unit_that_is_enabled_later_makes_what_is_loaded_stale(fake: FakeHost) -> None:
    with_kernel(fake)
    fake.write(UNIT, "")
    systemd_runs(fake)
    shutdown.prepare(gather(fake.root), Settings())
    stamp_lines = (fake.root / "run/kexec-initd/stamp").read_text()
    assert stamp_lines.count(" /etc/systemd/system\n") == 1
    fake.write(ENABLED, "")
    assert stamp.lines_for(fake.root, [Path("/etc/systemd/system")])[0] not in stamp_lines


def test_of_generators_the_stamp_has_the_units_that_were_looked_at(fake: FakeHost) -> None:
    with_kernel(fake)
    fake.write(UNIT, "")
    systemd_runs(fake)
    fake.write("etc/init.d/kexec-load", "#!/bin/sh\n# Written by kexec-initd: does nothing.\n")
    for name in ("kexec-load.service", "cron.service"):
        fake.write("run/systemd/generator.late/multi-user.target.wants/" + name, "")
    shutdown.prepare(gather(fake.root), Settings())
    lines = (fake.root / "run/kexec-initd/stamp").read_text().split("\n")
    generators = [line for line in lines if "generator" in line]
    assert generators == ["= /run/systemd/generator.late/multi-user.target.wants/kexec-load.service"]


def test_a_journal_that_is_full_or_gone_holds_up_nothing(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    tell = functools.partial(journal_of.tell, fake.root, "x" * 90, "code")
    tell()
    receiver = receive(monkeypatch)
    for _ in range(2000):
        tell()
    receiver.close()
    tell()


def receive(monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """Return the other end of the journal, at a path that is not too long for an address."""
    place = tempfile.mkdtemp(dir="/tmp") + "/socket"
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.settimeout(10)
    receiver.bind(place)
    monkeypatch.setattr(journal_of, "SOCKET", place)
    return receiver


@pytest.mark.parametrize("proc", [{"proc/1/comm": "init\n"}, {"proc/1/stat": "1 (init) S 0 1 1\n"}])
def test_a_host_that_was_converted_still_runs_the_other_one_until_the_next_boot(
    fake: FakeHost, proc: Dict[str, str]
) -> None:
    (fake.root / "sbin/init").unlink()
    (fake.root / "sbin/init").symlink_to("/lib/systemd/systemd")
    assert gather(fake.root).init is InitSystem.SYSTEMD, "nothing runs in this tree"
    for path, text in proc.items():
        fake.write(path, text)
    assert gather(fake.root).init is InitSystem.SYSVINIT


CUT = RUNLEVEL_6[:100]


@pytest.mark.parametrize("record, environ, runit, level", [
    (None, {"RUNLEVEL": "6"}, None, "6"),
    (CUT, {"RUNLEVEL": "6"}, None, "6"),
    (b"\0" * 384, {"runlevel": "6"}, None, "6"),
    (RUNLEVEL_6.replace(b"6", b"\0"), {"RC_REBOOT": "YES"}, None, "6"),
    (None, {"RC_REBOOT": "NO"}, "6\n", "6"),
    (None, {"RUNLEVEL": "", "runlevel": "6"}, "2\n", "6"),
    (None, {"RUNLEVEL": "66"}, None, None),
    (None, {}, "unknown", None),
    (RUNLEVEL_6, {"RUNLEVEL": "2"}, "2\n", "6"),
])  # fmt: skip
def test_evidence_of_the_runlevel(
    fake: FakeHost, record: Optional[bytes], environ: Dict[str, str], runit: Optional[str], level: Optional[str]
) -> None:
    utmp = fake.root / "run/utmp"
    utmp.unlink()
    if record is not None:
        utmp.write_bytes(record)
    if runit is not None:
        fake.write("run/runit.runlevel", runit)
    assert find_runlevel(fake.root, environ) == level


@pytest.mark.parametrize("record", [None, CUT, b""])
@pytest.mark.parametrize("told", [["RUNLEVEL"], ["runlevel"]])
def test_the_early_step_believes_init_where_its_record_is_lost(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch, record: Optional[bytes], told: List[str]
) -> None:
    with_kernel(fake)
    (fake.root / "run/utmp").unlink()
    if record is not None:
        (fake.root / "run/utmp").write_bytes(record)
    for name in told:
        monkeypatch.setenv(name, "6")
    host = gather(fake.root)
    assert host.runlevel == "6"
    init.run_prepare(cli.make_parser().parse_args(["prepare"]), host)
    assert (fake.root / "run/kexec-initd/decision").read_text() == "kexec\n"
