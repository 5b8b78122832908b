"""State that another version of us has written: an older one is read, a newer one is kept, and said to be one."""

import json
from pathlib import Path

import pytest

from kexec_initd.errors import Error, Refused
from kexec_initd.history import attempts
from kexec_initd.history.guard import Attempt, Guard, Last, Outcome, Record
from kexec_initd.install.manifest import read_manifest
from kexec_initd.kexec import stamp
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.state import checksum, store
from kexec_initd.state.store import Damaged, Lasting, Newer, Volatile
from kexec_initd.system.host import gather
from tests.unit.fake_host import FakeHost, running_entry, with_kernel

A = Attempt("aaaa", 1000, "0000000a", "6.1.0-test")
FULL = Record("boot-1", 7, 70, 1600000000, Last(Outcome.LOST, A), Guard(1, A, "no route"))
NEWER = [
    attempts.format_record(FULL).replace(b"attempts 1", b"attempts 2"),
    attempts.format_record(FULL).replace(b"attempts 1", b"attempts 999999"),
    attempts.format_record(FULL).replace(b"total 70", b"total 70\nslots a b"),
    b"kexec-initd attempts 3\nall is different here\nend 00000000\n",
]


def resealed(data: bytes) -> bytes:
    return checksum.seal(data[: data.rindex(b"end ")])


def put(root: Path, file: "store.StateFile", data: bytes) -> Path:
    store.write(root, file, data)
    return store.place_of(root, file)


@pytest.mark.parametrize("data", [resealed(data) for data in NEWER])
def test_a_record_of_a_newer_version_means_cold_and_is_kept_until_it_is_trusted(fake: FakeHost, data: bytes) -> None:
    with_kernel(fake)
    place = put(fake.root, Lasting.ATTEMPTS, data)
    for _ in range(2):
        with pytest.raises(Newer, match="written by a newer version of kexec-initd; install that version again"):
            shutdown.preload(gather(fake.root), Settings())
        decided = shutdown.prepare(gather(fake.root), Settings())
        assert (decided.kexec, decided.code) == (False, "guard")
        assert "attempts was written by a newer version of kexec-initd" in decided.reason
        assert place.read_bytes() == data
        fake.boot("another")
    attempts.trust(gather(fake.root), 3)
    assert shutdown.prepare(gather(fake.root), Settings()).kexec


@pytest.mark.parametrize("data", NEWER[:3])
def test_a_record_that_is_not_whole_is_damaged_whatever_its_version(tmp_path: Path, data: bytes) -> None:
    put(tmp_path, Lasting.ATTEMPTS, data)
    with pytest.raises(Damaged):
        attempts.read(tmp_path)


@pytest.mark.parametrize("gone, expected", [
    (["total", "firmware", "why"], FULL._replace(total=7, firmware=0, guard=Guard(1, A))),
    (["why"], FULL._replace(guard=Guard(1, A))),
    (["guard", "why"], FULL._replace(guard=None)),
])  # fmt: skip
def test_a_record_of_an_older_version_keeps_guard_and_trial(
    fake: FakeHost, gone: "list[str]", expected: Record
) -> None:
    lines = attempts.format_record(FULL).splitlines(keepends=True)
    data = b"".join(line for line in lines if line.split(b" ")[0].decode() not in gone)
    put(fake.root, Lasting.ATTEMPTS, resealed(data))
    assert attempts.read(fake.root) == expected
    fake.write("proc/sys/kernel/random/boot_id", "boot-2\n")
    attempts.record_boot(gather(fake.root), 3)
    assert len(store.place_of(fake.root, Lasting.ATTEMPTS).read_bytes().splitlines()) == len(lines), "written anew"


@pytest.mark.parametrize("line", [b"total 1e3", b"total -1", b"kexecs 1_0", b"total", b"boot x\nboot y"])
def test_what_no_version_writes_is_damaged(tmp_path: Path, line: bytes) -> None:
    put(tmp_path, Lasting.ATTEMPTS, checksum.seal(b"kexec-initd attempts 1\n" + line + b"\n"))
    with pytest.raises(Damaged):
        attempts.read(tmp_path)


@pytest.mark.parametrize("fields, word", [({"more": 1}, "newer"), ({"checks": None}, "older")])
def test_what_is_loaded_by_another_version_is_said_in_words(
    fake: FakeHost, fields: "dict[str, object]", word: str
) -> None:
    with_kernel(fake)
    host = gather(fake.root)
    from kexec_initd.kexec import load

    found = load.load_entry(host, Settings(), running_entry(host))
    record = dict(checksum.load(stamp.format_loaded(found)), **fields)
    whole = {name: value for name, value in record.items() if name == "chosen" or value is not None}
    put(fake.root, Volatile.LOADED, checksum.dump(whole))
    with pytest.raises(Damaged, match="a {} version has written it".format(word)):
        stamp.read_loaded(fake.root)


@pytest.mark.parametrize("data", [b"", b"{", b"nothing", b"\xff\xfe", b"[" * 60000])
def test_no_message_is_pythons_own(fake: FakeHost, data: bytes) -> None:
    with_kernel(fake)
    stamp.write(fake.root, "", stamp.Loaded("", "", [], "", "", False, stamp.Chosen.BY_LOADER), b"")
    put(fake.root, Volatile.LOADED, data)
    with pytest.raises(Error) as error:
        stamp.read_loaded(fake.root)
    assert "it is not JSON" in str(error.value) or "nested too deeply" in str(error.value)


def test_a_manifest_of_a_newer_version_is_said_to_be_one(tmp_path: Path) -> None:
    fields = {"version": 2, "anything": [1, 2]}
    put(tmp_path, Lasting.MANIFEST, checksum.dump(fields))
    with pytest.raises(Refused, match="written by a newer version of kexec-initd; install that version again"):
        read_manifest(tmp_path)
    put(tmp_path, Lasting.MANIFEST, json.dumps(fields).encode())
    with pytest.raises(Refused, match="newer version"):
        read_manifest(tmp_path)
