"""Something else in the place of a file that is read: one line, a documented exit code, and no waiting for it."""

import builtins
import contextlib
import io
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Sequence, Set, Tuple

import pytest

from kexec_initd.cli import DONE, REFUSED, main
from kexec_initd.settings.reader import Settings
from kexec_initd.stages.shutdown import preload
from kexec_initd.system.host import gather
from tests.damage import no_longer_than
from tests.processor import is_too_long
from tests.unit.fake_host import FakeHost, with_kernel

VERBS = [("status",), ("entries",), ("target",), ("install", "--dry-run")]
LONG = 1.0  # seconds of processor time for all of them
NOBODY = 65534

CONFIG = """set default=0
if [ -s $prefix/grubenv ]; then load_env; fi
menuentry x { linux /boot/vmlinuz-6.1.0-test root=/dev/vda1 ro; initrd /boot/initrd.img-6.1.0-test }
"""
INIT_SCRIPT = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: {0}\n### END INIT INFO\n"
# What each verb reads, by name, on a host of which every kind of file is there.
FILES = {
    "etc/os-release": "ID=debian\nVERSION_ID=12\n",
    "usr/lib/os-release": "ID=debian\nVERSION_ID=12\n",
    "etc/debian_version": "12.1\n",
    "etc/redhat-release": "none of it\n",
    "etc/default/kexec-initd": "KEXEC=yes\n",
    "etc/fstab": "/dev/vda1 / ext4 defaults 0 1\n",
    "etc/init.d/reboot": INIT_SCRIPT.format("reboot"),
    "etc/init.d/halt": INIT_SCRIPT.format("halt"),
    "etc/rc.local": "#!/bin/sh\nexit 0\n",
    "var/lib/kexec-initd/manifest.json": "",
    "boot/config-6.1.0-test": "CONFIG_KEXEC=y\n",
    "boot/grub/grub.cfg": CONFIG,
    "boot/grub/grubenv": "# GRUB Environment Block\n".ljust(1024, "#"),
    "boot/grub/i386-pc/normal.mod": "",
    "proc/1/environ": "HOME=/\0",
    "proc/sys/kernel/bootloader_type": "114\n",
    "proc/sys/kernel/kexec_load_disabled": "0\n",
    "sys/kernel/security/lockdown": "[none] integrity confidentiality\n",
    "sys/kernel/boot_params/data": "\1" * 4096,
    "run/kexec-initd/preload.log": "loaded\n",
    "run/kexec-initd/preloaded": "0123\n",
}
BEFORE = """etc/inittab proc/mounts proc/cmdline proc/sys/kernel/osrelease proc/sys/kernel/arch run/utmp
proc/sys/kernel/random/boot_id sys/kernel/kexec_loaded boot/vmlinuz-6.1.0-test boot/initrd.img-6.1.0-test
lib/modules/6.1.0-test/modules.dep run/kexec-initd/stamp run/kexec-initd/loaded.json run/kexec-initd/attempt
run/kexec-initd/last-cold
var/lib/kexec-initd/attempts"""
PATHS = [*FILES, *BEFORE.split()]


def fill(fake: FakeHost) -> FakeHost:
    """Let a host have loaded its kernel, so that also the record of that is read."""
    with_kernel(fake)
    for path, text in FILES.items():
        if text or path.endswith(".mod"):
            fake.write(path, text)
    preload(gather(fake.root), Settings())
    fake.write("run/kexec-initd/preload.log", "loaded\n")
    return fake


@pytest.fixture
def host(fake: FakeHost) -> FakeHost:
    return fill(fake)


def run_all(root: Path, verbs: Sequence[Tuple[str, ...]], capsys: pytest.CaptureFixture[str]) -> None:
    """Run each verb, and look at how it ends."""
    start = time.process_time()
    for verb in verbs:
        with no_longer_than(20):
            code = main([*verb, "--root", str(root)])
        said = capsys.readouterr().err.splitlines()
        assert code in (DONE, REFUSED), said
        assert all(line.startswith("kexec-initd: ") for line in said)
        assert len([line for line in said if " warning: " not in line]) == (code != DONE), said
    assert not is_too_long(time.process_time() - start, LONG)


def as_large(path: Path) -> None:
    """Make a file of 64 GiB, with holes only."""
    path.touch()
    os.truncate(str(path), 1 << 36)


KINDS: Dict[str, Callable[[Path], Any]] = {
    "directory": lambda path: path.mkdir(),
    "fifo": lambda path: os.mkfifo(str(path)),
    "socket": lambda path: os.mknod(str(path), stat.S_IFSOCK | 0o600),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "empty": lambda path: path.touch(),
    "large": as_large,
    "zero bytes": lambda path: path.write_bytes(bytes(9000)),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x80" * 3000),
    "parentheses": lambda path: path.write_bytes(b'NAME="' + b"(" * 8000 + b'"\n'),
    "brackets": lambda path: path.write_bytes(b"[" * 60000),
    "digits": lambda path: path.write_bytes(b"9" * 60000),
}


# Each kind with each verb is for the long tier; here each file meets each kind, and each kind each verb.
@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.full)])
@pytest.mark.parametrize("number, path", list(enumerate(PATHS)))
def test_nothing_is_waited_for_or_read_without_end(
    host: FakeHost, number: int, path: str, stride: int, capsys: pytest.CaptureFixture[str]
) -> None:
    place = host.root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        place.rename(host.root / "aside")
    for first, make in enumerate(KINDS.values()):
        make(place)
        verbs = [verb for second, verb in enumerate(VERBS) if (number + first + second) % stride == 0]
        run_all(host.root, verbs, capsys)
        place.rmdir() if not place.is_symlink() and place.is_dir() else place.unlink()


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Be a user who cannot read everything, where we are root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def test_files_that_are_not_for_us(capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:  # those of pytest are root's alone
        os.chmod(directory, 0o755)
        root = fill(FakeHost(Path(directory) / "root")).root
        # The last one reads our own templates, too: they may be where nobody gets.
        run_all(root, VERBS[:-1], capsys)
        for path in filter(lambda path: (root / path).exists(), PATHS):
            mode = (root / path).stat().st_mode
            (root / path).chmod(0)
            with as_nobody():
                run_all(root, VERBS[:-1], capsys)
            (root / path).chmod(mode)


def test_a_user_is_told_that_the_state_is_for_root(capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        root = fill(FakeHost(Path(directory) / "root")).root
        with as_nobody():
            assert main(["status", "--root", str(root)]) == REFUSED
    said = capsys.readouterr()
    line = "kexec-initd: only root can read /var/lib/kexec-initd; run this as root, as with sudo\n"
    assert (said.out, said.err) == ("", line)


def test_each_file_that_is_read_is_among_them(
    host: FakeHost, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: Set[str] = set()

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **options: Any) -> Any:
            found = function(path, *args, **options)
            name = path if isinstance(path, int) else os.fsdecode(path)
            if isinstance(name, str) and name.startswith(str(host.root) + "/") and os.path.isfile(name):
                seen.add(os.path.relpath(name, str(host.root)))
            return found

        return call

    for module, name in ((os, "open"), (builtins, "open"), (io, "open")):
        monkeypatch.setattr(module, name, watched(getattr(module, name)))
    run_all(host.root, VERBS, capsys)
    # and without what has been loaded, so that it is looked at whether it can be
    host.write("sys/kernel/kexec_loaded", "0\n")
    run_all(host.root, VERBS, capsys)
    assert len(seen) > 20
    assert seen <= set(PATHS)
