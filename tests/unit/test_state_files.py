"""Every file of the state by Python's readers: no damage passes for something else, crashes, or is waited for."""

import ast
import functools
import itertools
import json
import os
import re
import stat
import struct
import tracemalloc
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Set

import pytest

import kexec_initd
from kexec_initd.bootloader.evidence import Evidence, read_record
from kexec_initd.cli import DONE, FAILED, REFUSED, fail, main, make_parser
from kexec_initd.codes import Code, Decision
from kexec_initd.decision.assess import is_attended
from kexec_initd.errors import Error, describe_error
from kexec_initd.history import attempts, last_cold, reboot_log
from kexec_initd.history.attempts import format_record
from kexec_initd.history.boot_clocks import Clocks, read_leaving
from kexec_initd.history.guard import Attempt, Guard, Last, Outcome, Record
from kexec_initd.history.reboot_log import Kind
from kexec_initd.install.manifest import (
    ChangeKind,
    InstallState,
    Manifest,
    ManifestEntry,
    format_manifest,
    read_manifest,
)
from kexec_initd.kexec import stamp, watchdog
from kexec_initd.settings.reader import Settings
from kexec_initd.stages.shutdown import attend, preload, prepare, record_boot
from kexec_initd.state import checksum, store
from kexec_initd.state.store import Damaged, Lasting, StateFile, Volatile
from kexec_initd.system.files import is_directory
from kexec_initd.system.host import gather
from tests.damage import KINDS, NOBODY, clear, cuts, flips, with_little_memory
from tests.unit.fake_host import FakeHost, with_kernel

PEAK = 4 << 20
BEGUN = Attempt("0123456789abcdef", 1700000000, "0123abcd", "6.1.0-test")
RECORD = Record("boot", 3, 9, 1700000000, Last(Outcome.ARRIVED, BEGUN), Guard(1, BEGUN, "no route"))
CHOSEN = stamp.ChosenEntry("title", "root=x")
LOADED = stamp.Loaded("6.1", "/boot/vmlinuz", ["/boot/initrd"], "root=/dev/vda", "0123", False, CHOSEN)
ENTRY = ManifestEntry("/etc/init.d/reboot", ChangeKind.REPLACED, "00" * 32, ("11" * 32,), 0o755, 0, 0, 1, True)
EVIDENCE = Evidence(0x72, "GRUB 2.12", "/EFI/debian/shimx64.efi", False, "/boot/vmlinuz", True, False, True)
MANIFEST = Manifest(InstallState.INSTALLED, (ENTRY,), ("/var/lib/kexec-initd",))


class Row(NamedTuple):
    """One file: what is good in it, and what reads it; no reader where Python only looks whether it is there."""

    good: bytes
    read: Callable[[Path], Any]


def read_attempt(root: Path) -> object:
    attempts.begin(root)
    return store.place_of(root, Lasting.ATTEMPTS).read_bytes()


CAME = reboot_log.Entry(Kind.COLD, "guard", "01-23", None, "6.1.0-test", "6.1", Clocks(1.5, now=9.25), "closed")
ROWS: Dict[StateFile, Row] = {
    Volatile.STAMP: Row(
        checksum.seal(b"1 2 3 4 5 /boot/vmlinuz\n- /etc/default/x\n"), lambda root: stamp._read_lines(root)
    ),
    Volatile.LOADED: Row(stamp.format_loaded(LOADED), stamp.read_loaded),
    Volatile.ATTEMPT: Row(attempts.format_record(RECORD), read_attempt),
    Volatile.WATCHDOG: Row(checksum.double("watchdog0"), watchdog.find_ready),
    Volatile.ATTENDED: Row(checksum.double("100.0"), lambda root: is_attended(root, 200.0)),
    Lasting.ATTEMPTS: Row(attempts.format_record(RECORD), attempts.read),
    Lasting.WATCHDOG: Row(checksum.double("i6300esb"), lambda root: watchdog._read_word(root, Lasting.WATCHDOG)),
    Lasting.STARTER: Row(checksum.dump(EVIDENCE._asdict()), read_record),
    Lasting.MANIFEST: Row(format_manifest(MANIFEST), read_manifest),
    Lasting.LEAVING: Row(
        checksum.double_lines("01-23 12.50 6.1.0-test\n"), lambda root: (read_leaving(root) or ())[:3]
    ),
    Lasting.HISTORY: Row(reboot_log.format_entries((CAME,)), reboot_log.read),
}
KEPT = (Lasting.WATCHDOG, Volatile.WATCHDOG, Volatile.ATTENDED, Lasting.LEAVING, Lasting.HISTORY)
# Nothing in these can change what happens: read by the shell's last step (scripts/test_state_files.py), shown to people,
# or only locked and looked at from outside.
HARMLESS: Dict[StateFile, bytes] = {
    Volatile.DECISION: b"kexec\n",
    Volatile.CHANGED: b"..",
    Volatile.STOPPING: b"",
    Volatile.REMOVED: b"",
    Volatile.BEFORE: b"kexec-initd attempts 1\n",  # copied to where the record of attempts is, and judged there
    Volatile.SETTINGS: checksum.double_lines("SETTINGS -\nSHUTDOWN_LIMIT 1800\nREMOVE_MODULES \n"),
    Volatile.LOCK: b"",
    Volatile.PRELOAD_LOG: b"loaded kernel 6.1\n",
    Volatile.PRELOADED: b"0123-4567\n",
    Volatile.PRINTED: b"kexec: something\n",
    Volatile.DEAD_MAN: b"1234 100\n",
    Volatile.SESSION: b"1234\n",
    Volatile.PANIC_KERNEL: b"loaded: kernel 6.1\n",
    Volatile.LAST_COLD: b"cold-once asked for\n",
    Lasting.LAST_COLD: b"cold-once asked for by /no-kexec-reboot\n",
    Lasting.LOCK: b"",
    Lasting.KEXEC_LOADER: b"",
    Lasting.HISTORY_DAMAGED: b"kexec-initd history 1\n",
}
# That they are there says something, whatever they are: none of these is there while nothing is under way.
MARKS: Set[StateFile] = {Volatile.DECISION, Volatile.STOPPING, Volatile.REMOVED, Volatile.BEFORE, Lasting.KEXEC_LOADER}
NOTHING: List[object] = [None, [], (), False]
FILES = [*ROWS, *HARMLESS]


def test_each_file_has_a_row() -> None:
    assert set(FILES) == {*Volatile, *Lasting}


@pytest.mark.once
def test_files_of_the_state_are_named_in_one_module_alone() -> None:
    """Whoever wants a path of the state asks `state.store`, for a member that has a row above."""
    package = Path(kexec_initd.__file__).parent
    names: Set[str] = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Name) and node.id == "find_state_directory":
                names.add(path.name)
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and node.value.startswith("/var/lib/kexec")
            ):
                names.add(path.name)
            if (
                isinstance(node, ast.BinOp)
                and isinstance(node.left, ast.Name)
                and node.left.id in ("STATE_DIR", "LASTING")
            ):
                assert re.search("'/x?'", ast.dump(node.right)), path.name
    assert names <= {"store.py", "virt.py", "host.py"}


def test_the_shell_names_no_file_of_the_state_without_a_row() -> None:
    templates = Path(kexec_initd.__file__).parents[1] / "templates"
    found = {"state": set(), "home": set()}  # type: Dict[str, Set[str]]
    for path in templates.rglob("*"):
        if path.is_file() and path.suffix != ".py":
            for directory, name in re.findall(r"\$\{?(state|home)\}?/([A-Za-z0-9_.-]+)", path.read_text()):
                found[directory].add(name)
    # What the standalone files have beside, each made anew or refused: scripts/test_state_files.py, install/test_standalone.py.
    own = {"loading", "printed.begin", "said", "settled", "settings.new", "stamp.new"}
    installer = {"manifest", "manifest.new", "incoming", "incoming.part", "outgoing", "standalone"}
    temporary = {"attempts.new", "last-cold.new", "history.new"}
    assert found["state"] - own <= {file.value for file in Volatile}
    assert found["home"] - installer - temporary <= {file.value for file in Lasting}
    assert found["state"] > own and found["home"] > installer


def answer(row: Row, root: Path) -> object:
    """Return what a reader makes of a file; None where it says that it is damaged."""
    try:
        found = row.read(root)
    except Error:
        return None
    return None if found in NOTHING else found


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("file", ROWS, ids=str)
def test_no_flip_and_no_cut_is_taken_for_something_else(tmp_path: Path, file: StateFile) -> None:
    row = ROWS[file]
    store.write(tmp_path, Volatile.STAMP, b"")
    store.write(tmp_path, Lasting.ATTEMPTS, b"")
    store.write(tmp_path, file, row.good)
    good = answer(row, tmp_path)
    assert good is not None
    place = store.place_of(tmp_path, file)
    damaged = 0
    for data in [*flips(row.good), *cuts(row.good)]:
        place.write_bytes(data)
        found = answer(row, tmp_path)
        assert found in (None, good), data
        damaged += found is None
    # Nothing but space between the fields of JSON may be other space.
    assert damaged > len(row.good) * (3 if row.good.startswith(b"{") else 5)


@pytest.fixture
def loaded(fake: FakeHost) -> FakeHost:
    host = gather(with_kernel(fake).root)
    preload(host, Settings())
    root = fake.root
    store.write(root, Lasting.MANIFEST, format_manifest(Manifest(InstallState.INSTALLED, (), ())))
    for file in KEPT:
        store.write(root, file, ROWS[file].good)
    for other in set(HARMLESS) - MARKS - {Volatile.CHANGED}:
        store.write(root, other, HARMLESS[other])
    return fake


def target(fake: FakeHost) -> object:
    """Return which kernel is loaded with what, without the id of the attempt."""
    calls = [call for call in fake.calls() if call[:2] == ["kexec", "-l"]]
    return [re.sub(r"attempt=\w+", "", word) for word in calls[-1][1:] if not word.startswith("/proc/self/fd")]


def run_damaged(root: Path, file: StateFile, kind: str, run: Callable[[], Any]) -> Any:
    """Return what `run` does, with little memory, while something else is where `file` was, and nothing is done beside it."""
    place = store.place_of(root, file)
    aside = place.with_name(place.name + ".aside")
    if file in MARKS:
        place.touch()
    place.rename(aside)
    good = aside.read_bytes()
    KINDS[kind](place)
    if kind == "1 GiB":
        tracemalloc.start()
    found = with_little_memory(run)
    if kind == "1 GiB":
        assert tracemalloc.get_traced_memory()[1] < PEAK
        tracemalloc.stop()
    assert aside.read_bytes() == good, "a link was followed"
    return found


@pytest.mark.parametrize("file", ROWS, ids=str)
def test_no_reader_takes_something_else_for_a_file(tmp_path: Path, file: StateFile) -> None:
    row = ROWS[file]
    store.write(tmp_path, Volatile.STAMP, b"")
    store.write(tmp_path, Lasting.ATTEMPTS, b"")
    for kind in KINDS:
        clear(store.place_of(tmp_path, file))
        store.write(tmp_path, file, row.good)
        found = run_damaged(tmp_path, file, kind, lambda: answer(row, tmp_path))
        assert found is None or (kind == "missing" and found == Record()), kind


class Site:
    """A host with a loaded kernel, a closed guard for another one, and each file of the state: good as often as wanted."""

    def __init__(self, fake: FakeHost) -> None:
        self.fake, self.root = fake, with_kernel(fake).root
        fake.program("modprobe")
        store.write(self.root, Lasting.ATTEMPTS, format_record(Record("boot", 3, 9, 1700000000, None, Guard(0, BEGUN))))
        preload(gather(self.root), Settings())
        self.target = target(fake)
        store.write(self.root, Lasting.MANIFEST, format_manifest(Manifest(InstallState.INSTALLED, (), ())))
        for file in KEPT:
            store.write(self.root, file, ROWS[file].good)
        for other in set(HARMLESS) - MARKS:
            store.write(self.root, other, HARMLESS[other])
        self.good = self.read()
        self.good[Lasting.ATTEMPTS] = self.good[Volatile.ATTEMPT]

    def read(self) -> Dict[StateFile, bytes]:
        """Return what is in those files that are such."""
        places = {file: store.place_of(self.root, file) for file in FILES}
        return {
            file: place.read_bytes()
            for file, place in places.items()
            if stat.S_ISREG(mode(place)) and size(place) < PEAK
        }

    def reset(self) -> None:
        """Have each file as it was, and a stamp that fits."""
        places = {file: store.place_of(self.root, file) for file in FILES}
        for directory in {place.parent for place in places.values()}:
            clear(directory)
            directory.mkdir(mode=0o700)
        for file, data in self.good.items():
            places[file].write_bytes(data)
            places[file].chmod(0o600)
        lines = checksum.unseal(self.good[Volatile.STAMP]).decode().splitlines()
        paths = [Path("/" + line.partition("/")[2]) for line in lines]
        places[Volatile.STAMP].write_text(stamp.text_for(self.root, paths))
        self.boot(1, "1\n", "")

    def boot(self, number: int, loaded: str, words: str) -> None:
        """Have the boot of that number run, with more words on its command line."""
        self.fake.write("proc/sys/kernel/random/boot_id", "00000000-0000-4000-8000-{:012}\n".format(number))
        self.fake.write("sys/kernel/kexec_loaded", loaded)
        self.fake.write("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro{}\n".format(words))

    def arrive(self) -> int:
        """Boot into the attempt under way, and have the end of that boot confirm it."""
        self.boot(2, "0\n", " kexec_initd.attempt=" + json.loads(self.good[Volatile.LOADED].decode())["attempt"])
        return told(lambda: print(preload(gather(self.root), Settings(preload=False, check_route=False))))

    def go_off(self) -> int:
        """Settle how another boot came as it goes off."""
        self.boot(2, "0\n", "")
        return told(lambda: record_boot(gather(self.root), Settings()))

    def call(self, *words: str) -> int:
        """Run a verb; those for the running host alone have no --root, and take it from here."""
        args = make_parser().parse_args(words)
        return told(lambda: args.run(args, gather(self.root)))

    def status(self, *words: str) -> int:
        """Run `status`."""
        return main(["status", *words, "--root", str(self.root)])


def told(run: Callable[[], object]) -> int:
    """Return the exit code as `main` does, and report an error as it does."""
    try:
        run()
    except (Error, OSError) as error:
        return fail(describe_error(error), error.exit_code if isinstance(error, Error) else FAILED)
    return DONE


def mode(place: Path) -> int:
    return place.lstat().st_mode if os.path.lexists(str(place)) else 0


def size(place: Path) -> int:
    return place.lstat().st_size


class Verb(NamedTuple):
    """What is called; what fails it, by file; what it may write or remove, also when it fails."""

    run: Callable[[Site], int]
    failing: Dict[StateFile, Set[str]]
    writing: Set[StateFile] = set()


ANYTHING = set(KINDS) - {"missing"}
FULL = {"full directory"}
UNLOCKABLE = {kind for kind in KINDS if kind.endswith("directory") or kind.startswith("link")} | {"socket"}
CLOSED: Dict[StateFile, Set[str]] = {
    Volatile.LOCK: UNLOCKABLE,
    Volatile.REMOVED: ANYTHING,
    Volatile.STOPPING: ANYTHING,
    Volatile.DECISION: ANYTHING,
}
LOADS: Set[StateFile] = {Volatile.STAMP, Volatile.LOADED, Volatile.ATTEMPT, Volatile.WATCHDOG, Lasting.WATCHDOG}
TELLS: Set[StateFile] = {Lasting.LEAVING, Lasting.HISTORY, Lasting.HISTORY_DAMAGED}
BEGINS: Set[StateFile] = {*TELLS, Lasting.ATTEMPTS, Lasting.LAST_COLD, Volatile.LAST_COLD, Volatile.SETTINGS}
VERBS: Dict[str, Verb] = {
    "status": Verb(Site.status, {Lasting.MANIFEST: ANYTHING}),
    "status --json": Verb(lambda site: site.status("--json"), {Lasting.MANIFEST: ANYTHING}),
    "trust": Verb(
        lambda site: site.call("trust"), {Volatile.LOCK: UNLOCKABLE, Lasting.ATTEMPTS: FULL}, {Lasting.ATTEMPTS}
    ),
    "preload": Verb(
        lambda site: site.call("preload"),
        {**CLOSED, Volatile.STAMP: FULL, Volatile.SETTINGS: FULL, Lasting.WATCHDOG: ANYTHING},
        LOADS | BEGINS,
    ),
    "arrival": Verb(
        Site.arrive,
        {**CLOSED, Volatile.SETTINGS: FULL, Lasting.WATCHDOG: ANYTHING},
        BEGINS | {Lasting.WATCHDOG},
    ),
    "power-off": Verb(Site.go_off, {Volatile.LOCK: UNLOCKABLE, Lasting.ATTEMPTS: ANYTHING}, {Lasting.ATTEMPTS, *TELLS}),
    "prepare": Verb(
        lambda site: site.call("prepare"),
        {Volatile.DECISION: FULL},
        LOADS | BEGINS | {Volatile.DECISION, Volatile.BEFORE},
    ),
    "uninstall --dry-run": Verb(
        lambda site: site.call("uninstall", "--dry-run", "--root", str(site.root)), {Lasting.MANIFEST: ANYTHING}
    ),
}
# Without these nobody knows what to start, or what became of the last attempt.
COLD: Set[StateFile] = {Volatile.LOADED, Volatile.ATTEMPT, Lasting.ATTEMPTS}


def check_prepared(site: Site, file: StateFile, kind: str, said: str) -> None:
    """No other kernel is started, and none where it cannot be told which."""
    decision = site.read().get(Volatile.DECISION)
    loaded = (site.root / "sys/kernel/kexec_loaded").read_text()
    if decision == b"kexec\n":
        assert file not in COLD or (file, kind) == (Lasting.ATTEMPTS, "missing")
        assert (target(site.fake), loaded, said) == (site.target, "1\n", "")
        attempts.parse_record(site.read()[Lasting.ATTEMPTS])
    else:
        assert loaded == "0\n" or decision is None, "without a decision the last step goes cold"
        assert said.count("\n") == 1 and str(store.path_of(site.root, file)) in said


def check_arrived(site: Site, file: StateFile) -> None:
    """The arrival was written down, where there was a record and a lock."""
    if file not in (Lasting.ATTEMPTS, *CLOSED):
        record = attempts.parse_record(site.read()[Lasting.ATTEMPTS])
        assert record.last is not None and record.last.outcome is Outcome.ARRIVED
        assert (record.total, record.guard) == (10, Guard(2, BEGUN))


# Each kind with each verb is for the long tier; here each file meets each kind, and each file each verb.
@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("stride", [8, pytest.param(1, marks=pytest.mark.full)])
@pytest.mark.parametrize("number, file", list(enumerate(FILES)), ids=str)
def test_whatever_is_in_the_place_of_a_file_is_told_in_a_line(
    fake: FakeHost, number: int, file: StateFile, stride: int, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(fake)
    path = str(store.path_of(site.root, file))
    for (first, kind), (second, (name, verb)) in itertools.product(enumerate(KINDS), enumerate(VERBS.items())):
        if (first + second + number) % stride and kind not in FULL:
            continue
        site.reset()
        before = site.read()
        capsys.readouterr()
        code = run_damaged(site.root, file, kind, functools.partial(verb.run, site))
        said = capsys.readouterr()
        case = (name, kind, said)
        assert code in ((FAILED, REFUSED) if kind in verb.failing.get(file, ()) else (DONE,)), case
        assert said.err.count("\n") == (code != DONE) == (path in said.err), case
        # status says it of the guard and of the reboot
        assert sum(path in line for line in said.out.splitlines()) <= 1 + name.startswith("status"), case
        assert "Errno" not in said.out + said.err, case
        after = site.read()
        # what a shutdown that has decided finds loaded is taken back
        writing = verb.writing | {file} | (LOADS if (name, file) == ("arrival", Volatile.DECISION) else set())
        assert [other for other in before if other not in writing and after.get(other) != before[other]] == []
        if name == "prepare":
            check_prepared(site, file, kind, said.out + said.err)
        elif name == "arrival":
            check_arrived(site, file)
        elif name == "preload" and (file, kind) == (Volatile.STAMP, "full directory"):
            assert (site.root / "sys/kernel/kexec_loaded").read_text() == "0\n", "nobody would know whose it is"


def test_a_link_to_a_directory_or_to_itself_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("directory")
    (tmp_path / "loop").symlink_to("loop")
    assert is_directory(tmp_path / "directory")
    assert not any(is_directory(tmp_path / name) for name in ("link", "loop", "nothing"))


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def shared(path: Path) -> None:
    os.chown(str(path), os.geteuid(), NOBODY)
    path.chmod(0o770)


PARENTS: Dict[str, Callable[[Path], None]] = {
    "writable for all": lambda path: path.chmod(0o777),
    "of another owner": lambda path: os.chown(str(path), NOBODY, NOBODY),
    "writable for a group": shared,
    "below one that is writable for all": lambda path: path.parent.chmod(0o777),
    "a link": linked,
}


@pytest.mark.parametrize("kind", PARENTS)
@pytest.mark.parametrize("file", [Volatile.STAMP, Lasting.ATTEMPTS], ids=str)
def test_a_directory_that_is_not_roots_alone_is_not_believed(loaded: FakeHost, file: StateFile, kind: str) -> None:
    PARENTS[kind](store.place_of(loaded.root, file).parent)
    with pytest.raises(Damaged):
        store.read(loaded.root, file)
    try:
        assert not prepare(gather(loaded.root), Settings()).kexec
    except Error:
        assert file is Volatile.STAMP
    assert (loaded.root / "sys/kernel/kexec_loaded").read_text() == "0\n"


def test_what_a_version_before_has_written_is_read(tmp_path: Path) -> None:
    for file in (Volatile.LOADED, Lasting.MANIFEST):
        row = ROWS[file]
        store.write(tmp_path, Volatile.STAMP, b"")
        store.write(tmp_path, file, row.good)
        good = row.read(tmp_path)
        lines = [line for line in row.good.split(b"\n") if b'"checksum"' not in line]
        store.place_of(tmp_path, file).write_bytes(b"\n".join(lines))
        assert row.read(tmp_path) == good


def test_the_reason_of_a_cold_reboot_is_told_even_when_damaged(tmp_path: Path) -> None:
    last_cold.keep(tmp_path, Decision(Code.FAILED, "no kernel"))
    place = store.place_of(tmp_path, Lasting.LAST_COLD)
    for data in [*flips(place.read_bytes()), *cuts(place.read_bytes())]:
        place.write_bytes(data)
        found = last_cold.read(tmp_path)
        assert found is None or (found.code + found.reason).isprintable()


def test_a_trial_that_is_watched_is_known_by_what_was_written(fake: FakeHost) -> None:
    host = gather(with_kernel(fake).root)
    fake.write("proc/uptime", "100.00 50.00\n")
    attend(host, Settings(trial=1))
    assert is_attended(fake.root, 200.0)


@pytest.mark.parametrize("level", [2, 6])
def test_the_settings_alone_are_written_down_in_any_runlevel(fake: FakeHost, level: int) -> None:
    site = Site(fake)
    (site.root / "run/utmp").write_bytes(struct.pack("=h2xi", 1, ord(str(level))).ljust(384, b"\0"))
    before, called = site.read(), fake.calls()
    fake.write("etc/default/kexec-initd", "SHUTDOWN_LIMIT=70\n")
    assert site.call("prepare", "--settings") == DONE
    after = site.read()
    assert b"SHUTDOWN_LIMIT 70\n" * 2 in after.pop(Volatile.SETTINGS)
    del before[Volatile.SETTINGS]
    assert after == before and fake.calls() == called, "nothing is decided or loaded"
