"""Kernels and initrds that are not fit: refused before kexec sees them, with the reason and the name of the file."""

import os
from pathlib import Path
from typing import Callable

import pytest

from kexec_initd import kexec, loading, shutdown, stamp
from kexec_initd.bootloader.naming import entry_for
from kexec_initd.errors import Refused
from kexec_initd.host import gather
from kexec_initd.settings import Settings
from tests.unit.fake_host import FakeHost, running_entry, with_kernel
from tests.unit.images import arm64, bzimage, cpio


@pytest.fixture
def ready(fake: FakeHost) -> FakeHost:
    return with_kernel(fake)


def cut_kernel(root: Path) -> None:
    path = root / "boot/vmlinuz-6.1.0-test"
    os.truncate(str(path), path.stat().st_size // 2)


def flipped_kernel(root: Path) -> None:
    path = root / "boot/vmlinuz-6.1.0-test"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


def empty_initrd(root: Path) -> None:
    (root / "boot/initrd.img-6.1.0-test").write_bytes(b"")


def cut_initrd(root: Path) -> None:
    os.truncate(str(root / "boot/initrd.img-6.1.0-test"), 60)


def no_initrd(root: Path) -> None:
    (root / "boot/initrd.img-6.1.0-test").unlink()


def no_kernel(root: Path) -> None:
    (root / "boot/vmlinuz-6.1.0-test").unlink()


def kernel_is_fifo(root: Path) -> None:
    no_kernel(root)
    os.mkfifo(str(root / "boot/vmlinuz-6.1.0-test"))


def kernel_is_directory(root: Path) -> None:
    no_kernel(root)
    (root / "boot/vmlinuz-6.1.0-test").mkdir()


def kernel_for_all(root: Path) -> None:
    (root / "boot/vmlinuz-6.1.0-test").chmod(0o666)


def kernel_dangling(root: Path) -> None:
    no_kernel(root)
    (root / "boot/vmlinuz-6.1.0-test").symlink_to("nowhere")


def long_cmdline(root: Path) -> None:
    (root / "proc/cmdline").write_text("x" * 3000)


def zero_kernel(root: Path) -> None:
    path = root / "boot/vmlinuz-6.1.0-test"
    path.write_bytes(bytes(path.stat().st_size))


def zero_initrd(root: Path) -> None:
    (root / "boot/initrd.img-6.1.0-test").write_bytes(bytes(5000))


def initrd_is_fifo(root: Path) -> None:
    no_initrd(root)
    os.mkfifo(str(root / "boot/initrd.img-6.1.0-test"))


def initrd_is_directory(root: Path) -> None:
    no_initrd(root)
    (root / "boot/initrd.img-6.1.0-test").mkdir()


def initrd_dangling(root: Path) -> None:
    no_initrd(root)
    (root / "boot/initrd.img-6.1.0-test").symlink_to("nowhere")


def initrd_of_another_version(root: Path) -> None:
    module = ("lib/modules/6.1.0-other/kernel/disk.ko", 0o100644, b"")
    (root / "boot/initrd.img-6.1.0-test").write_bytes(cpio([module, ("init", 0o100755, b"")]))


def kernel_of_another_version(root: Path) -> None:
    (root / "boot/vmlinuz-6.1.0-test").write_bytes(bzimage("6.1.0-other"))


def kernel_of_another_machine(root: Path) -> None:
    (root / "boot/vmlinuz-6.1.0-test").write_bytes(arm64("6.1.0-test"))


SPOILS = [zero_kernel, zero_initrd, initrd_is_fifo, initrd_is_directory, initrd_dangling, initrd_of_another_version]
SPOILS += [kernel_of_another_version, kernel_of_another_machine]
SPOILS += [cut_kernel, flipped_kernel, empty_initrd, cut_initrd, no_initrd, no_kernel, kernel_is_fifo]
SPOILS += [kernel_is_directory, kernel_for_all, kernel_dangling, long_cmdline]


@pytest.mark.parametrize("spoil", SPOILS)
def test_what_is_not_fit_is_never_given_to_kexec_and_means_cold(ready: FakeHost, spoil: Callable[[Path], None]) -> None:
    spoil(ready.root)
    decided = shutdown.prepare(gather(ready.root), Settings())
    assert not decided.kexec
    assert (ready.root / "run/kexec-initd/decision").read_text() == "cold {}\n".format(decided.reason)
    assert ["kexec", "-l"] not in [call[:2] for call in ready.calls()]
    assert not kexec.is_loaded(ready.root)


@pytest.mark.once
@pytest.mark.parametrize("spoil", [spoil for spoil in SPOILS if spoil not in (long_cmdline, kernel_for_all)])
def test_what_was_loaded_before_it_was_spoilt_is_unloaded(ready: FakeHost, spoil: Callable[[Path], None]) -> None:
    shutdown.preload(gather(ready.root), Settings())
    assert kexec.is_loaded(ready.root)
    spoil(ready.root)
    assert not shutdown.prepare(gather(ready.root), Settings()).kexec
    assert not kexec.is_loaded(ready.root)
    assert not stamp.exists(ready.root)


@pytest.mark.parametrize("spoil, reason", [
    (zero_kernel, "begins with zero bytes"), (cut_kernel, "it is cut"), (flipped_kernel, "it is damaged"),
    (kernel_is_fifo, "is not a regular file"), (kernel_is_directory, "is not a regular file"),
    (kernel_dangling, "the kernel /boot/vmlinuz-6.1.0-test is missing"),
    (kernel_of_another_version, "it is the kernel 6.1.0-other, and not 6.1.0-test as its name says"),
    (kernel_of_another_machine, "it is a kernel for arm64, but this machine is x86_64"),
    (zero_initrd, "it holds nothing"), (cut_initrd, "is damaged"), (empty_initrd, "the file has 0 bytes"),
    (initrd_is_fifo, "is not a regular file"), (initrd_is_directory, "is not a regular file"),
    (initrd_dangling, "the initrd /boot/initrd.img-6.1.0-test is missing"),
    (initrd_of_another_version, "its modules are of kernel 6.1.0-other, not of 6.1.0-test"),
])  # fmt: skip
def test_the_reason_names_the_file(ready: FakeHost, spoil: Callable[[Path], None], reason: str) -> None:
    # As named by the admin: of a boot loader's entry the menu says already what is missing.
    spoil(ready.root)
    host = gather(ready.root)
    with pytest.raises(Refused) as refused:
        loading.load_entry(host, Settings(), entry_for(host, Path("/boot/vmlinuz-6.1.0-test")))
    said = str(refused.value)
    assert reason in said
    name = "boot/initrd.img-6.1.0-test" if "initrd" in spoil.__name__ else "boot/vmlinuz-6.1.0-test"
    assert name in said


@pytest.mark.once
def test_a_kernel_that_is_cut_at_any_step_of_64_kib_is_refused(ready: FakeHost) -> None:
    path, content = ready.root / "boot/vmlinuz-6.1.0-test", bzimage("6.1.0-test", payload=os.urandom(1 << 20))
    for size in range(0, len(content), 64 << 10):
        path.write_bytes(content[:size])
        decided = shutdown.prepare(gather(ready.root), Settings())
        assert not decided.kexec
        assert decided.reason.startswith("/boot/vmlinuz-6.1.0-test: ")
    assert ["kexec", "-l"] not in [call[:2] for call in ready.calls()]
    path.write_bytes(content)
    assert shutdown.prepare(gather(ready.root), Settings()).kexec


def test_a_kernel_whose_modules_are_missing_is_refused(ready: FakeHost) -> None:
    with_kernel(ready, "6.2.0-new")
    (ready.root / "lib/modules/6.2.0-new/modules.dep").unlink()
    host = gather(ready.root)
    with pytest.raises(Refused, match="the modules of kernel 6.2.0-new are missing: /lib/modules/6.2.0-new has no"):
        loading.load_entry(host, Settings(), entry_for(host, Path("/boot/vmlinuz-6.2.0-new")))


def test_a_link_is_judged_by_the_name_that_it_leads_to(ready: FakeHost) -> None:
    (ready.root / "boot/vmlinuz").symlink_to("vmlinuz-6.1.0-test")
    (ready.root / "boot/vmlinuz-9.9").symlink_to("vmlinuz-6.1.0-test")
    host = gather(ready.root)
    for name in ("vmlinuz", "vmlinuz-9.9"):
        entry = running_entry(host)._replace(kernel=Path("/boot") / name)
        assert loading.load_entry(host, Settings(), entry).release == "6.1.0-test"
    kernel_of_another_version(ready.root)
    with pytest.raises(Refused, match="it is the kernel 6.1.0-other"):
        loading.load_entry(host, Settings(), running_entry(host)._replace(kernel=Path("/boot/vmlinuz")))
