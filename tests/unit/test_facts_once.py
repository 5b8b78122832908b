"""Facts are read once: one `status` opens each file of them once, however many parts of it ask."""

import builtins
import os
from collections import Counter
from typing import Any, Dict, Iterator

import pytest

from kexec_initd import cli
from tests.unit.fake_host import FakeHost, with_kernel

ENTRY = "linux /boot/vmlinuz-6.1.0-test root=/dev/vda1 ro\n initrd /boot/initrd.img-6.1.0-test\n"
LOADERS: Dict[str, Dict[str, str]] = {
    "GRUB 2": {"boot/grub/grub.cfg": "menuentry one {\n " + ENTRY + "}\n"},
    "GRUB legacy": {"boot/grub/menu.lst": "title one\n" + ENTRY.replace("linux", "kernel")},
    "systemd-boot": {"boot/loader/entries/one.conf": "linux /vmlinuz-6.1.0-test\ninitrd /initrd.img-6.1.0-test\noptions ro\n"},
    "the names of kernels alone": {},
}  # fmt: skip
# The loader's files are read twice, to see that they are not being changed, and the mounts by which it finds them with them.
OPENINGS = {"/proc/cmdline": 1, "/etc/os-release": 1, "/etc/default/kexec-initd": 1, "/proc/mounts": 2}


@pytest.fixture
def openings(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> Iterator["Counter[str]"]:
    """Count what is opened below the root of the host, by whichever call Python has for that."""
    counted: "Counter[str]" = Counter()

    def counting(real: Any) -> Any:
        def opened(file: Any, *args: Any, **options: Any) -> Any:
            path = "" if isinstance(file, int) else os.fsdecode(file)
            if path.startswith(str(fake.root)):
                counted[path[len(str(fake.root)) :]] += 1
            return real(file, *args, **options)

        return opened

    for module in (os, builtins):
        monkeypatch.setattr(module, "open", counting(module.open))
    yield counted
    monkeypatch.undo()


@pytest.mark.parametrize("came_by_kexec", [False, True])
@pytest.mark.parametrize("loader", LOADERS)
def test_one_status_opens_each_fact_once(
    fake: FakeHost, openings: "Counter[str]", loader: str, came_by_kexec: bool, capsys: "pytest.CaptureFixture[str]"
) -> None:
    with_kernel(fake)
    for path, text in {"etc/default/kexec-initd": "KEXEC=yes\n", **LOADERS[loader]}.items():
        fake.write(path, text)
    if came_by_kexec:
        fake.write("proc/cmdline", "root=/dev/vda1 ro kexec_initd.attempt=0123456789abcdef\n")
    openings.clear()
    assert cli.run(["status", "--root", str(fake.root)]) == (cli.DONE, "")
    assert "reboot:     through " in capsys.readouterr().out
    assert {path: openings[path] for path in OPENINGS} == OPENINGS


def test_a_change_of_the_mounts_between_two_readings_is_seen(fake: FakeHost) -> None:
    """The second reading of the loader's files is a fresh one, as is that of a host which had to wait."""
    from kexec_initd.system.host import gather
    from kexec_initd.system.sysroot import MOUNTS

    host = gather(fake.root)
    before = host.tree.rows(MOUNTS)
    fake.write("proc/mounts", "/dev/vdb1 / ext4 rw 0 0\n")
    assert host.tree.again().rows(MOUNTS) == before
    assert host.tree.later().rows(MOUNTS) == host.renewed().tree.rows(MOUNTS) != before
