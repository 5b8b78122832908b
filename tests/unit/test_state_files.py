"""Every file of the state by Python's readers: no damage passes for something else, crashes, or is waited for."""

import ast
import os
import re
import resource
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Set

import pytest

import kexec_initd
from kexec_initd import attempts, reasons, sealing, stamp, state, watchdog
from kexec_initd.assessment import is_attended
from kexec_initd.cli import DONE, REFUSED, main
from kexec_initd.codes import Code
from kexec_initd.errors import Error
from kexec_initd.guard import Attempt, Guard, Last, Outcome, Record
from kexec_initd.host import gather
from kexec_initd.integration.manifest import Entry, Kind, Manifest, State, format_manifest, read_manifest
from kexec_initd.policy import cold
from kexec_initd.settings import Settings
from kexec_initd.shutdown import attend, preload, prepare
from kexec_initd.state import Damaged, Lasting, StateFile, Volatile
from tests.damage import KINDS, NOBODY, cuts, flips
from tests.unit.fake_host import FakeHost, with_kernel
from tests.unit.test_odd_files import no_longer_than

MEMORY = 256 << 20
BEGUN = Attempt("0123456789abcdef", 1700000000, "0123abcd", "6.1.0-test")
RECORD = Record("boot", 3, 9, 1700000000, Last(Outcome.ARRIVED, BEGUN), Guard(1, BEGUN, "no route"))
LOADED = stamp.Loaded("6.1", "/boot/vmlinuz", ["/boot/initrd"], "root=/dev/vda", "0123", False, ["title", "root=x"])
ENTRY = Entry("/etc/init.d/reboot", Kind.REPLACED, "00" * 32, ("11" * 32,), 0o755, 0, 0, 1, True)
MANIFEST = Manifest(State.INSTALLED, (ENTRY,), ("/var/lib/kexec-initd",))


class Row(NamedTuple):
    """One file: what is good in it, and what reads it; no reader where Python only looks whether it is there."""

    good: bytes
    read: Callable[[Path], Any]


def read_attempt(root: Path) -> object:
    attempts.begin(root)
    return state.place_of(root, Lasting.ATTEMPTS).read_bytes()


ROWS: Dict[StateFile, Row] = {
    Volatile.STAMP: Row(
        sealing.seal(b"1 2 3 4 5 /boot/vmlinuz\n- /etc/default/x\n"), lambda root: stamp._read_lines(root)
    ),
    Volatile.LOADED: Row(sealing.dump(LOADED._asdict()), stamp.read_loaded),
    Volatile.ATTEMPT: Row(attempts.format_record(RECORD), read_attempt),
    Volatile.WATCHDOG: Row(sealing.double("watchdog0"), watchdog.find_ready),
    Volatile.ATTENDED: Row(sealing.double("100.0"), lambda root: is_attended(root, 200.0)),
    Lasting.ATTEMPTS: Row(attempts.format_record(RECORD), attempts.read),
    Lasting.WATCHDOG: Row(sealing.double("i6300esb"), lambda root: watchdog._read_word(root, Lasting.WATCHDOG)),
    Lasting.MANIFEST: Row(format_manifest(MANIFEST), read_manifest),
}
# Nothing in these can change what happens: read by the shell's last step (scripts/test_state_files.py), shown to people,
# or only locked and looked at from outside.
HARMLESS: Dict[StateFile, bytes] = {
    Volatile.DECISION: b"kexec\n",
    Volatile.CHANGED: b"..",
    Volatile.LOCK: b"",
    Volatile.PRELOAD_LOG: b"loaded kernel 6.1\n",
    Volatile.LAST_COLD: b"cold-once asked for\n",
    Lasting.LAST_COLD: b"cold-once asked for by /no-kexec-reboot\n",
    Lasting.LOCK: b"",
}
NOTHING: List[object] = [None, [], False]
FILES = [*ROWS, *HARMLESS]


def test_each_file_has_a_row() -> None:
    assert set(FILES) == {*Volatile, *Lasting}


def test_files_of_the_state_are_named_in_one_module_alone() -> None:
    """Whoever wants a path of the state asks the module `state`, for a member that has a row above."""
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
    assert names <= {"state.py", "surroundings.py", "host.py"}


def test_the_shell_names_no_file_of_the_state_without_a_row() -> None:
    templates = Path(kexec_initd.__file__).parents[1] / "templates"
    found = {"state": set(), "home": set()}  # type: Dict[str, Set[str]]
    for path in templates.rglob("*"):
        if path.is_file() and path.suffix != ".py":
            for directory, name in re.findall(r"\$\{?(state|home)\}?/([A-Za-z0-9_.-]+)", path.read_text()):
                found[directory].add(name)
    # What the standalone files have beside, each made anew or refused: scripts/test_state_files.py, install/test_standalone.py.
    own = {"loading", "said", "settled", "stamp.new"}
    installer = {"manifest", "manifest.new", "incoming", "incoming.part", "outgoing", "standalone"}
    temporary = {"attempts.new", "last-cold.new"}
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


@pytest.mark.parametrize("file", ROWS, ids=str)
def test_no_flip_and_no_cut_is_taken_for_something_else(tmp_path: Path, file: StateFile) -> None:
    row = ROWS[file]
    state.write(tmp_path, Volatile.STAMP, b"")
    state.write(tmp_path, Lasting.ATTEMPTS, b"")
    state.write(tmp_path, file, row.good)
    good = answer(row, tmp_path)
    assert good is not None
    place = state.place_of(tmp_path, file)
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
    state.write(root, Lasting.MANIFEST, format_manifest(Manifest(State.INSTALLED, (), ())))
    for file in (Lasting.WATCHDOG, Volatile.WATCHDOG, Volatile.ATTENDED):
        state.write(root, file, ROWS[file].good)
    for other, data in HARMLESS.items():
        if other is not Volatile.CHANGED:
            state.write(root, other, data)
    return fake


def target(fake: FakeHost) -> object:
    """Return which kernel is loaded with what, without the id of the attempt."""
    calls = [call for call in fake.calls() if call[:2] == ["kexec", "-l"]]
    return [re.sub(r"attempt=\w+", "", word) for word in calls[-1][1:] if not word.startswith("/proc/self/fd")]


def with_little_memory(run: Callable[[], Any]) -> Any:
    """Return what `run` does with that much more memory, within seconds."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, before[1]))
    try:
        with no_longer_than(120):
            return run()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_whatever_is_in_the_place_of_a_file_is_told_in_a_line(
    loaded: FakeHost, file: StateFile, capsys: pytest.CaptureFixture[str]
) -> None:
    place = state.place_of(loaded.root, file)
    if place.exists():
        place.rename(place.with_name(place.name + ".aside"))
    for name, make in KINDS.items():
        make(place)
        code = with_little_memory(lambda: main(["status", "--root", str(loaded.root)]))
        said = capsys.readouterr()
        assert code in (DONE, REFUSED), name
        assert len(said.err.splitlines()) == (code == REFUSED), name
        assert "Traceback" not in said.out + said.err, name
        (place / "in").rmdir() if name == "full directory" else None
        place.rmdir() if not place.is_symlink() and place.is_dir() else place.unlink() if os.path.lexists(
            str(place)
        ) else None


DECIDING = [Volatile.STAMP, Volatile.LOADED, Volatile.ATTEMPT, Volatile.LOCK, Volatile.DECISION, Lasting.ATTEMPTS]


@pytest.mark.parametrize(
    "name", ["full directory", "fifo", "link to a good file", "1 GiB", "of another owner", "empty"]
)
@pytest.mark.parametrize("file", DECIDING, ids=str)
def test_whatever_is_in_the_place_of_a_file_no_other_kernel_is_started(
    loaded: FakeHost, file: StateFile, name: str
) -> None:
    expected = target(loaded)
    place = state.place_of(loaded.root, file)
    if place.exists():
        place.rename(place.with_name(place.name + ".aside"))
    KINDS[name](place)
    try:
        decision = with_little_memory(lambda: prepare(gather(loaded.root), Settings()))
    except (Error, OSError):
        assert file is Volatile.DECISION, "none is left, so the last step goes cold"
        return
    if decision.kexec:
        assert target(loaded) == expected
        attempts.parse_record(state.place_of(loaded.root, Lasting.ATTEMPTS).read_bytes())
    else:
        assert decision.reason.isprintable()
        assert (loaded.root / "sys/kernel/kexec_loaded").read_text() == "0\n"
    if file in (Lasting.ATTEMPTS, Volatile.LOADED):
        assert not decision.kexec


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


PARENTS: Dict[str, Callable[[Path], None]] = {
    "writable for all": lambda path: path.chmod(0o777),
    "of another owner": lambda path: os.chown(str(path), NOBODY, NOBODY),
    "below one that is writable for all": lambda path: path.parent.chmod(0o777),
    "a link": linked,
}


@pytest.mark.parametrize("kind", PARENTS)
@pytest.mark.parametrize("file", [Volatile.STAMP, Lasting.ATTEMPTS], ids=str)
def test_a_directory_that_is_not_roots_alone_is_not_believed(loaded: FakeHost, file: StateFile, kind: str) -> None:
    PARENTS[kind](state.place_of(loaded.root, file).parent)
    with pytest.raises(Damaged):
        state.read(loaded.root, file)
    try:
        assert not prepare(gather(loaded.root), Settings()).kexec
    except Error:
        assert file is Volatile.STAMP
    assert (loaded.root / "sys/kernel/kexec_loaded").read_text() == "0\n"


def test_what_a_version_before_has_written_is_read(tmp_path: Path) -> None:
    for file in (Volatile.LOADED, Lasting.MANIFEST):
        row = ROWS[file]
        state.write(tmp_path, Volatile.STAMP, b"")
        state.write(tmp_path, file, row.good)
        good = row.read(tmp_path)
        lines = [line for line in row.good.split(b"\n") if b'"checksum"' not in line]
        state.place_of(tmp_path, file).write_bytes(b"\n".join(lines))
        assert row.read(tmp_path) == good


def test_the_reason_of_a_cold_reboot_is_told_even_when_damaged(tmp_path: Path) -> None:
    reasons.keep(tmp_path, cold(Code.FAILED, "no kernel"))
    place = state.place_of(tmp_path, Lasting.LAST_COLD)
    for data in [*flips(place.read_bytes()), *cuts(place.read_bytes())]:
        place.write_bytes(data)
        found = reasons.read(tmp_path)
        assert found is None or (found.code + found.reason).isprintable()


def test_a_trial_that_is_watched_is_known_by_what_was_written(fake: FakeHost) -> None:
    host = gather(with_kernel(fake).root)
    fake.write("proc/uptime", "100.00 50.00\n")
    attend(host, Settings(trial=1))
    assert is_attended(fake.root, 200.0)
