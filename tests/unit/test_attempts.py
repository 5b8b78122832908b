"""What becomes of an attempt, and when the guard is closed: the rules, the record's file, and whole boots of a fake host."""

import os
import stat
from pathlib import Path
from typing import Callable, List, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexec_initd.errors import Error
from kexec_initd.history import attempts, guard
from kexec_initd.history.guard import (
    DAY,
    PLAUSIBLE,
    Attempt,
    Boot,
    Guard,
    Last,
    Outcome,
    Record,
    days_since_firmware,
    obstacle,
    when_began,
)
from kexec_initd.kexec import load, stamp
from kexec_initd.kexec.freshness import watched
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.state import store
from kexec_initd.state.store import Damaged, Lasting
from kexec_initd.system.host import gather
from kexec_initd.verbs import status
from tests.unit.fake_host import FakeHost, running_entry, with_kernel

LIMIT = 3
A = Attempt("aaaa", 1000, "0000000a", "6.1.0-test")
B = Attempt("bbbb", 2000, "0000000b", "6.1.0 of unknown release")


def judge(record: Record, boot: str, shown: Optional[str], limit: int, failure: Optional[str] = None) -> Record:
    """Judge the boot of that id, which began at no known time."""
    return guard.judge(record, Boot(boot, shown, 0), limit, failure)


def under_way(attempt: Attempt, record: Record = Record(), boot: str = "0") -> Record:
    """Return `record` when `attempt` is written down in the shutdown of `boot`."""
    return record._replace(boot=boot, last=Last(Outcome.UNDER_WAY, attempt))


def closed(record: Record, attempt: Attempt) -> bool:
    return obstacle(record, attempt.target, LIMIT) is not None


def test_an_attempt_that_arrives_leaves_the_guard_open() -> None:
    record = judge(under_way(A), "1", "aaaa", LIMIT)
    assert record == Record("1", 1, 1, 0, Last(Outcome.ARRIVED, A), None)
    assert judge(under_way(B, record, "1"), "2", "bbbb", LIMIT) == Record("2", 2, 2, 0, Last(Outcome.ARRIVED, B), None)


@pytest.mark.parametrize("shown", [None, "bbbb", "", "aaa", "aaaab"])
def test_another_boot_closes_the_guard_for_that_target_only(shown: Optional[str]) -> None:
    record = judge(under_way(A), "1", shown, LIMIT)
    assert (record.last, record.guard) == (Last(Outcome.LOST, A), Guard(0, A))
    assert closed(record, A)
    assert not closed(record, B)


def test_as_many_reboots_go_cold_as_the_setting_says() -> None:
    record = judge(under_way(A), "1", None, LIMIT)
    for boot in range(2, 2 + LIMIT):
        assert closed(record, A)
        assert "{} more good boot".format(2 + LIMIT - boot) in (obstacle(record, A.target, LIMIT) or "")
        record = judge(record, str(boot), None, LIMIT)
    assert not closed(record, A)
    assert record.guard is None


def test_a_boot_counts_once_however_often_it_is_judged() -> None:
    record = judge(judge(under_way(A), "1", None, LIMIT), "2", None, LIMIT)
    assert judge(record, "2", None, LIMIT) == record
    assert judge(under_way(A), "0", None, LIMIT) == under_way(A), "still the boot in which it was written down"


def test_two_in_a_row_begin_to_count_anew() -> None:
    record = judge(judge(under_way(A), "1", None, LIMIT), "2", None, LIMIT)
    record = judge(under_way(B, record, "2"), "3", None, LIMIT)
    assert (record.guard, record.kexecs) == (Guard(0, B), 0)
    record = judge(under_way(A, record, "3"), "4", "aaaa", LIMIT)
    assert (record.guard, record.kexecs) == (Guard(1, B), 1), "the arrival of another target is a good boot"


def test_a_power_cut_before_the_record_is_in_place_leaves_nothing_to_judge() -> None:
    record = judge(under_way(A), "1", "aaaa", LIMIT)
    assert judge(record, "2", None, LIMIT) == record._replace(boot="2", kexecs=0)
    assert judge(Record(), "1", None, LIMIT) == Record("1")


def test_an_arrival_that_fails_its_checks_closes_the_guard_and_is_no_proof_of_anything() -> None:
    record = judge(under_way(A, Record(kexecs=1, total=5)), "1", "aaaa", LIMIT, "no default route")
    assert record == Record("1", 2, 5, 0, Last(Outcome.FAILED, A), Guard(0, A, "no default route"))
    assert "attempt aaaa (kernel 6.1.0-test) failed: no default route; kexec again after 3 more good boots" in (
        obstacle(record, A.target, LIMIT) or ""
    )
    assert judge(record, "2", None, LIMIT).guard == Guard(1, A, "no default route")


@pytest.mark.parametrize("outcome", [Outcome.ARRIVED, Outcome.LOST, Outcome.FAILED, Outcome.REPLACED])
def test_an_attempt_that_has_ended_arrives_no_more(outcome: Outcome) -> None:
    """Its id may have been copied into the loader's configuration: that boot came through firmware."""
    record = Record("1", 1, 1, 5, Last(outcome, A), None)
    judged = guard.judge(record, Boot("2", "aaaa", 9), LIMIT, "no default route")
    assert judged == Record("2", 0, 1, 9, Last(outcome, A), None)


def test_a_failure_is_no_subject_of_a_boot_without_an_arrival() -> None:
    assert judge(under_way(A), "1", None, LIMIT, "no default route").guard == Guard(0, A)
    assert judge(Record(), "1", "aaaa", LIMIT, "no default route").guard is None


def test_the_last_boot_through_firmware_is_the_last_one_that_shows_no_attempt() -> None:
    record = guard.judge(under_way(A), Boot("1", None, 5), LIMIT)
    assert (record.firmware, record.total) == (5, 0)
    record = guard.judge(under_way(B, record, "1"), Boot("2", "bbbb", 6), LIMIT)
    assert (record.firmware, record.total) == (5, 1)
    record = guard.judge(record, Boot("3", None, 7), LIMIT)
    assert (record.firmware, record.total, record.kexecs) == (7, 1, 0)


def test_a_clock_that_was_set_later_counts_from_the_first_boot_that_it_tells_of() -> None:
    record = guard.judge(Record(), Boot("1", None, when_began(315532800, 10)), LIMIT)
    assert record.firmware == 0
    assert guard.judge(under_way(A, record), Boot("2", "aaaa", 8), LIMIT).firmware == 8


@pytest.mark.parametrize("before", [None, Record("0", total=7)])
def test_an_attempt_that_is_withdrawn_leaves_the_record_as_it_was(fake: FakeHost, before: Optional[Record]) -> None:
    store.write(fake.root, store.Volatile.BEFORE, attempts.format_record(Record("0", total=1)))  # of an earlier one
    if before is not None:
        store.write(fake.root, Lasting.ATTEMPTS, attempts.format_record(before))
    store.write(fake.root, store.Volatile.ATTEMPT, attempts.format_record(under_way(A)))
    attempts.begin(fake.root)
    last = attempts.read(fake.root).last
    assert last is not None and last.attempt.id == A.id
    attempts.withdraw(fake.root)
    assert attempts.read(fake.root) == (before or Record())


NOW = PLAUSIBLE + 100 * DAY


@pytest.mark.parametrize(
    "firmware, now, uptime, days",
    [
        (NOW - 9 * DAY, NOW, 2 * DAY, 9),
        (NOW - 9 * DAY, NOW - 10 * DAY, 2 * DAY, 2),
        (NOW - 9 * DAY, 315532800, 2 * DAY, 2),
        (0, NOW, 3 * DAY, 3),
        (315532800, NOW, 3 * DAY, 3),
        (NOW - DAY, NOW, 3 * DAY, 3),
    ],
)
def test_days_since_firmware_stay_sane_when_the_clock_does_not(firmware: int, now: int, uptime: int, days: int) -> None:
    assert days_since_firmware(Record(firmware=firmware), now, uptime) == days


def test_a_lower_setting_counts_at_once() -> None:
    record = judge(judge(under_way(A), "1", None, LIMIT), "2", None, LIMIT)
    assert obstacle(record, A.target, 1) is None


WORD = st.text("0123456789abcdef-", min_size=1, max_size=36)
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=100)
ATTEMPTS = st.builds(Attempt, WORD, st.integers(1, 10**11), WORD, PRINTABLE)
WHY = st.one_of(st.none(), PRINTABLE.filter(lambda text: text != "-"))
RECORDS = st.builds(
    Record, WORD, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**11),
    st.one_of(st.none(), st.builds(Last, st.sampled_from(Outcome), ATTEMPTS)),
    st.one_of(st.none(), st.builds(Guard, st.integers(0, 999), ATTEMPTS, WHY)),
)  # fmt: skip


@given(RECORDS)
def test_a_record_comes_back_from_its_file_as_it_was(record: Record) -> None:
    assert attempts.parse_record(attempts.format_record(record)) == record


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["arrive", "lose", "cold", "trust"])), max_size=30))
def test_only_enough_good_boots_or_trust_lead_to_a_lost_target_again(story: List[List[str]]) -> None:
    record, good = Record(), {"a": LIMIT, "b": LIMIT}  # good boots since that target was the last to be lost
    names = {"a": A, "b": B}
    for boot, (name, event) in enumerate(story):
        if event == "trust":
            record, good = record._replace(guard=None), {"a": LIMIT, "b": LIMIT}
            continue
        if closed(record, names[name]):
            assert good[name] < LIMIT
            event = "cold"
        else:
            assert good[name] >= LIMIT
        shown = None
        if event != "cold":
            record = under_way(names[name], record, str(boot))
            shown = names[name].id if event == "arrive" else None
        record = judge(record, str(boot + 1), shown, LIMIT)
        good = {key: value + 1 for key, value in good.items()}
        if event == "lose":
            good = {"a": LIMIT, "b": LIMIT, name: 0}


FULL = Record(
    "01234567-89ab-4cde-8f01-23456789abcd", 7, 70, 1600000000, Last(Outcome.FAILED, A), Guard(1, B, "no route")
)


def put(root: Path, data: bytes) -> Path:
    place = store.place_of(root, Lasting.ATTEMPTS)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    place.chmod(0o600)
    return place


@pytest.mark.once
def test_every_damaged_byte_and_every_cut_is_told(tmp_path: Path) -> None:
    data = attempts.format_record(FULL)
    broken = [data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :] for place in range(len(data))
              for flip in (1, 0x20, 0x80, 0xFF)]  # fmt: skip
    for damaged in broken + [data[:length] for length in range(len(data))] + [data + b"\n", data + data]:
        put(tmp_path, damaged)
        with pytest.raises(Damaged) as error:
            attempts.read(tmp_path)
        assert str(error.value).isprintable()
    put(tmp_path, data)
    assert attempts.read(tmp_path) == FULL


def as_directory(place: Path) -> None:
    place.mkdir()


def as_full_directory(place: Path) -> None:
    (place / "x").mkdir(parents=True)


def as_link(place: Path) -> None:
    place.with_name("other").write_bytes(attempts.format_record(Record()))
    place.symlink_to("other")


def as_dangling_link(place: Path) -> None:
    place.symlink_to("nowhere")


def as_pipe(place: Path) -> None:
    os.mkfifo(str(place))


def as_gibibyte(place: Path) -> None:
    with place.open("wb") as file:
        file.truncate(1 << 30)


def as_writable_by_all(place: Path) -> None:
    place.write_bytes(attempts.format_record(Record()))
    place.chmod(0o666)


def as_another_version(place: Path) -> None:
    place.write_bytes(attempts.format_record(Record()).replace(b"attempts 1", b"attempts 2"))


def as_garbage(place: Path) -> None:
    place.write_bytes(b"\0\xff" * 100)


def as_empty(place: Path) -> None:
    place.write_bytes(b"")


STRANGE = [as_directory, as_link, as_dangling_link, as_pipe, as_gibibyte, as_writable_by_all, as_another_version,
           as_garbage, as_empty]  # fmt: skip


@pytest.fixture
def ready(fake: FakeHost) -> FakeHost:
    (fake.root / "var/lib/kexec-initd").mkdir(parents=True)
    return with_kernel(fake)


def boot(fake: FakeHost, shown: Optional[str] = None, preload: bool = True) -> None:
    """Let the next boot come, with the attempt `shown` on its command line."""
    fake.boot(os.urandom(16).hex())
    text = "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro"
    fake.write("proc/cmdline", "kexec_initd.attempt={} {}\n".format(shown, text) if shown else text + "\n")
    shutdown.preload(gather(fake.root), Settings(preload=preload))


def reboot(fake: FakeHost) -> Optional[str]:
    """Shut down; return the attempt that is under way, or None for a cold reboot."""
    decided = shutdown.prepare(gather(fake.root), Settings())
    loaded = stamp.read_loaded(fake.root)
    assert decided.kexec == ((fake.root / "run/kexec-initd/decision").read_text() == "kexec\n") == (loaded is not None)
    return loaded.attempt if loaded else None


def reason(fake: FakeHost) -> str:
    return (fake.root / "run/kexec-initd/decision").read_text()


@pytest.mark.once
@pytest.mark.parametrize("strange", STRANGE)
def test_whatever_is_in_place_of_the_record_means_cold_once(ready: FakeHost, strange: Callable[[Path], None]) -> None:
    strange(store.place_of(ready.root, Lasting.ATTEMPTS))
    boot(ready)
    assert reboot(ready) is None
    assert "record of attempts" in reason(ready)
    assert reason(ready).count("\n") == 1
    boot(ready)
    assert reboot(ready) is not None


def test_a_directory_with_something_in_it_means_cold_until_it_goes(ready: FakeHost) -> None:
    as_full_directory(store.place_of(ready.root, Lasting.ATTEMPTS))
    for _ in range(2):
        boot(ready)
        assert reboot(ready) is None
    with pytest.raises(Error, match="cannot remove"):
        attempts.trust(gather(ready.root), LIMIT)


@pytest.mark.parametrize("preload", [True, False])
def test_boots_that_arrive(ready: FakeHost, preload: bool) -> None:
    shown = None
    for number in range(3):
        boot(ready, shown, preload)
        assert attempts.read(ready.root).kexecs == number
        shown = reboot(ready)
        assert shown is not None
    record = attempts.read(ready.root)
    assert record.last is not None
    assert (record.last.outcome, record.last.attempt.id) == (Outcome.UNDER_WAY, shown)
    assert record.last.attempt.time == int(store.place_of(ready.root, Lasting.ATTEMPTS).stat().st_mtime)
    assert stat.S_IMODE(store.place_of(ready.root, Lasting.ATTEMPTS).stat().st_mode) == 0o600


def test_one_that_never_arrives_closes_the_guard_and_trust_opens_it(ready: FakeHost) -> None:
    boot(ready)
    lost = reboot(ready)
    boot(ready)
    answer = status.gather_status(gather(ready.root), Settings(), [])
    assert (answer.last_attempt, answer.last_outcome, answer.loaded) == (lost, "lost", False)
    assert "held back:  attempt {} (kernel 6.1.0-test) never arrived; ".format(lost) in status.as_text(answer)
    assert reboot(ready) is None
    assert "never arrived; kexec again after 3 more good boots" in reason(ready)
    said = attempts.trust(gather(ready.root), LIMIT)
    assert said.startswith("the guard is open again: attempt {} ".format(lost))
    assert attempts.trust(gather(ready.root), LIMIT) == "nothing to lift: the guard is open"
    boot(ready)
    assert "held back" not in status.as_text(status.gather_status(gather(ready.root), Settings(), []))
    assert reboot(ready) is not None


def test_good_boots_open_the_guard(ready: FakeHost) -> None:
    boot(ready)
    assert reboot(ready) is not None
    for _ in range(LIMIT):
        boot(ready)
        assert reboot(ready) is None
    boot(ready)
    assert reboot(ready) is not None


def another_initrd(fake: FakeHost) -> None:
    os.utime(str(fake.root / "boot/initrd.img-6.1.0-test"), (2e9, 2e9))


def another_command_line(fake: FakeHost) -> None:
    fake.write("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro quiet\n")


@pytest.mark.parametrize("change", [another_initrd, another_command_line])
def test_a_changed_target_is_tried(ready: FakeHost, change: Callable[[FakeHost], None]) -> None:
    boot(ready)
    assert reboot(ready) is not None
    boot(ready)
    change(ready)
    assert reboot(ready) is not None


def test_the_target_is_the_same_from_a_copy_with_another_inode_and_from_a_kexec(ready: FakeHost) -> None:
    host = gather(ready.root)
    key = attempts.target_key(host, running_entry(host))
    path = ready.root / "boot/vmlinuz-6.1.0-test"
    path.with_name("new").write_bytes(path.read_bytes())
    os.utime(str(path.with_name("new")), (1e9, 1e9))
    path.with_name("new").rename(path)
    entry = running_entry(host)._replace(cmdline="kexec_initd.attempt=0 " + (host.cmdline or ""))
    assert attempts.target_key(host, entry) == key


def test_a_boot_that_nobody_confirmed_is_confirmed_in_its_own_shutdown(ready: FakeHost) -> None:
    boot(ready)
    shown = reboot(ready)
    ready.boot("without-a-preload")
    ready.write("proc/cmdline", "kexec_initd.attempt={} root=/dev/vda1 ro\n".format(shown))
    ready.write("no-kexec-reboot", "")
    assert reboot(ready) is None
    last = attempts.read(ready.root).last
    assert last is not None and last.outcome is Outcome.ARRIVED
    (ready.root / "no-kexec-reboot").unlink()
    boot(ready)
    assert reboot(ready) is not None


def test_trust_after_the_preload_is_seen_by_the_early_step(ready: FakeHost) -> None:
    boot(ready)
    assert reboot(ready) is not None
    boot(ready, "another")
    ready.write("proc/cmdline", "root=/dev/vda2\n")
    load.load_entry(gather(ready.root), Settings(), running_entry(gather(ready.root)))
    before = (ready.root / "run/kexec-initd/stamp").read_text()
    assert before == stamp.text_for(ready.root, watched(gather(ready.root), running_entry(gather(ready.root))))
    attempts.trust(gather(ready.root), LIMIT)
    assert before != stamp.text_for(ready.root, watched(gather(ready.root), running_entry(gather(ready.root))))
    assert reboot(ready) is not None
    assert attempts.read(ready.root).guard is None


def test_a_record_that_cannot_be_written_means_cold(ready: FakeHost) -> None:
    (ready.root / "var/lib/kexec-initd").rmdir()
    ready.write("var/lib/kexec-initd", "in the way")
    with pytest.raises(Error, match="cannot write the record of attempts"):
        boot(ready)
    assert reboot(ready) is None
    assert "cannot write the record of attempts" in reason(ready)


def test_a_kernel_loaded_by_hand_is_no_attempt(ready: FakeHost) -> None:
    as_garbage(store.place_of(ready.root, Lasting.ATTEMPTS))
    ready.write("sys/kernel/kexec_loaded", "1\n")
    assert shutdown.prepare(gather(ready.root), Settings()).code == "by-hand"
    assert not store.place_of(ready.root, Lasting.ATTEMPTS).exists()


def test_a_machine_that_goes_off_before_the_end_of_its_boot_has_arrived(fake: FakeHost, tmp_path: Path) -> None:
    (fake.root / "var/lib/kexec-initd").mkdir(parents=True)
    last = Last(Outcome.UNDER_WAY, Attempt("aaaa", 1, "bbbb", "6.1"))
    attempts._write(fake.root, attempts.format_record(Record("another", last=last)))
    fake.write("proc/cmdline", "kexec_initd.attempt=aaaa ro\n")
    shutdown.record_boot(gather(fake.root), Settings())
    fake.boot("00000000-0000-4000-8000-000000000009")
    fake.write("proc/cmdline", "ro\n")
    record = attempts.read_judged(gather(fake.root), 3)
    assert record.guard is None and record.last is not None and record.last.outcome is Outcome.ARRIVED
