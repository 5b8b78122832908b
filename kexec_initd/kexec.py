"""The kernel's kexec: is it supported, is something loaded, load and unload; by kexec(8) of kexec-tools."""

import zlib
from pathlib import Path
from typing import List, NamedTuple, Optional

from kexec_initd import commands
from kexec_initd.errors import Error
from kexec_initd.files import exists, read_bytes, read_text

LOAD_TIMEOUT = 40.0
UNLOAD_TIMEOUT = 10.0
HELP_TIMEOUT = 5.0
CONFIG_LIMIT = 1 << 20
GZIP = 16 + zlib.MAX_WBITS


class Image(NamedTuple):
    """What to load, as open descriptors, with the command line of the new kernel; `checks` asks for the purgatory's."""

    kernel_fd: int
    initrd_fd: Optional[int]
    cmdline: str
    checks: bool


def is_loaded(root: Path) -> bool:
    """Tell whether a kernel is loaded to be executed; a panic kernel does not count."""
    return read_text(root / "sys/kernel/kexec_loaded") == "1"


def unsupported(root: Path, kernel_release: Optional[str]) -> Optional[str]:
    """Say why this machine cannot kexec now: program, kernel configuration or sysctl; None when it can."""
    if commands.find(root, "kexec") is None:
        return "the program kexec is missing (package kexec-tools)"
    if configured(root, kernel_release) is False:
        return "the kernel was built without CONFIG_KEXEC"
    if not exists(root / "sys/kernel/kexec_loaded"):
        return "the kernel has no kexec (/sys/kernel/kexec_loaded is missing)"
    if read_text(root / "proc/sys/kernel/kexec_load_disabled") == "1":
        return "loading is disabled until the next boot (sysctl kernel.kexec_load_disabled)"
    return None


def configured(root: Path, kernel_release: Optional[str]) -> Optional[bool]:
    """Tell whether the running kernel's configuration has kexec; None where no configuration is to be found."""
    data = read_bytes(root / "boot/config-{}".format(kernel_release), CONFIG_LIMIT)
    if data is None:
        packed = read_bytes(root / "proc/config.gz", CONFIG_LIMIT) or b""
        try:
            data = zlib.decompressobj(GZIP).decompress(packed, CONFIG_LIMIT)
        except zlib.error:
            return None
    lines = set(data.split(b"\n"))
    return (b"CONFIG_KEXEC=y" in lines or b"CONFIG_KEXEC_FILE=y" in lines) if data else None


def is_locked_down(root: Path) -> bool:
    """Tell whether kernel_lockdown(7) is in force, which forbids the classic load."""
    state = read_text(root / "sys/kernel/security/lockdown") or "[none]"
    return "[none]" not in state


def load_cmd(root: Path, image: Image, options: str) -> List[str]:
    """Return the command that loads `image`; `options` is what `kexec --help` prints, to know which options exist.

    Without checks the purgatory skips its SHA-256, which only the classic load can do (kexec-tools 2.0.18 and newer).
    """
    argv = [str(commands.require(root, "kexec")), "-l"]
    if is_locked_down(root):
        argv.append("-s")
    else:
        argv += ["-c"] if "--kexec-syscall" in options and "--kexec-file-syscall" in options else []
        argv += ["--no-checks"] if not image.checks and "--no-checks" in options else []
    argv.append("--command-line=" + image.cmdline)
    if image.initrd_fd is not None:
        argv.append("--initrd=/proc/self/fd/{}".format(image.initrd_fd))
    return argv + ["/proc/self/fd/{}".format(image.kernel_fd)]


def load(root: Path, image: Image) -> None:
    """Load `image` in place of what is loaded, and see that the kernel has it. Raises Error."""
    options = commands.run([str(commands.require(root, "kexec")), "--help"], HELP_TIMEOUT, ok=(0, 1))
    fds = [fd for fd in (image.kernel_fd, image.initrd_fd) if fd is not None]
    commands.run(load_cmd(root, image, options), LOAD_TIMEOUT, pass_fds=fds)
    if not is_loaded(root):
        raise Error("kexec reported success, but the kernel has nothing loaded")


def unload(root: Path) -> None:
    """Unload the kernel that is loaded, if one is; a panic kernel stays. Raises Error."""
    if not is_loaded(root):
        return
    argv = [str(commands.require(root, "kexec")), "-u"]
    commands.run(argv + (["-s"] if is_locked_down(root) else []), UNLOAD_TIMEOUT)
    if is_loaded(root):
        raise Error("kexec reported success, but the kernel has still something loaded")
