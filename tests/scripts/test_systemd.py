"""The program of the systemd integration: called by its unit early in a shutdown, and by systemd-shutdown in the last step."""

import shutil
import subprocess
from pathlib import Path
from typing import Sequence

import pytest

from kexec_initd import sentences
from kexec_initd.install.render import render_all
from kexec_initd.kexec import stamp
from kexec_initd.system.host import gather
from kexec_initd.system.rivals import LOOKED_AT
from tests.scripts.jail import MOUNTS, WHOLE, Jail
from tests.scripts.test_preload import boot as boot
from tests.scripts.test_preload import wait_for_load
from tests.unit.waiting import eventually

DECISION = "run/kexec-initd/decision"
PARAM = "systemd was asked for what only a boot through firmware does (/run/systemd/reboot-param)"
UNDECIDED = "the early shutdown step left no decision"


@pytest.fixture
def ours(jail: Jail) -> Jail:
    """Return a host below systemd-shutdown, which has made the root read-only, with ours as /etc/init.d/ours."""
    jail.write("run/systemd/system/x", "")
    jail.write("lib/systemd/systemd-shutdown", "")
    for file in render_all(gather(jail.root)):
        jail.write(
            "etc/init.d/ours" if "system-shutdown" in file.path else file.path[1:], file.content.decode(), file.mode
        )
    jail.write("proc/1/comm", "systemd-shutdow\n")
    jail.write("proc/mounts", MOUNTS.replace(" rw,", " ro,"))
    jail.fake("systemctl", "cat /jobs")
    return jail


@pytest.mark.parametrize("word", ["reboot", "kexec"])
@pytest.mark.parametrize(
    "decision, why", [("kexec\n", ""), ("cold whatever\n", "whatever"), ("", UNDECIDED), (None, UNDECIDED)]
)
def test_the_decision_alone_says_whether_the_kernel_is_executed(ours: Jail, word: str, decision: str, why: str) -> None:
    (ours.root / DECISION).unlink()
    if decision is not None:
        ours.write(DECISION, decision)
    said = ours.run("ours", word, runlevel="").said
    assert ours.calls() == ([] if why else ["sync", "kexec -e -x"]) + ["kexec -u"]
    assert "reboot goes through firmware: " + (why or "kexec -e came back with code 1") in said
    assert (ours.root / "sys/kernel/kexec_loaded").read_text() == "0\n" and ours.sysrq() == ""


def test_no_jump_leaves_a_disk_writable(ours: Jail) -> None:
    ours.fake("umount")
    ours.write("proc/mounts", MOUNTS)
    assert "/dev/vda1 on / is still writable" in ours.run("ours", "reboot", runlevel="").said
    assert "kexec -e -x" not in ours.calls() and ours.calls()[-1] == "kexec -u"


def test_a_kernel_that_would_not_go_is_left_to_nobody(ours: Jail) -> None:
    ours.fake("kexec", "exit 1")
    ours.write(DECISION, "cold whatever\n")
    ours.run("ours", "kexec", runlevel="")
    assert ours.sysrq() == "b"


@pytest.mark.parametrize(
    "word, name, code", [("reboot", "systemd", 3), ("kexec", "bash", 3), ("poweroff", "", 0), ("halt", "", 0)]
)
def test_by_hand_and_at_a_poweroff_nothing_is_executed(ours: Jail, word: str, name: str, code: int) -> None:
    ours.write("proc/1/comm", (name or "systemd-shutdow") + "\n")
    assert (ours.run("ours", word).code, ours.calls()) == (code, [])


@pytest.mark.parametrize("jobs, decision", [
    ("12 reboot.target          start waiting\n 7 x.service stop  running\n", "kexec\n"),
    ("    7 x.service  stop  running\n  12 kexec.target start waiting\n", "kexec\n"),
    ("12 soft-reboot.target start waiting\n", None),
    ("12 reboot.target stop waiting\n", None),
    ("12 poweroff.target start waiting\n", None),
    ("No jobs running.\n", None),
    (None, None),
])  # fmt: skip
def test_only_where_a_reboot_is_under_way_it_is_decided(ours: Jail, jobs: str, decision: str) -> None:
    (ours.root / DECISION).unlink()
    if jobs is not None:
        ours.write("jobs", jobs)
    ours.run("ours", "stop", runlevel="")
    place = ours.root / DECISION
    assert (place.read_text() if place.exists() else None) == decision
    assert (ours.root / "run/kexec-initd/stopping").exists() == (decision is not None)
    assert "kexec -u" not in ours.calls()


@pytest.mark.parametrize("wish, why", [("", PARAM), ("no-kexec-reboot", sentences.COLD_ONCE)])
def test_what_systemd_leaves_to_the_firmware_is_cold(ours: Jail, wish: str, why: str) -> None:
    ours.write("jobs", "12 kexec.target start waiting\n")
    ours.write("run/systemd/reboot-param", "x")
    if wish:
        ours.write(wish, "")
    ours.fake("logger", "cat >/journal")
    ours.fake("../usr/bin/python3", "echo $RUNLEVEL >>/level")
    ours.write("run/systemd/journal/socket", "")
    assert "reboot goes through firmware: " + why in ours.run("ours", "stop", runlevel="").said
    place = ours.root / "journal"
    assert eventually(lambda: place.exists() and "CODE=" in place.read_text())
    told = place.read_text().splitlines()
    assert told[0] == "MESSAGE=reboot goes through firmware: " + why
    assert told[-1] == "KEXEC_INITD_CODE=" + ("cold-once" if wish else "firmware")
    assert (ours.root / DECISION).read_text() == "cold {}\n".format(why)
    # The program, which does not look for it, decides nothing: it would begin an attempt.
    assert wish or (ours.root / "level").read_text() == "0\n"
    # It holds for one reboot, whatever that is.
    assert "kexec -u" in ours.calls() and not (ours.root / "no-kexec-reboot").exists()


def test_at_the_end_of_the_boot_it_loads_and_forgets_a_shutdown_that_was_called_off(boot: Jail, ours: Jail) -> None:
    ours.fake("systemctl", "if [ -e /over ]; then echo running; else : >/over; echo starting; fi")
    ours.write("run/kexec-initd/stopping", "")
    ours.run("ours", "start", runlevel="")
    assert wait_for_load(boot)[-1] == "nice -n 19 /etc/init.d/ours load"
    assert ours.calls()[:2] == ["systemctl is-system-running"] * 2
    assert not any((ours.root / "run/kexec-initd" / name).exists() for name in ("stopping", "decision"))


WANTED = "run/systemd/generator.late/multi-user.target.wants/"


@pytest.mark.parametrize("known, units, python", [
    ((), (), False), (("kexec-load",), (), False), (("kexec-load",), ("kexec-load",), False), ((), ("kexec-load",), True),
    (("kexec-load",), ("kexec-load", "my-kexec"), True), ((), ("cron", "kexec-initd", "kexec-initd-load@x"), False),
])  # fmt: skip
def test_a_reload_of_systemd_needs_no_python_where_generators_have_made_no_new_unit_that_loads(
    ours: Jail, known: Sequence[str], units: Sequence[str], python: bool
) -> None:
    ours.fake("../usr/bin/python3", "exit 1")
    for path in ("boot/vmlinuz-1", *("{}{}.service".format(WANTED, unit) for unit in units)):
        ours.write(path, "")
    lines = [LOOKED_AT.format("/{}{}.service".format(WANTED, unit)) for unit in known]
    ours.write("run/kexec-initd/stamp", stamp.text_for(ours.root, [Path("/boot/vmlinuz-1")], lines))
    ours.write("run/kexec-initd/attempt", WHOLE)
    ours.write("jobs", "7 reboot.target start waiting\n")
    (ours.root / "var/lib").mkdir(parents=True)
    ours.run("ours", "stop", runlevel="")
    assert ("python3 -I -m kexec_initd prepare" in ours.calls()) == python


@pytest.mark.parametrize("name, called", [
    ("kexec-initd.service", "/lib/systemd/system-shutdown/kexec-initd start"),
    ("kexec-initd-load@6.1.0-10-amd64.service", "/usr/bin/python3 -I -m kexec_initd load -- %i"),
])  # fmt: skip
def test_systemd_understands_the_unit(ours: Jail, tmp_path: Path, name: str, called: str) -> None:
    unit = (ours.root / "etc/systemd/system" / name.replace("6.1.0-10-amd64", "")).read_text()
    assert "ExecStart={}\n".format(called) in unit
    place = tmp_path / name
    place.write_text(unit.replace(called.split()[0], str(ours.root / "etc/init.d/ours")))
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    argv = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(place)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert (done.returncode, done.stdout) == (0, b"")
