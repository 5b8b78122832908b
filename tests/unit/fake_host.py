"""A host below a directory: what /proc, /sys and /boot show, and programs that log how they are called."""

import gzip
import os
import shutil
import struct
from pathlib import Path
from typing import List

from kexec_initd.boot_entry import BootEntry
from kexec_initd.bootloader.installed_kernels import entry_for
from kexec_initd.system.host import Host
from tests.unit.images import bzimage, cpio

PROGRAM = """#!/bin/sh
printf '%s\\0' "${{0##*/}}" "$@" >>{root}/calls
printf '\\n' >>{root}/calls
{body}
"""
RUNLEVEL_6 = struct.pack("=h2xi", 1, ord("6") | ord("2") << 8).ljust(384, b"\0")


class FakeHost:
    """A machine with Debian's layout, shutting down in runlevel 6; `calls()` tells which programs ran, in order."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for directory in ("sbin", "bin", "etc/default", "run", "boot", "proc/1", "proc/sys/kernel", "sys/kernel"):
            (root / directory).mkdir(parents=True)
        (root / "proc/1/root").symlink_to(root)
        self.write("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        self.write("etc/inittab", "")
        self.write("proc/mounts", "/dev/vda1 / ext4 rw,relatime 0 0\ntmpfs /run tmpfs rw 0 0\n")
        self.write("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro\n")
        self.write("proc/sys/kernel/osrelease", "6.1.0-test\n")
        self.write("proc/sys/kernel/arch", "x86_64\n")
        self.boot("00000000-0000-4000-8000-000000000001")
        (root / "run/utmp").write_bytes(RUNLEVEL_6)
        for name in ("sync", "init"):
            self.program(name)
        self.program("umount", UMOUNT.format(root=root))
        self.program("kexec", KEXEC.format(root=root))

    def write(self, path: str, text: str) -> Path:
        """Write a file below the root."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)
        return self.root / path

    def boot(self, boot_id: str) -> None:
        """Let another boot run: nothing of the state directory is left, nothing is loaded."""
        self.write("proc/sys/kernel/random/boot_id", boot_id + "\n")
        self.write("sys/kernel/kexec_loaded", "0\n")
        shutil.rmtree(str(self.root / "run/kexec-initd"), ignore_errors=True)

    def program(self, name: str, body: str = "", directory: str = "sbin") -> Path:
        """Put a program below the root that logs its arguments and then runs `body`."""
        path = self.write("{}/{}".format(directory, name), PROGRAM.format(root=self.root, body=body))
        path.chmod(0o755)
        return path

    def calls(self) -> List[List[str]]:
        """Return the argument lists of all calls so far."""
        log = self.root / "calls"
        if not log.exists():
            return []
        lines = os.fsdecode(log.read_bytes()).split("\0\n")
        return [line.split("\0") for line in lines if line]

    def names(self) -> List[str]:
        """Return the names of all programs called so far."""
        return [call[0] for call in self.calls()]


# As kexec(8): --help names the options, -l fills and -u empties the kernel's slot, -e only comes back when it fails.
KEXEC = """case "$1" in
--help) echo "--no-checks --kexec-syscall --kexec-file-syscall"; exit 1 ;;
-l) echo 1 >{root}/sys/kernel/kexec_loaded ;;
-p) echo 1 >{root}/sys/kernel/kexec_crash_loaded ;;
-u) echo 0 >{root}/sys/kernel/kexec_loaded ;;
-e) exit 1 ;;
esac"""

# As umount(8) with -a and -r: the root, which is busy, becomes read-only. It does not for what a test has mounted by itself.
UMOUNT = """[ "$1" != -a ] || {{ sed 's|^/dev/vda1 / ext4 rw|/dev/vda1 / ext4 ro|' {root}/proc/mounts >{root}/mounts.new
cat {root}/mounts.new >{root}/proc/mounts; }}"""


def with_kernel(fake: FakeHost, release: str = "6.1.0-test") -> FakeHost:
    """Give the host a kernel of `release` with its modules and its initrd, all whole and old."""
    fake.write("lib/modules/{}/modules.dep".format(release), "")
    content = {"vmlinuz": bzimage(release), "initrd.img": gzip.compress(cpio())}
    for name, data in content.items():
        path = fake.root / "boot/{}-{}".format(name, release)
        path.write_bytes(data)
        os.utime(str(path), (1e9, 1e9))
    return fake


def running_entry(host: Host) -> BootEntry:
    """Return the entry of the running kernel's own file, with the running command line."""
    return entry_for(host, Path("/boot/vmlinuz-{}".format(host.kernel_release)))
