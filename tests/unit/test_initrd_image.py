"""Only an initrd that can be unpacked to its end and holds /init passes; everything else is refused with InvalidImage."""

import bz2
import gzip
import lzma
import os
import shutil
import struct
import tempfile
from pathlib import Path
from typing import Callable, Dict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexec_initd.images.decompress import find_programs
from kexec_initd.images.initrd import check_initrd
from kexec_initd.images.kernel import InvalidImage
from tests.unit import images
from tests.unit.waiting import eventually

Check = Callable[[bytes], None]
REAL = Path("/")
CPIO = images.cpio([("bin", 0o40755, b""), ("bin/sh", 0o100755, b"\x7fELF" * 999), ("init", 0o100755, b"#!/bin/sh\n")])
OTHER = images.cpio([("etc/conf", 0o100644, b"x")])
IN_PYTHON: Dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32),
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
}
BY_PROGRAM: Dict[str, Callable[[bytes], bytes]] = {
    "zstd": images.zstd_raw,
    "lz4": images.lz4_raw,
    "lzop": images.lzop_raw,
}
CUT = r"cut|damaged|without a trailer"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root without any program."""
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def check(root: Path) -> Check:
    def run(content: bytes) -> None:
        _check(content, root)

    return run


def _check(content: bytes, root: Path, timeout: float = 10, largest: int = 1 << 30) -> None:
    with open(str(root / "initrd"), "w+b") if root != REAL else tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        os.lseek(file.fileno(), 3, os.SEEK_SET)
        try:
            check_initrd(file.fileno(), find_programs(root), timeout, largest)
        finally:
            assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 3


@pytest.mark.parametrize("compress", IN_PYTHON.values(), ids=IN_PYTHON.keys())
def test_each_format_of_python(check: Check, compress: Callable[[bytes], bytes]) -> None:
    _check_format(check, compress)


@pytest.mark.parametrize("name", BY_PROGRAM)
def test_each_format_of_a_program(name: str) -> None:
    if not shutil.which(name):
        pytest.skip("no {} here".format(name))
    _check_format(lambda content: _check(content, REAL), BY_PROGRAM[name])


def _check_format(check: Check, compress: Callable[[bytes], bytes]) -> None:
    packed = compress(CPIO)
    check(packed)
    check(packed + bytes(7))
    check(images.microcode() + packed)
    check(images.microcode() + bytes(512) + compress(OTHER) + bytes(4) + packed + bytes(1000))
    for cut in (len(packed) * 99 // 100, len(packed) * 9 // 10, len(packed) // 2, 20):
        with pytest.raises(InvalidImage, match=CUT):
            check(packed[:cut])
    for content in (OTHER, b"no archive at all" * 9, CPIO[:-130], CPIO + b"x"):
        with pytest.raises(InvalidImage):
            check(compress(content))
    with pytest.raises(InvalidImage, match=CUT + "|starts neither"):
        check(packed + b"junk")


@pytest.mark.parametrize(
    "content",
    [CPIO, CPIO + bytes(1), bytes(4) + CPIO, images.microcode() + CPIO, CPIO + OTHER, images.cpio(magic=b"070702")],
)
def test_uncompressed_archives(check: Check, content: bytes) -> None:
    check(content)


def test_an_archive_has_to_begin_at_a_multiple_of_four_bytes(check: Check) -> None:
    packed = gzip.compress(OTHER)
    packed += bytes(-len(packed) % 4)
    check(packed + CPIO)
    with pytest.raises(InvalidImage, match="starts neither"):
        check(packed + bytes(1) + CPIO)
    name = next(name for name in ("a", "ab", "abc", "abcd") if len(_named_gzip(name)) % 4)
    with pytest.raises(InvalidImage, match="starts neither"):
        check(_named_gzip(name) + CPIO)


def _named_gzip(name: str) -> bytes:
    """Return a gzip archive whose size depends on a name in its header."""
    packed = gzip.compress(OTHER)
    return packed[:3] + b"\x08" + packed[4:10] + name.encode() + b"\0" + packed[10:]


@pytest.mark.parametrize("name, mode", [("init", 0o120777), ("./init", 0o100755), ("/init", 0o100755)])
def test_what_counts_as_init(check: Check, name: str, mode: int) -> None:
    check(images.cpio([(name, mode, b"usr/lib/systemd/systemd")]))


@pytest.mark.parametrize("name, mode", [("sbin/init", 0o100755), ("init", 0o40755), ("initx", 0o100755)])
def test_what_does_not_count_as_init(check: Check, name: str, mode: int) -> None:
    with pytest.raises(InvalidImage, match="no program /init"):
        check(images.cpio([(name, mode, b"")]))


@pytest.mark.parametrize(
    "content, why",
    [
        (b"", "0 bytes"),
        (bytes(5000), "it holds nothing"),
        (images.cpio([]), "it holds nothing"),
        (b"hello\n", "byte 0 starts neither a cpio nor a compressed archive"),
        (images.microcode(), "only microcode"),
        (images.microcode() + b"hello", "starts neither"),
        (bytes(2) + CPIO, "byte 2 starts neither"),
        (images.cpio(trailer=False), "1 entries without a trailer"),
        (CPIO[:-130], "without a trailer"),
        (CPIO[:4] + b"2" + CPIO[5:], "entry 1 has a damaged header"),
        (CPIO[:60] + b"-1" + CPIO[62:], "entry 1 has a damaged header"),
        (CPIO[:94] + b"00000000" + CPIO[102:], "a name of 0 bytes"),
        (CPIO[:94] + b"FFFFFFFF" + CPIO[102:], "a name of 4294967295 bytes"),
        (CPIO[:113] + b"X" + CPIO[114:], "a damaged name"),
        (images.cpio([("a", 0o100644, b"")])[:54] + b"FFFFFFFF", "without a trailer"),
        (lzma.compress(CPIO, check=lzma.CHECK_CRC64), "xz --check=crc32"),
        (images.lzop_raw(CPIO, flags=0), "checksums that the kernel cannot read"),
        (images.lzop_raw(b"")[:-4] + struct.pack(">III", 1, 2, 0) + bytes(2), "bad block"),
        (images.lzop_raw(b"")[:-4] + struct.pack(">III", 1 << 20, 9, 0) + bytes(9), "bad block"),
        (images.lz4_raw(CPIO)[:4] + b"\xff\xff\xff\x7f", "bad block"),
        (b"\x28\xb5\x2f\xfd\0\0\x07\0\0", "bad block"),
    ],
)
def test_what_is_refused(check: Check, content: bytes, why: str) -> None:
    with pytest.raises(InvalidImage, match=why):
        check(content)


@pytest.mark.parametrize("name", BY_PROGRAM)
def test_a_missing_program_is_named(check: Check, name: str) -> None:
    with pytest.raises(InvalidImage, match="no program {0} to check it; install the package {0}".format(name)):
        check(BY_PROGRAM[name](CPIO))


@pytest.fixture
def fake_zstd(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that puts a shell script as zstd below a root."""

    def make(script: str) -> Path:
        path = tmp_path / "usr/bin/zstd"
        path.parent.mkdir(parents=True)
        path.write_text('#!/bin/sh\nd={}\necho "$@" >$d/argv\n{}\n'.format(tmp_path, script))
        path.chmod(0o755)
        (tmp_path / "content").write_bytes(CPIO)
        return tmp_path

    return make


def test_a_program_gets_its_archive_and_nothing_else(fake_zstd: Callable[[str], Path]) -> None:
    root = fake_zstd("cat >$d/fed; cat $d/content")
    _check(images.microcode() + images.zstd_raw(CPIO) + bytes(9), root)
    assert (root / "argv").read_text() == "-dc\n"
    assert (root / "fed").read_bytes() == images.zstd_raw(CPIO)


@pytest.mark.parametrize(
    "more", [b"", bytes(9), OTHER, gzip.compress(OTHER)], ids=["nothing", "padding", "cpio", "gzip"]
)
def test_the_checksum_belongs_to_the_archive(fake_zstd: Callable[[str], Path], more: bytes) -> None:
    root = fake_zstd("cat >$d/fed; cat $d/content")
    archive = images.zstd_raw(CPIO + b"x" * (-len(CPIO) % 4 + 3), checksum=b"\1\2\3\4")
    _check(archive + bytes(-len(archive) % 4) + more, root)
    assert (root / "fed").read_bytes() == archive


def test_a_program_that_waits_for_input_after_its_output_is_not_waited_for(fake_zstd: Callable[[str], Path]) -> None:
    """So does zstd 1.5.4 after an error, in one run of three."""
    with pytest.raises(InvalidImage, match="failed with 1"):
        _check(images.zstd_raw(CPIO * 200), fake_zstd("exec >&- 2>&-; sleep 0.2; cat >/dev/null; exit 1"))


def test_nothing_of_a_killed_program_is_left(fake_zstd: Callable[[str], Path]) -> None:
    root = fake_zstd("sleep 60 & echo $! >$d/child; echo $$ >$d/pid; wait")
    with pytest.raises(InvalidImage, match="did not end in time"):
        _check(images.zstd_raw(CPIO), root, timeout=1)
    pids = [int((root / name).read_text()) for name in ("pid", "child")]
    assert eventually(lambda: {_state(pid) for pid in pids} <= {"", "Z"})


def _state(pid: int) -> str:
    """Return the state of a process, "Z" for one that nobody has waited for yet, or "" when it is gone."""
    try:
        return Path("/proc/{}/stat".format(pid)).read_text().rsplit(") ", 1)[1][0]
    except OSError:
        return ""


@pytest.mark.parametrize(
    "script, why",
    [
        ("cat $d/content; echo first >&2; echo 'bad checksum' >&2; exit 1", "failed with 1: bad checksum"),
        ("cat $d/content; kill -9 $$", "failed with -9: no message"),
        ("exec >&-; sleep 60", "did not end in time"),
        ("exec >&- 2>&-; sleep 60", "did not end in time"),
        ("cat $d/content; exec sleep 60", "did not end in time"),
        ("while :; do echo no archive; done", "no cpio archive"),
        ("head -c 1000 /dev/zero; exit 0", "it holds nothing"),
    ],
)
def test_a_program_that_fails_or_hangs(fake_zstd: Callable[[str], Path], script: str, why: str) -> None:
    with pytest.raises(InvalidImage, match=why):
        _check(images.zstd_raw(CPIO * 200), fake_zstd(script), timeout=0.5 if "sleep" in script else 10)


def test_a_program_that_cannot_start(fake_zstd: Callable[[str], Path]) -> None:
    root = fake_zstd("")
    (root / "usr/bin/zstd").write_text("#!/no/such/shell\n")
    with pytest.raises(InvalidImage, match="cannot start"):
        _check(images.zstd_raw(CPIO), root)


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("compress", IN_PYTHON.values(), ids=IN_PYTHON.keys())
def test_a_bomb_is_refused(root: Path, compress: Callable[[bytes], bytes]) -> None:
    """Zeros behind a complete archive may go on for ever."""
    _check(compress(CPIO + bytes(16 << 20)), root, largest=17 << 20)
    with pytest.raises(InvalidImage, match="unpacks to more than 8388608 bytes"):
        _check(compress(CPIO + bytes(16 << 20)), root, largest=8 << 20)


def test_many_archives_share_one_limit(root: Path) -> None:
    archive = gzip.compress(CPIO + bytes(1 << 20))
    with pytest.raises(InvalidImage, match="unpacks to more than"):
        _check(archive * 9, root, largest=8 << 20)


def test_a_program_that_never_ends_is_stopped(fake_zstd: Callable[[str], Path]) -> None:
    with pytest.raises(InvalidImage, match="unpacks to more than 8388608 bytes"):
        _check(images.zstd_raw(CPIO), fake_zstd("cat $d/content; exec cat /dev/zero"), largest=8 << 20)


def test_the_time_is_bounded(root: Path) -> None:
    packed = lzma.compress(bytes(1 << 20), check=lzma.CHECK_CRC32)
    for content in (CPIO, packed, images.zstd_raw(CPIO)):
        with pytest.raises(InvalidImage, match="took more than"):
            _check(content, root, timeout=-1)


def test_a_sparse_file_of_gigabytes_is_refused_at_once(tmp_path: Path) -> None:
    with open(str(tmp_path / "initrd"), "w+b") as file:
        file.truncate(8 << 30)
        with pytest.raises(InvalidImage, match="8589934592 bytes"):
            check_initrd(file.fileno())


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    fd = os.open(str(tmp_path), os.O_RDONLY)
    with pytest.raises(InvalidImage, match="not a regular file"):
        check_initrd(fd)
    os.close(fd)


BASES = [CPIO, *(pack(CPIO) for pack in IN_PYTHON.values()), *(pack(CPIO) for pack in BY_PROGRAM.values())]


@given(
    st.lists(st.sampled_from([images.microcode(), bytes(3), bytes(512), *BASES]), max_size=3).map(b"".join), st.data()
)
def test_mutated_initrds_raise_nothing_else(check: Check, content: bytes, data: st.DataObject) -> None:
    changed = bytearray(content)
    places = st.integers(0, max(len(content) - 1, 0))
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8)) if content else []:
        changed[place] = value
    try:
        check(bytes(changed[: data.draw(st.none() | st.integers(0, len(content)))]))
    except InvalidImage:
        pass


@given(st.sampled_from([b"", *(base[:9] for base in BASES)]), st.binary())
def test_arbitrary_bytes_are_refused(check: Check, start: bytes, content: bytes) -> None:
    with pytest.raises(InvalidImage):
        check(start + content)
