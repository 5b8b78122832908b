"""The history in plain shell: the word that the early step leaves, and the same entries without Python as with it."""

import os
import shutil
import struct
from pathlib import Path
from typing import Callable, List

import pytest

from kexec_initd.history import attempts, last_cold, reboot_log
from kexec_initd.history.boot_clocks import Clocks, read_leaving
from kexec_initd.history.guard import Attempt, Guard, Last, Outcome, Record
from kexec_initd.state import checksum, store
from kexec_initd.state.store import Lasting
from kexec_initd.system.host import gather
from tests.scripts.jail import Jail
from tests.scripts.standalone import ALONE, UUID, StandaloneJail
from tests.unit.waiting import eventually

HOME = "var/lib/kexec-initd"
LEAVING = HOME + "/leaving"
SYNC = 'case $1 in sync) : >/synced ;; *) exec real-setsid "$@" ;; esac'


@pytest.fixture
def early(jail: Jail) -> Jail:
    (jail.root / HOME).mkdir(parents=True, mode=0o700)
    jail.write("proc/uptime", "500.25 9.00\n")
    jail.write("proc/sys/kernel/osrelease", "6.1.0-1\n")
    jail.write("proc/sys/kernel/random/boot_id", UUID + "\n")
    jail.write("bin/setsid", "#!/bin/sh\n" + SYNC, 0o755)
    return jail


def leave(early: Jail) -> None:
    """Take the early step, and wait until what it does beside is done."""
    early.run("kexec-initd", "stop")
    assert eventually((early.root / "synced").exists)
    assert (early.root / "run/kexec-initd/decision").exists()


def test_the_early_step_leaves_when_it_began(early: Jail) -> None:
    early.write(LEAVING, "older\n" * 9)
    leave(early)
    found = read_leaving(early.root)
    assert found is not None and found[:3] == (UUID, 500.25, "6.1.0-1")
    assert abs(found.time - (early.root / "synced").stat().st_mtime) < 60


@pytest.mark.parametrize("harm", [
    lambda place: place.mkdir(), os.mkfifo, lambda place: place.symlink_to("../canary"),
    lambda place: place.parent.chmod(0o777), lambda place: place.parent.rmdir(),
    lambda place: place.parent.with_name("fstab").rename(place.parents[3] / "etc/fstab"),
], ids=["directory", "fifo", "link", "others", "gone", "unmounted"])  # fmt: skip
def test_where_nothing_can_be_left_the_step_goes_on(early: Jail, harm: Callable[[Path], None]) -> None:
    early.write("var/lib/fstab", "/dev/vdb1 /var ext4 defaults 0 2\n")
    harm(early.root / LEAVING)
    leave(early)
    assert not (early.root / LEAVING).is_file() and not (early.root / "var/lib/canary").exists()


@pytest.fixture(params=ALONE)
def alone(request: pytest.FixtureRequest, tmp_path: Path) -> StandaloneJail:
    """Return a host without Python that has come up 23 s ago, and its shutdown 8 s before that."""
    jail = StandaloneJail(tmp_path / "jail", request.param)
    (jail.root / HOME).mkdir(mode=0o700)
    for tool in ("date", "od", "awk", "cut"):
        jail.add_tool(tool, request.param)
    jail.write("proc/uptime", "23.00 9.00\n")
    jail.write("proc/7/stat", "7 (jbd2/vda1-8) S 2 {}401 0 0\n".format("0 " * 17))
    jail.write("run/kexec-initd/preloaded", "{} 13.00\n".format(UUID))
    return jail


def write_shutdown(jail: Jail, moment: float) -> None:
    """Let a shutdown have left its word at that time, and its record in wtmp(5) 3 s later."""
    jail.write(LEAVING, "before 500.25 6.1.0-1\n" * 2)
    os.utime(str(jail.root / LEAVING), (moment, moment))
    jail.write("var/log/wtmp", "")
    rows = [(1, b"shutdown", int(moment) - 900), (2, b"", int(moment)), (1, b"shutdown", int(moment) + 3)]
    (jail.root / "var/log/wtmp").write_bytes(b"".join(
        struct.pack("=hxxi32s4s32s256s4xiii36x", kind, 0, b"~~", b"", user, b"", 0, time, 250000)
        for kind, user, time in rows
    ))  # fmt: skip


WAY = Attempt("7", 5, "t", "r")
CASES = {
    "arrived": (Record(UUID, 1, 1, 0, Last(Outcome.ARRIVED, WAY)), "", True),
    "failed": (Record(UUID, 1, 1, 0, Last(Outcome.FAILED, WAY)), "", True),
    "replaced": (Record(UUID, 1, 1, 0, Last(Outcome.REPLACED, WAY)), "", True),
    "cold": (Record(UUID, 0, 1, 0, Last(Outcome.ARRIVED, WAY)), "cold-once asked for by /no-kexec-reboot", True),
    "undecided": (Record(UUID), "", False),
    "by-hand": (Record(UUID), "", True),
}


@pytest.mark.parametrize("name", CASES)
def test_an_entry_is_that_of_python(alone: StandaloneJail, name: str) -> None:
    record, cold, left = CASES[name]
    older = reboot_log.Entry(reboot_log.Kind.COLD, "guard", "x", "y", "6", None, Clocks(1.5), "closed * $x")
    store.write(alone.root, Lasting.HISTORY, reboot_log.format_entries((older,) * 100))
    attempts._write(alone.root, attempts.format_record(record))
    if left:
        write_shutdown(alone, (alone.root / HOME / "attempts").stat().st_mtime - 31)
    if cold:
        alone.write(HOME + "/last-cold", cold + "\n")
    elif name == "by-hand":
        alone.write("proc/sys/kernel/bootloader_type", "208\n")
    copy = alone.root.with_name("copy")
    shutil.copytree(str(alone.root / "proc"), str(copy / "proc"), symlinks=True)
    for place in ("var", "run"):
        shutil.copytree(str(alone.root / place), str(copy / place), symlinks=True)
    if name == "undecided":
        (copy / HOME / "last-cold").write_bytes(b"undecided " + last_cold.UNDECIDED.reason.encode() + b"\n")
    reboot_log.keep(gather(copy), record)
    for _ in range(2):
        assert alone.run("kexec-initd", "load", runlevel="2").said.startswith("kexec-initd: ")
    ours, theirs = (reboot_log.read(root) for root in (alone.root, copy))
    assert len(ours) == len(theirs) == 100 and ours[:99] == theirs[:99]
    assert without_now(ours[-1]) == without_now(theirs[-1])
    assert ours[-1].clocks[5:7] == (4.01, 13.0) and (ours[-1].clocks.over is not None) == left
    assert not (alone.root / LEAVING).exists()


def without_now(entry: reboot_log.Entry) -> List[object]:
    clocks = entry.clocks._replace(now=None, over=entry.clocks.over and int(entry.clocks.over), left=None)
    reason = "" if entry.code == "by-hand" else entry.reason
    return [*entry._replace(clocks=clocks, reason=reason)]


def test_a_history_that_is_damaged_is_kept_aside(alone: StandaloneJail) -> None:
    attempts._write(alone.root, attempts.format_record(CASES["arrived"][0]))
    alone.write(HOME + "/history", "kexec-initd history 1\nend 0\n", 0o600)
    assert "is damaged: it is kept as /{}/history.damaged".format(HOME) in alone.run("kexec-initd", "load").said
    assert len(reboot_log.read(alone.root)) == 1
    newer = checksum.seal(b"kexec-initd history 2\nx\n")
    store.write(alone.root, Lasting.HISTORY, newer)
    alone.run("kexec-initd", "load")
    assert store.read(alone.root, Lasting.HISTORY) == newer


def test_the_guard_that_this_boot_has_closed_is_its_reason(alone: StandaloneJail) -> None:
    lost = Record(UUID, 0, 0, 0, Last(Outcome.LOST, WAY), Guard(0, WAY))
    attempts._write(alone.root, attempts.format_record(lost))
    alone.run("kexec-initd", "load", runlevel="2")
    assert [(entry.kind.value, entry.code) for entry in reboot_log.read(alone.root)] == [("cold", "lost")]
