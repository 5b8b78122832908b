"""A jail for the standalone files: no Python, real tools for reading kernels and initrds, a kexec that keeps what it loads.

/proc is made of plain files, as in every jail; only what /proc/self says about descriptors is real, from a read-only
mount in a mount namespace of its own.
"""

import shutil
import subprocess
from pathlib import Path
from typing import List, Optional

import pytest

from kexec_initd.bootloader import ab_slots, firmware, fwupd
from kexec_initd.bootloader.efivars import DIRECTORY
from kexec_initd.history import attempts
from kexec_initd.install.layout import DEBIAN_SYSVINIT
from kexec_initd.install.render import fill_script
from kexec_initd.kexec import stamp
from kexec_initd.settings import sources
from kexec_initd.system.host import Family, gather
from tests.scripts.jail import Jail, Run
from tests.unit.images import bzimage, cpio

TOOLS = (
    *("awk", "bzip2", "cat", "cmp", "cpio", "cut", "grep", "gzip", "head", "ln", "mv", "od", "readlink", "sed", "stat"),
    *("tail", "tr", "wc", "mkdir", "rm", "rmdir", "cp", "date", "uname"),
)
# In every run the strictest; the comparison with Python, in bash, is the other half. All of both are in the long tier.
ALONE = ("/bin/dash", *(pytest.param(shell, marks=pytest.mark.full) for shell in ("/bin/bash", "/bin/busybox")))
PROGRAMS = ("lz4", "lzop", "xz", "zstd")
RELEASE = "6.1.0-50-amd64"
UUID = "01234567-89ab-4cde-8f01-23456789abcd"
ATTEMPT = "0123456789abcdef"[:8] + "6789abcd"[-8:]
CMDLINE = "BOOT_IMAGE=/boot/vmlinuz root=/dev/vda1 ro quiet"
KEXEC = """
case $1 in
--help) printf '%s\\n' --kexec-syscall --kexec-file-syscall --no-checks ;;
-u) echo 0 >/sys/kernel/kexec_loaded ;;
-l)
    for arg in "$@"; do
        case $arg in
        --command-line=*) printf '%s' "${arg#*=}" >/loaded/cmdline ;;
        --initrd=*) cat "${arg#*=}" >/loaded/initrd ;;
        esac
    done
    cat "$arg" >/loaded/kernel
    echo 1 >/sys/kernel/kexec_loaded
    ;;
esac
"""
# What the shell looks at besides the files that it loads.
STEPS = ("/etc/init.d/kexec", "/etc/init.d/kexec-load", "/etc/init.d/kexec-initd", "/etc/init.d/reboot")
PENDING = (
    *(firmware.BOOT_NEXT, firmware.INDICATIONS, fwupd.HISTORY, *fwupd.JOURNALS, *firmware.CAPSULES),
    *("{}Mok{}{}".format(DIRECTORY, name, firmware.SHIM) for name in firmware.KEY_REQUESTS),
    *ab_slots.GRUB_BLOCKS,
    *ab_slots.U_BOOT_FILES,
)
MOUNTED = 'mount -t proc -o ro proc "$1/realproc" && chroot "$@"; exit $?'


class StandaloneJail(Jail):
    """A Debian host without Python in a chroot, its kernel and initrd fit to be loaded."""

    def __init__(self, root: Path, shell: str) -> None:
        super().__init__(root, shell)
        for directory in ("boot", "loaded", "realproc", "proc/1", "proc/self", "run/kexec-initd", "var/lib"):
            (root / directory).mkdir(parents=True)
        for tool in TOOLS:
            self.add_tool(tool, shell)
        for program in PROGRAMS:
            self.copy(shutil.which(program) or program)
        for name in ("fd", "stat"):
            (root / "proc/self" / name).symlink_to("/realproc/self/" + name)
        (root / "proc/1/root").symlink_to("/")
        self.write("etc/os-release", "ID=debian\nVERSION_ID=7\n")
        self.write("proc/1/environ", "HOME=/\0TERM=linux\0")
        self.write("proc/sys/kernel/osrelease", RELEASE + "\n")
        self.write("proc/sys/kernel/kexec_load_disabled", "0\n")
        self.write("proc/sys/kernel/random/uuid", UUID + "\n")
        self.write("proc/sys/kernel/random/boot_id", UUID + "\n")
        self.write("proc/cmdline", CMDLINE + "\n")
        self.write("sys/kernel/kexec_loaded", "0\n")
        self.put("boot/vmlinuz-" + RELEASE, bzimage(RELEASE))
        self.put("boot/initrd.img-" + RELEASE, gzipped(cpio()))
        self.fake("kexec", KEXEC)
        for script in (DEBIAN_SYSVINIT.scripts[0], DEBIAN_SYSVINIT.scripts[-1]):
            file = fill_script(gather(root), script, script.default_header.rstrip("\n"), DEBIAN_SYSVINIT)
            self.write(file.path[1:], file.content.decode(), 0o755)

    def add_tool(self, tool: str, shell: str) -> None:
        """Provide a tool: the one of busybox where that is the shell, too."""
        place = self.root / "bin" / tool
        if shell.endswith("busybox"):
            place.unlink(missing_ok=True)
            place.symlink_to("busybox")
        elif not place.exists():
            self.copy(shutil.which(tool) or tool)

    def put(self, path: str, data: bytes, mode: int = 0o644) -> Path:
        """Write a binary file into the jail."""
        target = self.write(path, "", mode)
        target.write_bytes(data)
        return target

    def run(self, script: str, *args: str, runlevel: str = "6", limit: float = 120.0) -> Run:
        """Run /etc/init.d/`script` with `args` as init's rc would."""
        return self.run_file("/etc/init.d/" + script, *args, runlevel=runlevel, limit=limit)

    def run_file(self, path: str, *args: str, runlevel: str = "6", limit: float = 120.0) -> Run:
        """Run a shell script of the jail."""
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", MOUNTED, "sh", str(self.root), "/bin/sh", path, *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            errors="backslashreplace", timeout=limit, env={"RUNLEVEL": runlevel, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )  # fmt: skip
        return Run(done.stdout, done.returncode, 0.0)

    def drive(self, lines: str) -> Run:
        """Run shell lines behind the functions of the early step."""
        functions = self.functions("kexec-initd")
        self.write("drive", functions + "\nLC_ALL=C\nexport LC_ALL\n" + lines)
        return self.run_file("/drive")

    @property
    def decision(self) -> Optional[str]:
        """Return what was decided, or None."""
        path = self.root / "run/kexec-initd/decision"
        return path.read_text() if path.exists() else None

    def kexecs(self) -> List[str]:
        """Return the first option of each call of kexec so far."""
        return [call.split()[1] for call in self.calls() if call.startswith("kexec ")]

    def loaded(self, name: str) -> Optional[bytes]:
        """Return what was loaded as "kernel", "initrd" or "cmdline"."""
        path = self.root / "loaded" / name
        return path.read_bytes() if path.exists() else None

    def stamp(self) -> str:
        """Return the stamp that the Python side would write for the jail's files as they are."""
        names = ("boot/vmlinuz-" + RELEASE, "boot/initrd.img-" + RELEASE)
        watched = [attempts.PATH, *map(Path, STEPS + PENDING)]
        settings = sources.watched(self.root, Family.DEBIAN)
        paths = [*(Path("/") / name for name in names), *settings, stamp.mark_file(self.root), *watched]
        return stamp.text_for(self.root, paths)


def gzipped(data: bytes) -> bytes:
    """Return `data` as gzip(1) packs it."""
    return subprocess.run(["gzip", "-9cn"], input=data, stdout=subprocess.PIPE, check=True).stdout
