"""Loads that are cut short, or overtaken by a shutdown, a removal, a package: it is known whose is what is loaded."""

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

from kexec_initd.decision.assess import Present, assess
from kexec_initd.decision.selection import Selected
from kexec_initd.errors import Error, Refused
from kexec_initd.history import attempts
from kexec_initd.history.guard import Record
from kexec_initd.kexec import load, lock, program, stamp
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.state import store
from kexec_initd.state.store import Lasting, Volatile
from kexec_initd.system.host import gather
from kexec_initd.verbs import status
from tests.unit.fake_host import KEXEC, FakeHost, running_entry, with_kernel

pytestmark = pytest.mark.ends

REPOSITORY = Path(__file__).resolve().parents[2]
LOAD = """
import sys
from pathlib import Path
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.system.host import gather
shutdown.preload(gather(Path(sys.argv[1])), Settings())
"""
# Pauses before or behind the moment at which the kernel has what is loaded.
PAUSING = """case "$1" in
-l) {before}; echo 1 >{root}/sys/kernel/kexec_loaded; {behind}; exit ;;
esac
"""
PAUSE = "echo >{root}/pausing; while [ ! -e {root}/go ]; do sleep 0.02; done"


@pytest.fixture
def ready(fake: FakeHost) -> FakeHost:
    (fake.root / "var/lib/kexec-initd").mkdir(parents=True)
    return with_kernel(fake)


def up(fake: FakeHost) -> None:
    """The machine is up: its runlevel is 2."""
    (fake.root / "run/utmp").write_bytes(struct.pack("=h2xi", 1, ord("2")).ljust(384, b"\0"))


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def terminate_me() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(1)


def is_free(root: Path) -> bool:
    try:
        with lock.lock(root, 0.0):
            return True
    except Error:
        return False


@pytest.fixture(params=["before", "behind"])
def pausing(request: pytest.FixtureRequest, ready: FakeHost) -> Iterator[FakeHost]:
    """A kexec that waits for the file `go` while it loads."""
    pauses = {name: PAUSE.format(root=ready.root) if name == request.param else ":" for name in ("before", "behind")}
    body = PAUSING.format(root=ready.root, **pauses) + KEXEC.format(root=ready.root)
    ready.program("kexec", body)
    yield ready
    ready.write("go", "")


def begin(fake: FakeHost) -> "subprocess.Popen[bytes]":
    """Begin the preload in a process of its own, and wait until its kexec pauses."""
    argv = [sys.executable, "-c", LOAD, str(fake.root)]
    process = subprocess.Popen(argv, cwd=str(REPOSITORY), stderr=subprocess.DEVNULL)
    wait_for((fake.root / "pausing").exists)
    return process


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_load_that_is_interrupted_leaves_nothing_loaded(pausing: FakeHost, number: signal.Signals) -> None:
    process = begin(pausing)
    # One that comes while kexec is only being started leaves it to itself, with the lock: that is the killed load below.
    time.sleep(0.5)
    process.send_signal(number)
    process.wait(60)
    assert not program.is_loaded(pausing.root)
    wait_for(lambda: is_free(pausing.root))
    pausing.write("go", "")
    found = assess(gather(pausing.root), Settings())
    assert (found.present, found.decision.code) == (Present.NOTHING, "target")


@pytest.mark.slow
def test_a_load_that_is_killed_is_ours_and_not_fit(pausing: FakeHost) -> None:
    process = begin(pausing)
    process.kill()
    process.wait(60)
    assert not is_free(pausing.root), "its kexec is still loading"
    pausing.write("go", "")
    wait_for(lambda: is_free(pausing.root))
    assert program.is_loaded(pausing.root)
    found = assess(gather(pausing.root), Settings())
    assert (found.present, found.decision.code) == (Present.STALE, "target")
    assert status.gather_status(gather(pausing.root), Settings(), []).loaded_by_us
    pausing.program("kexec", KEXEC.format(root=pausing.root))
    decided = shutdown.prepare(gather(pausing.root), Settings())
    assert decided.code == "target"
    loaded = stamp.read_loaded(pausing.root)
    assert loaded is not None
    last = attempts.read(pausing.root).last
    assert last is not None and last.attempt.id == loaded.attempt


def load_beside_a_decision(fake: FakeHost) -> None:
    with lock.lock_to_load(fake.root):
        load.load_entry(gather(fake.root), Settings(), running_entry(gather(fake.root)))
        decide(fake, "kexec")


def test_what_was_loaded_meanwhile_goes_when_the_shutdown_has_decided(ready: FakeHost) -> None:
    with pytest.raises(Refused, match="the machine is shutting down"):
        load_beside_a_decision(ready)
    assert not program.is_loaded(ready.root)


def test_from_before_the_first_load_on_the_stamp_says_that_one_is_under_way(ready: FakeHost) -> None:
    shutdown.preload(gather(ready.root), Settings())
    ready.program(
        "kexec", 'cat {0}/run/kexec-initd/stamp >>{0}/"seen$1"\n'.format(ready.root) + KEXEC.format(root=ready.root)
    )
    load.load_entry(gather(ready.root), Settings(), running_entry(gather(ready.root)))
    assert {name: (ready.root / name).read_bytes() for name in ("seen-u", "seen-l")} == {
        "seen-u": stamp.LOADING, "seen-l": stamp.LOADING,
    }  # fmt: skip


def test_what_was_chosen_before_is_no_choice_any_more_when_a_load_is_cut_short(ready: FakeHost) -> None:
    host = gather(ready.root)
    load.load_entry(host, Settings(), running_entry(host), chosen=stamp.Chosen.AS_FILE)
    stamp.begin(ready.root)
    assert stamp.read_loaded(ready.root) is None
    assert stamp.exists(ready.root)
    to_load = assess(host, Settings()).to_load
    assert to_load is not None and to_load.chosen is stamp.Chosen.BY_LOADER


def decide(fake: FakeHost, text: str) -> None:
    store.write(fake.root, Volatile.STOPPING, b"")
    store.write(fake.root, Volatile.DECISION, text.encode())


@pytest.mark.slow
@pytest.mark.parametrize("decision", ["cold asked for by /no-kexec-reboot\n", "kexec\n"])
def test_a_load_that_ends_after_the_decision_takes_back_what_it_has_loaded(pausing: FakeHost, decision: str) -> None:
    process = begin(pausing)
    decide(pausing, decision)
    pausing.write("go", "")
    assert process.wait(60) != 0
    assert not program.is_loaded(pausing.root)
    assert not stamp.exists(pausing.root)


def test_a_load_that_ends_before_the_decision_is_left_to_the_early_step(pausing: FakeHost) -> None:
    process = begin(pausing)
    store.write(pausing.root, Volatile.STOPPING, b"")
    pausing.write("go", "")
    assert process.wait(60) == 0
    assert shutdown.prepare(gather(pausing.root), Settings()).kexec
    assert [call[1] for call in pausing.calls() if call[0] == "kexec"].count("-l") == 1


@pytest.mark.slow
def test_a_removal_waits_for_a_load_and_leaves_nothing_loaded(pausing: FakeHost) -> None:
    process = begin(pausing)
    removal = subprocess.Popen(
        [sys.executable, "-c", LOAD.split("from kexec_initd")[0] + "from kexec_initd.kexec import lock\n"
         "with lock.lock_to_remove(Path(sys.argv[1])): pass", str(pausing.root)], cwd=str(REPOSITORY),
    )  # fmt: skip
    time.sleep(0.2)
    assert removal.poll() is None
    pausing.write("go", "")
    assert (process.wait(60), removal.wait(60)) == (0, 0)
    assert not program.is_loaded(pausing.root)
    assert not stamp.exists(pausing.root)
    with pytest.raises(Refused, match="was removed"):
        shutdown.preload(gather(pausing.root), Settings())
    lock.reopen(pausing.root)
    assert shutdown.preload(gather(pausing.root), Settings()) == "loaded kernel 6.1.0-test"


def test_a_removal_keeps_what_was_loaded_by_hand_and_one_that_fails_changes_nothing(ready: FakeHost) -> None:
    ready.write("sys/kernel/kexec_loaded", "1\n")
    with lock.lock_to_remove(ready.root):
        pass
    assert program.is_loaded(ready.root)
    lock.reopen(ready.root)
    with pytest.raises(ValueError, match="in the midst"), lock.lock_to_remove(ready.root):
        raise ValueError("in the midst")
    ready.write("sys/kernel/kexec_loaded", "0\n")
    assert shutdown.preload(gather(ready.root), Settings()) == "loaded kernel 6.1.0-test"


def test_no_load_begins_beside_a_shutdown_but_that_of_its_early_step(ready: FakeHost) -> None:
    store.write(ready.root, Volatile.STOPPING, b"")
    with pytest.raises(Refused, match="shutting down"):
        shutdown.preload(gather(ready.root), Settings())
    assert ready.calls() == []
    assert shutdown.prepare(gather(ready.root), Settings()).kexec


def test_a_shutdown_that_was_called_off_is_none(ready: FakeHost) -> None:
    decide(ready, "cold for a reason\n")
    up(ready)
    assert shutdown.preload(gather(ready.root), Settings()) == "loaded kernel 6.1.0-test"
    assert program.is_loaded(ready.root)


@pytest.mark.parametrize("record", [Record("before", total=7), None])
@pytest.mark.parametrize("moment", ["record_boot", "load", "begin"])
def test_a_package_that_marks_a_change_in_the_midst_of_the_early_step_is_never_jumped_over(
    ready: FakeHost, monkeypatch: pytest.MonkeyPatch, moment: str, record: "Record | None"
) -> None:
    if record is not None:
        store.write(ready.root, Lasting.ATTEMPTS, attempts.format_record(record))
    places: "dict[str, Callable[..., object]]" = {
        "record_boot": attempts.record_boot, "load": program.load, "begin": attempts.begin,
    }  # fmt: skip
    place = places[moment]
    module = program if moment == "load" else attempts

    def marked(*args: object) -> object:
        with (store.directory(ready.root, Volatile.CHANGED) / "changed").open("a") as file:
            file.write(".")
        return place(*args)

    monkeypatch.setattr(module, moment, marked)
    decided = shutdown.prepare(gather(ready.root), Settings())
    monkeypatch.undo()
    text = (ready.root / "run/kexec-initd/decision").read_text()
    assert (decided.code, decided.kexec) == ("changed", False)
    assert text == "cold {}\n".format(decided.reason)
    assert not program.is_loaded(ready.root)
    last = attempts.read(ready.root).last
    assert last is None, "nothing was tried"
    assert attempts.read(ready.root).total == (record.total if record else 0)


def test_an_interrupted_reboot_into_leaves_nothing_chosen(ready: FakeHost) -> None:
    from kexec_initd.stages import reboot_into

    host = gather(ready.root)

    class Interrupted:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    selected = Selected(running_entry(host), (), "x", (), stamp.ChosenEntry("x", "y"))
    plan = reboot_into.RebootPlan(selected, Interrupted())  # type: ignore[arg-type]  # no path: its text is what is interrupted
    with pytest.raises(KeyboardInterrupt):
        reboot_into.execute(host, Settings(), plan)
    assert not program.is_loaded(ready.root)
    assert not stamp.exists(ready.root)


def test_what_is_ignored_stays_ignored_and_what_was_taken_is_given_back(ready: FakeHost) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with lock.lock(ready.root):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            with pytest.raises(KeyboardInterrupt):
                terminate_me()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
