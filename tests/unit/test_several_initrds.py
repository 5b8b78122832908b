"""Several initrds become one: in order, aligned, whole, with nothing left behind. And whose modules they hold."""

import gzip
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List, Set

import pytest

from kexec_initd.boot_entry import BootEntry
from kexec_initd.errors import Refused
from kexec_initd.images.concat import as_one
from kexec_initd.images.initrd import check_initrd
from kexec_initd.kexec import load, stamp
from kexec_initd.kexec.freshness import watched
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.state import checksum
from kexec_initd.state.store import Volatile, place_of
from kexec_initd.system.host import gather
from tests.unit import images
from tests.unit.fake_host import FakeHost, with_kernel

pytestmark = pytest.mark.ends

RELEASE = "6.1.0-test"
KERNEL = Path("/boot/vmlinuz-" + RELEASE)
MODULES = images.cpio([("usr/lib/modules/{}/kernel/a.ko".format(RELEASE), 0o100644, b"x" * 4097)])
PARTS = {
    "intel-ucode.img": images.microcode() + bytes(3),
    "firmware.img": gzip.compress(images.cpio([("lib/firmware/a", 0o100644, b"")])) + bytes(1),
    "initrd.img-" + RELEASE: MODULES + gzip.compress(images.cpio()),
}
assert len(PARTS["intel-ucode.img"]) % 4 == 3


@pytest.fixture
def ready(fake: FakeHost) -> FakeHost:
    with_kernel(fake)
    (fake.root / "dev/shm").mkdir(parents=True)
    for name, content in PARTS.items():
        (fake.root / "boot" / name).write_bytes(content)
    return fake


@pytest.fixture(params=["memory", "file"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Take away what Python 3.6 and old kernels do not have."""
    if request.param == "file":
        monkeypatch.delattr(os, "memfd_create", raising=False)
    return str(request.param)


def entry_of(*names: str) -> BootEntry:
    return BootEntry("test", "test", KERNEL, tuple(Path("/boot") / name for name in names), "ro")


def open_files() -> List[str]:
    return sorted(os.listdir("/proc/self/fd"))


@pytest.fixture
def opened(ready: FakeHost) -> Iterator[int]:
    """Count what is open before and after, in this process and in the place of the file without a name."""
    before = open_files()
    yield len(before)
    assert open_files() == before
    assert os.listdir(str(ready.root / "dev/shm")) == []


@pytest.mark.usefixtures("way", "opened")
def test_they_are_loaded_in_order_each_at_a_multiple_of_four_bytes(ready: FakeHost) -> None:
    # The fake copies what its argument names, after the files have been replaced under their names.
    body = 'rm {0}/boot/*; cat "${{5#--initrd=}}" >{0}/initrd; echo 1 >{0}/sys/kernel/kexec_loaded'
    usage = '[ "$1" = -l ] || { echo "--no-checks --kexec-syscall --kexec-file-syscall"; exit 0; }; '
    ready.program("kexec", usage + body.format(ready.root))
    loaded = load.load_entry(gather(ready.root), Settings(), entry_of(*PARTS))
    assert loaded.initrds == ["/boot/" + name for name in PARTS]
    assert stamp.read_loaded(ready.root) == loaded
    content, at = (ready.root / "initrd").read_bytes(), 0
    for part in PARTS.values():
        assert content[at : at + len(part)] == part
        end = at + len(part)
        at = end + -end % 4 + 4
        assert content[end:at] == bytes(at - end)
    assert at == len(content)
    with open(str(ready.root / "initrd"), "rb") as file:
        assert check_initrd(file.fileno()) == {RELEASE}


@pytest.mark.usefixtures("way", "opened")
def test_only_we_can_use_the_file(ready: FakeHost) -> None:
    path = str(ready.root / "boot/intel-ucode.img")
    with open(path, "rb") as file, as_one(ready.root, [("one", file.fileno()), ("two", file.fileno())]) as found:
        mode = os.fstat(found.fd)
        assert (mode.st_mode & 0o7777, mode.st_nlink) == (0o600, 0)
        assert not os.get_inheritable(found.fd)


def test_a_single_one_stays_itself(ready: FakeHost) -> None:
    path = str(ready.root / "boot/intel-ucode.img")
    with open(path, "rb") as file, as_one(ready.root, [("one", file.fileno())]) as found:
        assert found.fd == file.fileno()


def refusal(ready: FakeHost, *names: str) -> str:
    with pytest.raises(Refused) as caught:
        load.load_entry(gather(ready.root), Settings(), entry_of(*names))
    assert not [call for call in ready.calls() if "-l" in call]
    return str(caught.value)


SPOILT = {
    "text": b"hello\n",
    "zeros": bytes(5000),
    "empty": b"",
    "cut": PARTS["intel-ucode.img"][:-600],
    "cut gzip": gzip.compress(images.cpio())[:-5],
    "other release": images.cpio([("lib/modules/5.10/a.ko", 0o100644, b"")]),
}


@pytest.mark.usefixtures("way", "opened")
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("kind", [kind for kind in SPOILT if kind != "other release"])
def test_a_part_that_is_no_initrd_is_refused_by_its_name(ready: FakeHost, kind: str, place: int) -> None:
    names = list(PARTS)
    names[place] = "spoilt"
    (ready.root / "boot/spoilt").write_bytes(SPOILT[kind])
    assert refusal(ready, *names).startswith("/boot/spoilt: ")


@pytest.mark.parametrize("kind", ["directory", "dangling", "fifo", "missing"])
def test_a_part_that_is_no_file_is_refused_by_its_name(ready: FakeHost, kind: str) -> None:
    path = ready.root / "boot/spoilt"
    if kind == "directory":
        path.mkdir()
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "fifo":
        os.mkfifo(str(path))
    assert "boot/spoilt" in refusal(ready, "spoilt", "initrd.img-" + RELEASE)


def test_one_of_them_has_to_hold_the_program(ready: FakeHost) -> None:
    names = list(PARTS)[:2]
    assert refusal(ready, *names).startswith("/boot/intel-ucode.img, /boot/firmware.img: no program /init")


def test_modules_of_another_kernel_are_refused(ready: FakeHost) -> None:
    (ready.root / "boot/other").write_bytes(SPOILT["other release"] + gzip.compress(images.cpio()))
    message = "/boot/intel-ucode.img, /boot/other: its modules are of kernel 5.10, not of 6.1.0-test"
    assert refusal(ready, "intel-ucode.img", "other") == message


@pytest.mark.usefixtures("opened")
def test_too_little_memory_is_noticed_before(ready: FakeHost) -> None:
    need = sum(map(len, PARTS.values())) * 3 // 1024
    ready.write("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:  {} kB\n".format(need))
    assert "not enough memory" in refusal(ready, *PARTS)
    ready.write("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:  {} kB\n".format(need + 1))
    load.load_entry(gather(ready.root), Settings(), entry_of(*PARTS))


def test_files_of_gigabytes_are_refused_at_once(ready: FakeHost) -> None:
    for name in ("one", "two"):
        with open(str(ready.root / "boot" / name), "wb") as file:
            file.truncate(3 << 29)
    assert "the initrds have 3221225472 bytes together" in refusal(ready, "one", "two")


@pytest.mark.usefixtures("way", "opened")
def test_no_room_means_cold_with_one_line(ready: FakeHost) -> None:
    large = images.cpio([("data", 0o100644, os.urandom(3 << 20))])
    (ready.root / "boot/large").write_bytes(large)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As a file system without room, the limit stops a write in its middle.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        message = refusal(ready, "large", "initrd.img-" + RELEASE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert message == "cannot put the initrds together: File too large"


def test_no_place_means_cold_with_one_line(ready: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    for name in ("dev", "run"):
        (ready.root / name).rename(ready.root / (name + ".away"))
    assert "cannot put the initrds together in {}/dev/shm: ".format(ready.root) in refusal(ready, *PARTS)


KILLED = """
import os, signal, sys
from pathlib import Path
if sys.argv[1] == "file":
    vars(os).pop("memfd_create", None)
from kexec_initd.images.concat import as_one
root = Path(sys.argv[2])
files = [(name, os.open(str(root / "boot" / name), os.O_RDONLY)) for name in sys.argv[3:]]
with as_one(root, files):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("how", ["memory", "file"])
def test_nothing_is_left_of_a_run_that_was_killed(ready: FakeHost, how: str) -> None:
    argv = [sys.executable, "-c", KILLED, how, str(ready.root), *PARTS]
    assert subprocess.run(argv, cwd=str(Path(__file__).parents[2])).returncode == -signal.SIGKILL


def test_each_part_is_watched(ready: FakeHost) -> None:
    host, entry = gather(ready.root), entry_of(*PARTS)
    for name in PARTS:
        load.load_entry(host, Settings(), entry)
        assert stamp.is_fresh(ready.root, watched(host, entry))
        path = ready.root / "boot" / name
        path.with_name("new").write_bytes(path.read_bytes())
        path.with_name("new").rename(path)
        assert not stamp.is_fresh(ready.root, watched(host, entry))


@pytest.mark.parametrize(
    "change",
    [
        {"initrd": "/boot/a"},
        {"initrds": "/boot/a"},
        {"initrds": [1]},
        {"initrds": None},
        {"release": None},
        {"chosen": True},
        {"chosen": ["a"]},
        {"chosen": ["a", 1]},
        {"chosen": "ab"},
    ],
)
def test_a_record_of_another_form_means_cold(ready: FakeHost, change: object) -> None:
    shutdown.preload(gather(ready.root), Settings())
    path = place_of(ready.root, Volatile.LOADED)
    record = checksum.load(path.read_bytes())
    assert record["initrds"] == ["/boot/initrd.img-" + RELEASE]
    assert isinstance(change, dict)
    record.update(change)
    path.write_bytes(checksum.dump(record))
    decision = shutdown.prepare(gather(ready.root), Settings())
    assert not decision.kexec
    assert "loaded.json, which says what is loaded, is damaged" in decision.reason
    assert not stamp.exists(ready.root)


@pytest.mark.parametrize(
    "names, releases",
    [
        ([], set()),
        (["lib/modules/6.1/modules.dep"], {"6.1"}),
        (["./usr/lib/modules/6.1/kernel/a.ko", "/lib/modules/6.2/b.ko.xz"], {"6.1", "6.2"}),
        (["lib/modules/6.1", "lib/modules/6.1/", "lib/modules", "lib/a.ko", "x/lib/modules/6.1/a.ko"], set()),
    ],
)
def test_modules_name_their_kernel(tmp_path: Path, names: List[str], releases: Set[str]) -> None:
    """Early archives count, and so does what is compressed; directories alone do not."""
    files = [(name, 0o100644, b"") for name in names]
    content = (
        images.cpio([("lib/modules/5", 0o40755, b""), ("lib/modules/5/kernel", 0o40755, b""), *files]) + images.cpio()
    )
    for data in (content, gzip.compress(content), images.microcode() + gzip.compress(content)):
        (tmp_path / "initrd").write_bytes(data)
        with open(str(tmp_path / "initrd"), "rb") as file:
            assert check_initrd(file.fileno()) == releases


def test_modules_of_too_many_kernels_are_refused(tmp_path: Path) -> None:
    files = [("lib/modules/{}/a.ko".format(number), 0o100644, b"") for number in range(65)]
    (tmp_path / "initrd").write_bytes(images.cpio(files))
    with open(str(tmp_path / "initrd"), "rb") as file, pytest.raises(Refused, match="modules of more than 64 kernels"):
        check_initrd(file.fileno())
