"""The history of reboots: moments that survive, phases that follow from them, and what is shown of that."""

import json
import os
import struct
import xml.etree.ElementTree as ElementTree
from typing import Any, Dict, List, Optional, Tuple

import pytest

from kexec_initd import cli
from kexec_initd.bootloader import firmware_times
from kexec_initd.history import attempts, reboot_log, reboots
from kexec_initd.history.boot_clocks import Clocks
from kexec_initd.history.guard import Attempt, Last, Outcome, Record
from kexec_initd.history.reboot_log import Entry, Kind
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.state import checksum, store
from kexec_initd.state.store import Lasting, Newer, Volatile
from kexec_initd.system.host import gather
from kexec_initd.system.sysroot import Tree
from kexec_initd.verbs import history, timeline
from tests.unit.fake_host import FakeHost
from tests.unit.test_schemas import SCHEMAS, faults

BOOTS = ["00000000-0000-4000-8000-{:012}".format(number) for number in range(200)]
LEFT = 1796000000.0
# Early step, 3 s of services, 5 s to the kernel, 4 s to init, 9 s to the end of the boot; 10 s later it is written down.
CLOCKS = Clocks(LEFT, 500.0, LEFT + 3, LEFT + 31, 23.0, 4.0, 13.0)
KEXEC = Entry(Kind.KEXEC, "target", BOOTS[1], BOOTS[0], "6.1.0-2", "6.1.0-1", CLOCKS, "attempt 1 arrived")
COLD = KEXEC._replace(kind=Kind.COLD, code="guard", reason="<&\"' \x1b never")
BEFORE = KEXEC._replace(boot=BOOTS[0], clocks=Clocks(now=LEFT - 400, uptime=100.0))


def phases(
    entry: Entry, before: Optional[Entry] = None, **changed: Optional[float]
) -> Tuple[str, Optional[float], Optional[str]]:
    """Return the phases in a line, the seconds of all, and the note."""
    found = reboots.measure(entry._replace(clocks=entry.clocks._replace(**changed)), before)
    each = ("{} {}".format("+".join(phase.value for phase in one.phases), one.seconds) for one in found.stretches)
    return ", ".join(each), found.total, found.note


END = "kernel 4.0, starting 9.0"
NONE = "stopping+file_systems+jump None, " + END


@pytest.mark.parametrize("entry, changed, line, total, note", [
    (KEXEC, {}, "stopping 3.0, file_systems+jump 5.0, " + END, 21.0, None),
    (KEXEC, {"over": None}, "stopping+file_systems+jump 8.0, " + END, 21.0, None),
    (KEXEC, {"over": LEFT + 9}, "stopping+file_systems+jump 8.0, " + END, 21.0, None),
    (KEXEC, {"init": None}, "stopping 3.0, file_systems+jump 5.0, kernel+starting 13.0", 21.0, None),
    (KEXEC, {"init": 14.0}, "stopping 3.0, file_systems+jump 5.0, kernel+starting 13.0", 21.0, None),
    (KEXEC, {"ended": None}, "stopping 3.0, file_systems+jump 5.0, kernel 4.0, starting None", None, reboots.UNFINISHED),
    (KEXEC, {"left": None}, NONE, None, reboots.UNSEEN),
    (KEXEC, {"left": LEFT + 8.5}, NONE, None, reboots.STEPPED),
    (KEXEC, {"left": LEFT - 1793}, NONE, None, reboots.STEPPED),
    (KEXEC, {"left_uptime": 503.0}, NONE, None, reboots.STEPPED),
    (KEXEC, {"left_uptime": 501.0}, "stopping 3.0, file_systems+jump 5.0, " + END, 21.0, None),
    (COLD, {}, "stopping 3.0, file_systems+firmware+loader 5.0, " + END, 21.0, None),
    (COLD, {"loader": 3.0, "kernel": 4.0}, "stopping 3.0, file_systems 1.0, firmware 3.0, loader 1.0, " + END, 21.0, None),
    (COLD, {"loader": 3.0, "kernel": 6.0},
     "stopping+file_systems 2.0, firmware 3.0, loader 3.0, " + END, 21.0, None),
    (COLD, {"loader": 3.0, "kernel": 60.0}, "stopping 3.0, file_systems+firmware+loader 5.0, " + END, 21.0, None),
    (COLD, {"left": None, "loader": 3.0, "kernel": 4.0},
     "stopping+file_systems None, firmware 3.0, loader 1.0, " + END, None, reboots.UNSEEN),
])  # fmt: skip
def test_phases(
    entry: Entry, changed: Dict[str, Optional[float]], line: str, total: Optional[float], note: Optional[str]
) -> None:
    assert phases(entry, BEFORE, **changed) == (line, total, note)


def test_a_clock_is_compared_with_the_kernel_that_ended_alone() -> None:
    assert phases(KEXEC, BEFORE._replace(boot="other"), left_uptime=9.0)[2] is None


def measured(*entries: Entry) -> List[reboots.Reboot]:
    return [reboots.measure(entry, None) for entry in entries]


def later(entry: Entry, seconds: float) -> Entry:
    return entry._replace(clocks=entry.clocks._replace(ended=13.0 + seconds))


def test_medians_and_what_was_saved() -> None:
    some = measured(KEXEC, later(KEXEC, 4), KEXEC._replace(clocks=Clocks()))
    assert reboots.find_saved(some) is None
    assert history.summarize(some)[-1] == history.NO_COLD
    found = reboots.find_medians(some, Kind.KEXEC)
    assert found is not None and (found.number, found.total) == (2, 23.0)
    many = [*some, *measured(later(COLD, 200), later(COLD, 100), later(COLD, 900))]
    assert reboots.find_saved(many) == 2 * 221 - 21 - 25
    assert history.summarize(many)[-1] == "2 reboots through kexec saved 7 min against the median cold one"
    assert "took longer by 4 s" in history.summarize(measured(COLD, later(KEXEC, 4)))[-1]


def test_the_file_keeps_the_last_hundred_and_moments_to_the_millisecond() -> None:
    entries = tuple(KEXEC._replace(boot=name) for name in BOOTS)
    data = reboot_log.format_entries(entries)
    assert reboot_log.parse(data) == entries[-100:] and len(data) < reboot_log.LIMIT
    assert len(reboot_log.format_entries(tuple(COLD._replace(reason="x" * 9000) for _ in BOOTS))) < reboot_log.LIMIT
    assert reboot_log.parse(reboot_log.format_entries((COLD,)))[0].reason == "<&\"' \\x1b never"
    for line in ("kexec", "odd" + " x" * 16, "kexec" + " x" * 16):
        with pytest.raises(ValueError):
            reboot_log.parse(checksum.seal("kexec-initd history 1\n{}\n".format(line).encode()))
    with pytest.raises(Newer):
        reboot_log.parse(checksum.seal(b"kexec-initd history 2\nx\n"))


def leave(fake: FakeHost, boot: str, moment: float = LEFT) -> None:
    """Let the early step of a reboot have begun in `boot`."""
    store.write(fake.root, Lasting.LEAVING, checksum.double_lines("{} 500.00 6.1.0-1\n".format(boot)))
    os.utime(str(store.place_of(fake.root, Lasting.LEAVING)), (moment, moment))


def arrive(fake: FakeHost, monkeypatch: pytest.MonkeyPatch, number: int = 1) -> None:
    """Let the boot of that number have come to its end, 10 s ago."""
    fake.boot(BOOTS[number])
    fake.write("proc/uptime", "23.00 9.00\n")
    fake.write("proc/7/stat", "7 (jbd2/vda1-8) S 2 {}401 0 0\n".format("0 " * 17))
    fake.write("proc/8/stat", "8 (jbd2/vdb1-8) S 2 {}999 0 0\n".format("0 " * 17))
    store.write(fake.root, Volatile.PRELOADED, "{} 13.00\n".format(BOOTS[number]).encode())
    records = [(2, "", 1), (1, "shutdown", 3), (1, "runlevel", 4), (1, "shutdown", 40)]
    fake.write("var/log/wtmp", "")
    (fake.root / "var/log/wtmp").write_bytes(b"".join(
        struct.pack("=hxxi32s4s32s256s4xiii36x", kind, 0, b"~~", b"", user.encode(), b"", 0, int(LEFT) + after, 250000)
        for kind, user, after in records
    ))  # fmt: skip
    monkeypatch.setattr("time.time", lambda: LEFT + 31)


def kept(fake: FakeHost) -> Tuple[Entry, ...]:
    return reboot_log.read(fake.root)


def test_a_boot_is_written_down_once_at_its_end(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(fake, BOOTS[0])
    arrive(fake, monkeypatch)
    attempts._write(
        fake.root, attempts.format_record(Record("x", 0, 0, 0, Last(Outcome.UNDER_WAY, Attempt("7", 5, "t", "r"))))
    )
    fake.write("proc/cmdline", "kexec_initd.attempt=7 ro\n")
    for _ in range(2):
        shutdown.preload(gather(fake.root), Settings(preload=False, check_route=False))
    clocks = Clocks(LEFT, 500.0, LEFT + 3.25, LEFT + 31, 23.0, 4.01, 13.0)
    reason = "attempt 7 arrived"
    assert kept(fake) == (Entry(Kind.KEXEC, "target", BOOTS[1], BOOTS[0], "6.1.0-test", "6.1.0-1", clocks, reason),)
    assert not store.is_there(fake.root, Lasting.LEAVING)


def keep(fake: FakeHost, record: Record = Record(), **more: Any) -> Optional[str]:
    return reboot_log.keep(gather(fake.root), record, **more)


def test_only_the_word_of_the_shutdown_that_led_here_counts(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    arrive(fake, monkeypatch)
    leave(fake, BOOTS[1])  # that is under way: this boot has had no end
    keep(fake)
    assert kept(fake) == ()
    leave(fake, BOOTS[0])
    keep(fake, firmware=(1.0, 2.0))
    arrive(fake, monkeypatch, 2)
    leave(fake, BOOTS[0])
    store.write(fake.root, Volatile.LAST_COLD, b"undecided nothing was decided\n")
    keep(fake)
    first, second = kept(fake)
    assert (first.boot_before, first.code, first.clocks.kernel) == (BOOTS[0], "undecided", 2.0)
    assert (second.boot_before, second.code, second.clocks.left) == (None, "undecided", None)


def test_what_is_damaged_is_kept_aside_and_told(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arrive(fake, monkeypatch)
    leave(fake, BOOTS[0])
    store.write(fake.root, Lasting.HISTORY, b"kexec-initd history 1\nend 0\n")
    assert cli.main(["history", "--root", str(fake.root)]) == cli.REFUSED
    assert "the history /var/lib/kexec-initd/history is damaged" in capsys.readouterr().err
    assert "is damaged" in (keep(fake) or "")
    assert len(kept(fake)) == 1
    assert store.read(fake.root, Lasting.HISTORY_DAMAGED) == b"kexec-initd history 1\nend 0\n"
    assert cli.main(["history", "--root", str(fake.root)]) == cli.DONE
    assert "history.damaged is what was damaged" in capsys.readouterr().err


def test_a_place_that_takes_nothing_is_no_obstacle(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    arrive(fake, monkeypatch)
    leave(fake, BOOTS[0])
    (store.place_of(fake.root, Lasting.HISTORY) / "in").mkdir(parents=True)
    (store.place_of(fake.root, Lasting.HISTORY_DAMAGED) / "in").mkdir(parents=True)
    keep(fake)
    assert store.is_there(fake.root, Lasting.LEAVING)


def test_systemd_says_itself_when_the_boot_was_over(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    arrive(fake, monkeypatch)
    leave(fake, BOOTS[0])
    (fake.root / "run/systemd/system").mkdir(parents=True)
    fake.program("systemctl", "echo UserspaceTimestampMonotonic=2500000; echo FinishTimestampMonotonic=11000000")
    keep(fake, at_end=True)
    assert kept(fake)[0].clocks[5:7] == (2.5, 11.0)


@pytest.mark.parametrize("variables, table, found", [
    (("2500000", "3000000"), ("1", "2"), (2.5, 3.0)),
    ((), ("4000000000", "4500000000"), (4.0, 4.5)),
    (("3000000", "2500000"), (), None),
    (("x", "2500000"), ("0", "5"), None),
    ((), (), None),
])  # fmt: skip
def test_firmware_and_loader_say_how_long_they_took(
    fake: FakeHost, variables: Tuple[str, ...], table: Tuple[str, ...], found: Optional[Tuple[float, float]]
) -> None:
    for name, value in zip(firmware_times.VARIABLES, variables):
        path = "sys/firmware/efi/efivars/{}-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f".format(name)
        fake.write(path, "")
        (fake.root / path).write_bytes(b"\6\0\0\0" + (value + "\0").encode("utf-16-le"))
    for name, value in zip(firmware_times.FIELDS, table):
        fake.write(firmware_times.TABLE[1:] + name, value + "\n")
    assert firmware_times.find_times(Tree(fake.root)) == found


HISTORY = measured(KEXEC, COLD, KEXEC._replace(clocks=CLOCKS._replace(left=None)), later(COLD, 21))


def test_the_table() -> None:
    lines = history.as_text(HISTORY).splitlines()
    assert lines[:7] == [
        "date (UTC)        way      stop   disks    jump  kernel   start  total s",
        "2026-11-30 00:53  kexec     3.0       >     5.0     4.0     9.0     21.0  ██▒▒▒░░·····",
        "                  6.1.0-1 -> 6.1.0-2",
        "2026-11-30 00:53  cold      3.0       >     5.0     4.0     9.0     21.0  ██▒▒▒░░·····",
        "                  6.1.0-1 -> 6.1.0-2; <&\"' \\x1b never (guard)",
        "2026-11-30 00:53  kexec       -       -       -     4.0     9.0        -",
        "                  6.1.0-1 -> 6.1.0-2; " + reboots.UNSEEN,
    ]
    plain = history.as_text(HISTORY, unicode=False)
    assert plain == plain.encode("ascii", "replace").decode() and "  ssjjjkk.....\n" in plain
    assert history.as_text([]) == history.EMPTY


def test_json_is_as_its_schema_says() -> None:
    document = json.loads(history.as_json(HISTORY))
    assert document["reboots"][0]["phases"][1] == {"names": ["file_systems", "jump"], "seconds": 5.0}
    for each in (document, json.loads(history.as_json([]))):
        assert list(faults(SCHEMAS["history"], each)) == []


def test_the_picture_is_well_formed_and_to_scale(fake: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    store.write(fake.root, Lasting.HISTORY, reboot_log.format_entries((KEXEC, COLD)))
    place = fake.root / "picture.svg"
    assert cli.main(["history", "--root", str(fake.root), "--svg", str(place)]) == cli.DONE
    assert capsys.readouterr().out == ""
    timeline.write_timeline(place, HISTORY, history.summarize(HISTORY))
    top = ElementTree.parse(str(place)).getroot()
    space = "{http://www.w3.org/2000/svg}"
    rows = [list(group.iter(space + "rect")) for group in top.iter(space + "g")]
    assert [len(row) for row in rows] == [4, 4, 0, 4]
    widths = [float(rect.get("width", "")) for rect in rows[0]]
    assert [round(width / widths[0], 2) for width in widths] == [1.0, 1.67, 1.33, 3.0]
    texts = "".join(top.itertext())
    assert "guard: <&\"' \\x1b never" in texts and reboots.UNSEEN in texts and "file systems and jump" in texts
    assert cli.main(["history", "--root", str(fake.root), "--svg", str(fake.root / "no/where.svg")]) == cli.FAILED
    assert capsys.readouterr().err.count("\n") == 1
