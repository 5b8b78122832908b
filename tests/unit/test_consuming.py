"""What the boot loader would write is written in its place: exactly that, or nothing."""

import contextlib
import errno
import fcntl
import os
import resource
import struct
from pathlib import Path
from typing import Callable, Dict, List, Optional

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kexec_initd.bootloader import LoaderWrite, writeback
from kexec_initd.bootloader.efivars import path_of
from kexec_initd.bootloader.grub2 import grubenv
from kexec_initd.bootloader.installed_kernels import entry_for
from kexec_initd.bootloader.target import Target, read_target
from kexec_initd.decision.selection import Selected, find_next
from kexec_initd.errors import Error, Refused
from kexec_initd.history import attempts
from kexec_initd.kexec import load, program, stamp
from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.system.host import gather
from kexec_initd.system.sysroot import Tree
from tests.bootloader.hosts import unpack
from tests.unit.fake_host import FakeHost, with_kernel

pytestmark = pytest.mark.ends

SDBOOT = "/boot/efi/4098b3f648d74c13b1f04ccfba7798e8/6.1.0-{}-amd64/linux"
ENVIRONMENT = "boot/grub/grubenv"
SIGNATURE = grubenv.SIGNATURE.decode()


def contents(root: Path) -> Dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def variables(data: bytes) -> Dict[str, str]:
    return {name: variable.value for name, variable in grubenv.parse(data).items()}


def taken(target: Target) -> str:
    assert target.entry is not None, target.problem
    return str(target.entry.kernel)


@pytest.mark.parametrize("host, before, after", [
    ("grub2/debian-12-once", "/boot/vmlinuz-6.1.0-10-amd64", "/boot/vmlinuz-6.1.0-37-amd64"),
    ("grub2/debian-12-once-then-saved", "/boot/vmlinuz-6.1.0-10-amd64", "/boot/vmlinuz-6.1.0-37-amd64"),
    ("grub2/debian-7-once", "/boot/vmlinuz-3.2.0-4-amd64", "/boot/vmlinuz-3.2.0-6-amd64"),
    ("sdboot-one-shot", SDBOOT.format(9), SDBOOT.format(10)),
])  # fmt: skip
def test_a_wish_is_honoured_once(tmp_path: Path, host: str, before: str, after: str) -> None:
    root = tmp_path / "root"
    unpack(host, root)
    files, first = contents(root), read_target(Tree(root)).target
    assert (taken(first), first.one_shot) == (before, True)
    writeback.consume(root, first.changes)
    second = read_target(Tree(root)).target
    assert (taken(second), second.one_shot, second.changes) == (after, False, ())
    changed = {str(change.path.relative_to("/")): change.after for change in first.changes}
    assert contents(root) == {
        name: changed.get(name, data) for name, data in files.items() if changed.get(name, data) is not None
    }


@pytest.mark.parametrize("host, name, wanted", [
    ("ubuntu-12.04", "grub", {"recordfail": "1"}),
    ("fedora-41-counter", "grub2", {"boot_counter": "1", "boot_success": "0"}),
])  # fmt: skip
def test_what_grub_writes_without_a_wish_is_written(
    tmp_path: Path, host: str, name: str, wanted: Dict[str, str]
) -> None:
    root = tmp_path / "root"
    unpack("grub2/" + host, root)
    path = root / "boot" / name / "grubenv"
    inode = path.stat().st_ino
    writeback.consume(root, read_target(Tree(root)).target.changes)
    found = variables(path.read_bytes())
    assert {key: found.get(key) for key in wanted} == wanted
    assert "boot_indeterminate" not in found
    assert (path.stat().st_ino, path.stat().st_size) == (inode, grubenv.SIZE)


NAMES = st.text("abcdefgh", min_size=1, max_size=6)


@given(st.dictionaries(NAMES, st.text("ab \\\n=#'1>", max_size=8), max_size=5), st.integers(0, 5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_all_but_the_wish_stays(tmp_path: Path, others: Dict[str, str], place: int) -> None:
    items = sorted(others.items())
    items.insert(place, ("next_entry", "1>2"))
    empty = grubenv.SIGNATURE + b"# WARNING\n"
    block = grubenv.with_changes(empty.ljust(grubenv.SIZE, b"#"), dict(items))
    root = tmp_path / "root"
    if not root.exists():
        unpack("grub2/debian-12-once", root)
    (root / ENVIRONMENT).write_bytes(block)
    writeback.consume(root, read_target(Tree(root)).target.changes)
    new = (root / ENVIRONMENT).read_bytes()
    assert new == block.replace(b"\nnext_entry=1>2\n", b"\nnext_entry=\n") + b"###"
    assert variables(new) == dict(others, next_entry="")
    assert not read_target(Tree(root)).target.one_shot


@pytest.mark.parametrize("once, saved, default, deleted", [
    ("b.conf", None, "a.conf", ["LoaderEntryOneShot"]),
    ("gone.conf", None, "a.conf", ["LoaderEntryOneShot"]),
    (None, "a.conf", "@saved", []),
    (None, "b.conf", "a.conf", ["LoaderEntryLastBooted"]),
    ("b.conf", "a.conf", "@saved", ["LoaderEntryOneShot"]),
    ("b.conf", "a.conf", "a.conf", ["LoaderEntryOneShot"]),
    ("gone.conf", "a.conf", "a.conf", ["LoaderEntryLastBooted", "LoaderEntryOneShot"]),
    (None, "gone.conf", "@saved", None),
    ("b.*", "a.conf", "@saved", None),
])  # fmt: skip
def test_variables_that_systemd_boot_deletes(
    fake: FakeHost, once: Optional[str], saved: Optional[str], default: str, deleted: Optional[List[str]]
) -> None:
    for name in "ab":
        fake.write("boot/loader/entries/{}.conf".format(name), "linux /k\noptions {}\n".format(name))
    fake.write("boot/k", "")
    fake.write("proc/mounts", "/dev/vda1 / ext4 ro 0 0\n/dev/vda2 /boot vfat rw 0 0\n")
    fake.write("boot/loader/loader.conf", "default {}\n".format(default))
    for name, value in [("LoaderEntryOneShot", once), ("LoaderEntryLastBooted", saved)]:
        if value is not None:
            fake.write(path_of(name)[1:], "").write_bytes(b"\7\0\0\0" + (value + "\0").encode("utf-16-le"))
    found = read_target(Tree(fake.root)).target
    if deleted is None:
        assert "has to note" in (found.problem or "")
        return
    assert [str(change.path) for change in found.changes] == [path_of(name) for name in deleted]
    writeback.consume(fake.root, found.changes)
    assert not any((fake.root / path_of(name)[1:]).exists() for name in deleted)


CHANGE = LoaderWrite(Path("/boot/grub/grubenv"), b"a" * 1024, b"b" * 1024, "text")


def replaced_by_a_link(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


def only_512_bytes(path: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@pytest.mark.parametrize("spoil, words", [
    (lambda path: path.write_bytes(b"a" * 1023 + b"c"), "it has changed meanwhile"),
    (lambda path: path.write_bytes(b"a" * 1025), "it has changed meanwhile"),
    (lambda path: path.write_bytes(b""), "it has changed meanwhile"),
    (lambda path: path.chmod(0o666), "can be written by others"),
    (lambda path: path.unlink(), "No such file"),
    (replaced_by_a_link, "Too many levels of symbolic links"),
    (only_512_bytes, "only written in part"),
])  # fmt: skip
def test_a_block_that_cannot_be_written_stays_as_it_is(
    fake: FakeHost, spoil: Callable[[Path], None], words: str
) -> None:
    first = fake.write("boot/first", "1")
    fake.write(ENVIRONMENT, "a" * 1024)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        spoil(fake.root / ENVIRONMENT)
        files = contents(fake.root)
        with pytest.raises(Error, match=words):
            writeback.consume(fake.root, [LoaderWrite(Path("/boot/first"), b"1", b"2", ""), CHANGE])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(fake.root) == files
    assert first.read_text() == "1"


def test_a_deleted_variable_comes_back_when_a_later_change_fails(fake: FakeHost) -> None:
    path = fake.write("sys/firmware/one", "value")
    changes = [LoaderWrite(Path("/sys/firmware/one"), b"value", None, ""), CHANGE]
    with pytest.raises(Error, match="No such file"):
        writeback.consume(fake.root, changes)
    assert path.read_text() == "value"


class FakeFlags:
    """A file system with chattr's flags, on which what is immutable cannot be deleted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refuses: bool) -> None:
        self.flags = 0x10 | 0x80000
        self._refuses = refuses
        self._unlink = os.unlink
        monkeypatch.setattr(fcntl, "ioctl", self.ioctl)
        monkeypatch.setattr(os, "unlink", self.unlink)

    def ioctl(self, fd: int, number: int, data: bytearray) -> int:
        if number & 0xFF == 1:
            struct.pack_into("i", data, 0, self.flags)
        else:
            self.flags = struct.unpack_from("i", data)[0]
        return 0

    def unlink(self, path: str) -> None:
        if self._refuses or self.flags & 0x10:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        self._unlink(path)


@pytest.mark.parametrize("refuses", [False, True])
def test_an_immutable_variable_is_deleted_or_immutable_again(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    path = fake.write("sys/firmware/one", "value")
    change = LoaderWrite(Path("/sys/firmware/one"), b"value", None, "")
    with monkeypatch.context() as patch:
        flags = FakeFlags(patch, refuses)
        if refuses:
            with pytest.raises(Error, match="Operation not permitted"):
                writeback.consume(fake.root, [change])
        else:
            writeback.consume(fake.root, [change])
    assert (path.exists(), flags.flags) == ((True, 0x80010) if refuses else (False, 0x80000))


@pytest.mark.parametrize("number", [errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EIO])
def test_a_file_system_without_flags_has_none_that_protect(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = fake.write("sys/firmware/one", "value")

    def ioctl(fd: int, request: int, data: bytearray) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch, contextlib.suppress(Error):
        patch.setattr(fcntl, "ioctl", ioctl)
        writeback.consume(fake.root, [LoaderWrite(Path("/sys/firmware/one"), b"value", None, "")])
    assert path.exists() is (number == errno.EIO)


CONFIG = """load_env
if [ "${next_entry}" ]; then
    set default="${next_entry}"
    set next_entry=
    save_env next_entry
fi
menuentry usual --id usual { linux /boot/vmlinuz-6.1.0-test
    initrd /boot/initrd.img-6.1.0-test }
menuentry other --id other { linux /boot/vmlinuz-6.2.0-other
    initrd /boot/initrd.img-6.2.0-other }
"""


@pytest.fixture
def ready(fake: FakeHost) -> FakeHost:
    with_kernel(with_kernel(fake), "6.2.0-other")
    fake.write("etc/fstab", "/dev/vda1 / ext4 defaults 0 1\n")
    fake.write("boot/grub/grub.cfg", CONFIG)
    wish(fake, "")
    return fake


def wish(fake: FakeHost, entry: str) -> None:
    fake.write(ENVIRONMENT, (SIGNATURE + "next_entry={}\n".format(entry)).ljust(1024, "#"))


def release(fake: FakeHost) -> str:
    loaded = stamp.read_loaded(fake.root)
    assert loaded is not None
    return loaded.release


def test_a_reboot_consumes_the_wish_and_the_next_one_is_usual(ready: FakeHost) -> None:
    shutdown.preload(gather(ready.root), Settings())
    assert release(ready) == "6.1.0-test"
    wish(ready, "other")
    decided = shutdown.prepare(gather(ready.root), Settings())
    assert (decided.kexec, decided.reason) == (True, "other (grub2, for one boot only)")
    assert (release(ready), variables((ready.root / ENVIRONMENT).read_bytes())) == ("6.2.0-other", {"next_entry": ""})
    assert shutdown.prepare(gather(ready.root), Settings()).reason == "usual (grub2)"


def test_a_preload_consumes_nothing_and_has_python_called_at_the_reboot(ready: FakeHost) -> None:
    wish(ready, "other")
    block = (ready.root / ENVIRONMENT).read_bytes()
    shutdown.preload(gather(ready.root), Settings())
    found = find_next(gather(ready.root), Settings())
    assert isinstance(found, Selected) and found.changes
    assert (release(ready), (ready.root / ENVIRONMENT).read_bytes()) == ("6.2.0-other", block)
    assert stamp.UNSEEN in (ready.root / "run/kexec-initd/stamp").read_text().splitlines()
    assert shutdown.prepare(gather(ready.root), Settings()).kexec
    assert (ready.root / ENVIRONMENT).read_bytes() != block
    assert len([call for call in ready.calls() if call[:2] == ["kexec", "-l"]]) == 1


def test_without_anything_to_write_the_early_step_needs_no_python(ready: FakeHost) -> None:
    shutdown.preload(gather(ready.root), Settings())
    assert stamp.UNSEEN not in (ready.root / "run/kexec-initd/stamp").read_text().splitlines()


@pytest.mark.parametrize("by_hand", [True, False])
def test_what_the_admin_loaded_himself_consumes_nothing(ready: FakeHost, by_hand: bool) -> None:
    wish(ready, "other")
    block = (ready.root / ENVIRONMENT).read_bytes()
    host = gather(ready.root)
    if by_hand:
        ready.write("sys/kernel/kexec_loaded", "1\n")
    else:
        load.load_entry(
            host, Settings(), entry_for(host, Path("/boot/vmlinuz-6.1.0-test")), chosen=stamp.Chosen.AS_FILE
        )
    assert shutdown.prepare(host, Settings()).kexec
    assert (ready.root / ENVIRONMENT).read_bytes() == block


@pytest.mark.parametrize("body, words", [
    ("chmod 622 {0}/boot/grub/grubenv", "can be written by others"),
    ("rm {0}/boot/grub/grubenv", "No such file"),
    ("echo changed >>{0}/boot/grub/grubenv", "has changed meanwhile"),
    ("exit 1", "failed with exit code 1"),
])  # fmt: skip
def test_a_wish_that_cannot_be_consumed_means_cold(ready: FakeHost, body: str, words: str) -> None:
    wish(ready, "other")
    end = "echo 1 >{0}/sys/kernel/kexec_loaded ;; -u) echo 0 >{0}/sys/kernel/kexec_loaded ;; esac"
    ready.program("kexec", ('case "$1" in -l) ' + body + "; " + end).format(ready.root))
    decided = shutdown.prepare(gather(ready.root), Settings())
    assert (decided.kexec, decided.code) == (False, "failed")
    assert words in decided.reason
    assert not program.is_loaded(ready.root)
    assert "next_entry=\n" not in "".join(path.read_text() for path in (ready.root / "boot/grub").glob("grubenv"))
    assert (ready.root / "run/kexec-initd/decision").read_text().startswith("cold ")


def test_an_attempt_that_cannot_be_written_brings_the_wish_back(ready: FakeHost) -> None:
    wish(ready, "other")
    block = (ready.root / ENVIRONMENT).read_bytes()
    ready.write("var/lib/kexec-initd", "in the way")
    assert "cannot write the record of attempts" in shutdown.prepare(gather(ready.root), Settings()).reason
    assert (ready.root / ENVIRONMENT).read_bytes() == block


@pytest.mark.parametrize("error", [Error("no"), OSError(errno.ENOSPC, "No space left on device")])
def test_an_attempt_that_cannot_begin_brings_the_wish_back(
    ready: FakeHost, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    wish(ready, "other")
    block = (ready.root / ENVIRONMENT).read_bytes()

    def begin(root: Path) -> None:
        assert (ready.root / ENVIRONMENT).read_bytes() != block
        raise error

    monkeypatch.setattr(attempts, "begin", begin)
    assert shutdown.prepare(gather(ready.root), Settings()).code == "failed"
    assert (ready.root / ENVIRONMENT).read_bytes() == block


def test_a_decision_that_cannot_be_written_brings_the_wish_back(ready: FakeHost) -> None:
    wish(ready, "other")
    block = (ready.root / ENVIRONMENT).read_bytes()
    (ready.root / "run/kexec-initd/decision/x").mkdir(parents=True)
    with pytest.raises(Refused, match="decision"):
        shutdown.prepare(gather(ready.root), Settings())
    assert (ready.root / ENVIRONMENT).read_bytes() == block


def test_a_write_that_grub_cannot_make_is_not_made(ready: FakeHost) -> None:
    ready.write("boot/grub/grub.cfg", "load_env\nset a=" + "x" * 990 + "\nsave_env a\n" + CONFIG)
    wish(ready, "other")
    assert shutdown.prepare(gather(ready.root), Settings()).kexec
    block = (ready.root / ENVIRONMENT).read_bytes()
    assert b"\nnext_entry=\n" in block and b"xxx" not in block


@pytest.mark.parametrize("config, words", [("getenv x a\nsave_env a\n" + CONFIG, "depends on a")])
def test_a_write_that_fails_or_is_unknown_is_left_to_grub(ready: FakeHost, config: str, words: str) -> None:
    ready.write("boot/grub/grub.cfg", config)
    wish(ready, "other")
    block = (ready.root / ENVIRONMENT).read_bytes()
    decided = shutdown.prepare(gather(ready.root), Settings())
    assert (decided.kexec, decided.code) == (False, "no-target")
    assert words in decided.reason
    assert (ready.root / ENVIRONMENT).read_bytes() == block
    assert not program.is_loaded(ready.root)
