"""The initrd handed over unpacked: what the kernel makes of it is the same, and where it cannot be done it is loaded as it is."""

import gzip
import lzma
import os
import tempfile
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexec_initd.images.decompress import find_programs
from kexec_initd.images.in_memory import read_available
from kexec_initd.images.initrd import Part, check_initrd
from kexec_initd.images.unpacked import keep
from kexec_initd.kexec import load, stamp
from kexec_initd.kexec.freshness import is_loaded_already
from kexec_initd.settings.reader import Settings
from kexec_initd.state import checksum
from kexec_initd.state.store import Volatile, place_of
from kexec_initd.system.host import gather
from kexec_initd.verbs import status
from tests.unit import images
from tests.unit.fake_host import FakeHost, running_entry, with_kernel
from tests.unit.kernel_reading import Archives, find_early, unpack

pytestmark = pytest.mark.ends

REAL = Path("/")
MICROCODE = b"kernel/x86/microcode/GenuineIntel.bin"
TABLES = b"kernel/firmware/acpi/"
COMPRESS: Dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32),
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zstd": images.zstd_raw,
    "lz4": images.lz4_raw,
}
INIT = images.cpio()
NAMES = st.sampled_from(
    ["init", "bin", "a", "etc/conf", "lib/modules/6.1/a.ko", "kernel", MICROCODE.decode(), "kernel/firmware/acpi/a.aml"]
)
FILES = st.lists(
    st.tuples(NAMES, st.sampled_from([0o100644, 0o40755, 0o120777]), st.binary(max_size=9)), min_size=1, max_size=4
)
ARCHIVE = st.builds(images.cpio, FILES, magic=st.sampled_from([b"070701", b"070702"]))


class Segment(NamedTuple):
    """Archives in a row, compressed in the format `form` or in none, behind `zeros` zero bytes; `apart`: in another file."""

    form: str
    content: bytes
    zeros: int
    apart: bool


# An archive begins at a multiple of four; what follows the last one is of any length.
CONTENT = st.builds(
    lambda first, between, second, end: first + bytes(between) + second + bytes(end),
    *(ARCHIVE, st.sampled_from([0, 4, 512]), st.just(b"") | ARCHIVE, st.integers(0, 5)),
)
SEGMENTS = st.lists(
    st.builds(Segment, st.sampled_from(["", "", *COMPRESS]), CONTENT, st.integers(0, 9), st.booleans()), max_size=5
)


def put_together(segments: List[Segment]) -> Tuple[bytes, Archives, List[Part]]:
    """Return an initrd that the kernel can read, where its compressed archives are, and the files that it is made of."""
    data, archives, starts = b"", {}, [0]  # type: bytes, Archives, List[int]
    before = ""
    for number, (form, content, zeros, apart) in enumerate(segments):
        # What is not compressed begins at a multiple of four, and so does all that follows it; lz4 ends with a word of zeros.
        data += bytes(zeros + (4 if before == "lz4" else 0))
        data += bytes(-len(data) % 4) if apart or not (form and before) else b""
        if apart and number:
            starts.append(len(data))
        if form:
            packed = COMPRESS[form](content)
            archives[len(data)] = (content, len(packed))
            data += packed
        else:
            data += content
        before = form
    ends = [*starts[1:], len(data)]
    return data, archives, [Part("part", start, end - start) for start, end in zip(starts, ends) if start < end]


def unpacked(data: bytes, parts: List[Part]) -> bytes:
    """Return what would be handed over: the same where it would be as it is."""
    with tempfile.TemporaryFile(dir="/dev/shm") as file, keep(REAL, 1 << 30) as kept:
        file.write(data)
        file.flush()
        check_initrd(file.fileno(), find_programs(REAL), parts=parts, keep=kept)
        return data if kept.fd is None else os.pread(kept.fd, 1 << 30, 0)


@given(SEGMENTS, st.sampled_from(["", *COMPRESS]))
def test_the_kernel_makes_the_same_of_it(segments: List[Segment], last: str) -> None:
    data, archives, parts = put_together([*segments, Segment(last, INIT, 0, apart=False)])
    handed = unpacked(data, parts)
    assert unpack(handed, archives if handed == data else {}) == unpack(data, archives)
    for path in (MICROCODE, TABLES):
        assert find_early(handed, path) == find_early(data, path)
    assert bool(archives) or handed == data


def test_it_is_unpacked_indeed_with_microcode_first() -> None:
    early = images.microcode() + bytes(510)
    data, _, parts = put_together([Segment("", early, 0, False), Segment("xz", INIT * 3, 0, False)])
    assert unpacked(data, parts) == early + bytes(2) + INIT * 3


@pytest.mark.parametrize("zeros", range(5))
@pytest.mark.parametrize("form", ["gzip", ""])
def test_each_archive_begins_at_a_multiple_of_four_bytes(zeros: int, form: str) -> None:
    segments = [
        Segment("xz", INIT + bytes(1), 0, False),
        Segment(form, INIT + bytes(2), zeros, False),
        Segment("gzip", INIT, 0, True),
    ]
    data, archives, parts = put_together(segments)
    assert unpack(unpacked(data, parts), {}) == unpack(data, archives)


@pytest.mark.parametrize("name", [MICROCODE.decode(), "kernel/firmware/acpi/dsdt.aml", "kernel/x"])
@pytest.mark.parametrize("form", ["gzip", ""])
def test_what_would_come_into_sight_is_left_where_it_is(name: str, form: str) -> None:
    hidden = Segment(form, images.cpio([(name, 0o100644, b"hidden")]), 0, True)
    data, _, parts = put_together([Segment("gzip", INIT, 0, False), hidden])
    assert unpacked(data, parts) == data


# Loading.

CONTENT_YES = images.microcode() + INIT


@pytest.fixture
def ready(fake: FakeHost) -> FakeHost:
    """A host with memory, and a kexec that keeps the initrd that it is given."""
    with_kernel(fake)
    (fake.root / "dev/shm").mkdir(parents=True)
    (fake.root / "boot/initrd.img-6.1.0-test").write_bytes(images.microcode() + gzip.compress(INIT))
    fake.write("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:  1000000 kB\n")
    kexec(fake)
    return fake


def kexec(
    fake: FakeHost, most: int = 1 << 30, options: str = "--no-checks --kexec-syscall --kexec-file-syscall"
) -> None:
    """Give the host a kexec with `options`, that loads no initrd of more than `most` bytes."""
    fake.program("kexec", """
for word; do case $word in --initrd=*) cp "${{word#--initrd=}}" {0}/given ;; esac; done
case "$1" in
--help) echo "{1}" ;;
-l) [ "$(wc -c <{0}/given)" -le {2} ] && echo 1 >{0}/sys/kernel/kexec_loaded ;;
-u) echo 0 >{0}/sys/kernel/kexec_loaded ;;
esac""".format(fake.root, options, most))  # fmt: skip


def loaded(fake: FakeHost, setting: str = "yes", checks: bool = False) -> bytes:
    """Load, and return the initrd that kexec was given; the record has to say whether it is the unpacked one."""
    host = gather(fake.root)
    before = sorted(os.listdir("/proc/self/fd"))
    found = load.load_entry(host, Settings(unpack_initrd=setting, purgatory_checks=checks), running_entry(host))
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert os.listdir(str(fake.root / "dev/shm")) == []
    assert (fake.root / "sys/kernel/kexec_loaded").read_text() == "1\n"
    given_now = (fake.root / "given").read_bytes()
    assert stamp.read_loaded(fake.root) == found
    assert found.unpacked == (given_now != packed(fake))
    return given_now


def packed(fake: FakeHost) -> bytes:
    return (fake.root / "boot/initrd.img-6.1.0-test").read_bytes()


@pytest.mark.parametrize("setting", ["yes", "auto"])
@pytest.mark.parametrize("way", ["memory", "file"])
def test_kexec_gets_what_the_initrd_unpacks_to(
    ready: FakeHost, setting: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "file":
        monkeypatch.delattr(os, "memfd_create", raising=False)
    assert loaded(ready, setting) == CONTENT_YES
    host = gather(ready.root)
    assert is_loaded_already(host, Settings(unpack_initrd=setting), running_entry(host))
    found = status.gather_status(host, Settings(), [])
    assert found.loaded_unpacked
    assert "loaded:     kernel 6.1.0-test, its initrd unpacked\n" in status.as_text(found)


def test_by_default_the_initrd_is_loaded_as_it_is(ready: FakeHost) -> None:
    assert loaded(ready, Settings().unpack_initrd) == packed(ready)
    found = status.gather_status(gather(ready.root), Settings(), [])
    assert not found.loaded_unpacked
    assert "unpacked" not in status.as_text(found)


def of_file_load(fake: FakeHost) -> None:
    fake.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n")


def of_measuring(fake: FakeHost) -> None:
    fake.write("sys/kernel/security/ima/policy", "appraise func=KEXEC_INITRAMFS_CHECK appraise_type=imasig\n")


def of_little_memory(fake: FakeHost) -> None:
    need = len(packed(fake)) * 10
    fake.write("proc/meminfo", "MemAvailable:  {} kB\n".format((need - 1) // 1024))


def of_unknown_memory(fake: FakeHost) -> None:
    fake.write("proc/meminfo", "MemTotal: 1000000 kB\nMemFree: 1000000 kB\n")


def of_great_content(fake: FakeHost) -> None:
    path = fake.root / "boot/initrd.img-6.1.0-test"
    path.write_bytes(gzip.compress(images.cpio([("init", 0o100755, bytes(1 << 20))])))
    fake.write("proc/meminfo", "MemAvailable:  3000 kB\n")


def of_an_old_kexec(fake: FakeHost) -> None:
    kexec(fake, options="--kexec-syscall --kexec-file-syscall")


def of_a_kexec_that_will_not(fake: FakeHost) -> None:
    kexec(fake, most=len(CONTENT_YES) - 1)
    (fake.root / "boot/initrd.img-6.1.0-test").write_bytes(gzip.compress(CONTENT_YES.replace(b"kernel", b"config")))


def of_nothing_compressed(fake: FakeHost) -> None:
    (fake.root / "boot/initrd.img-6.1.0-test").write_bytes(CONTENT_YES)


@pytest.mark.parametrize("setting", ["yes", "auto"])
@pytest.mark.parametrize(
    "hinder",
    [
        *(of_file_load, of_measuring, of_little_memory, of_unknown_memory, of_great_content, of_an_old_kexec),
        *(of_a_kexec_that_will_not, of_nothing_compressed),
    ],
)
def test_where_it_cannot_be_done_the_initrd_is_loaded_as_it_is(
    ready: FakeHost, setting: str, hinder: Callable[[FakeHost], None]
) -> None:
    hinder(ready)
    assert loaded(ready, setting) == packed(ready)


def test_a_checksum_is_not_made_longer(ready: FakeHost) -> None:
    assert loaded(ready, checks=True) == packed(ready)


def test_what_is_quickly_unpacked_takes_no_memory_but_by_the_admins_wish(ready: FakeHost) -> None:
    (ready.root / "boot/initrd.img-6.1.0-test").write_bytes(images.lz4_raw(INIT))
    fake_lz4 = "head -c {0} {1}/content".format(len(INIT), ready.root)
    (ready.root / "content").write_bytes(INIT)
    ready.program("lz4", "cat >/dev/null; " + fake_lz4)
    assert loaded(ready, "auto") == packed(ready)
    assert loaded(ready, "yes") == INIT


def test_no_room_is_no_reason_to_go_cold(ready: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    for name in ("dev", "run"):
        (ready.root / name).rename(ready.root / (name + ".away"))
    host = gather(ready.root)
    assert not load.load_entry(host, Settings(unpack_initrd="yes"), running_entry(host)).unpacked
    assert (ready.root / "given").read_bytes() == packed(ready)


def test_a_change_of_the_initrd_is_seen_as_ever(ready: FakeHost) -> None:
    loaded(ready)
    host, entry = gather(ready.root), running_entry(gather(ready.root))
    path = ready.root / "boot/initrd.img-6.1.0-test"
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").rename(path)
    assert not is_loaded_already(host, Settings(unpack_initrd="yes"), entry)


def test_a_record_from_before_there_was_such_a_thing_is_read(ready: FakeHost) -> None:
    assert loaded(ready, "no") == packed(ready)
    path = place_of(ready.root, Volatile.LOADED)
    fields = checksum.load(path.read_bytes())
    del fields["unpacked"]
    path.write_bytes(checksum.dump(fields))
    record = stamp.read_loaded(ready.root)
    assert record is not None and not record.unpacked


def test_available_memory(fake: FakeHost) -> None:
    assert read_available(fake.root) is None
    fake.write("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:   12 kB\n")
    assert read_available(fake.root) == 12288
