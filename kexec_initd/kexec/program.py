"""The kernel's kexec: is it supported, is something loaded, load and unload; by kexec(8) of kexec-tools."""

import contextlib
import os
import time
import zlib
from pathlib import Path
from typing import FrozenSet, List, NamedTuple, Optional, Sequence

from kexec_initd import sentences
from kexec_initd.bootloader.efivars import DIRECTORY, GLOBAL
from kexec_initd.errors import Error
from kexec_initd.kexec.method import (
    Rules,
    Way,
    explain,
    find_appraising,
    find_verified,
    find_ways,
    is_busy,
    is_short_of_memory,
    load_options,
    telling_line,
)
from kexec_initd.system import process
from kexec_initd.system.files import exists, read_bytes, read_text
from kexec_initd.system.safe_path import below

LOAD_TIMEOUT = 40.0  # for all tries together
UNLOAD_TIMEOUT = 10.0
HELP_TIMEOUT = 5.0
CONFIG_LIMIT = 1 << 20
GZIP = 16 + zlib.MAX_WBITS
BUSY_TRIES = 5
BUSY_PAUSE = 1.0
SECURE_BOOT = (DIRECTORY + "SecureBoot-" + GLOBAL).lstrip("/")


class Slot(NamedTuple):
    """One of the two kernels that the kernel keeps: the option that loads it, and the file that tells whether it is there."""

    option: str
    file: str


REBOOT = Slot("-l", "sys/kernel/kexec_loaded")
PANIC = Slot("-p", "sys/kernel/kexec_crash_loaded")


class Image(NamedTuple):
    """The files to load, as open descriptors, with the new kernel's command line; `checks` asks for the purgatory's.

    `unpacked_fd` is what the initrd unpacks to, where that is to be loaded if it can be.
    """

    kernel_fd: int
    initrd_fd: Optional[int]
    cmdline: str
    checks: bool
    unpacked_fd: Optional[int] = None


def is_loaded(root: Path, slot: Slot = REBOOT) -> bool:
    """Tell whether a kernel is loaded to be executed; a panic kernel has a slot of its own."""
    return read_text(below(root, slot.file)) == "1"


def is_capture(root: Path, cmdline: Optional[str]) -> bool:
    """Tell whether a panic has started the running kernel: it shows the memory of the other (the kernel's kdump.rst)."""
    words = (cmdline or "").split()
    return exists(below(root, "proc/vmcore")) or any(word.startswith("elfcorehdr=") for word in words)


def unsupported(root: Path, kernel_release: Optional[str], cmdline: Optional[str]) -> Optional[str]:
    """Say why this machine cannot kexec now: program, kernel configuration or sysctl; None when it can.

    A capture kernel could: its few megabytes hold no second kernel for long, and devices that a panic has left are reset best
    by firmware.
    """
    if is_capture(root, cmdline):
        return sentences.CAPTURE
    if process.find(root, "kexec") is None:
        return sentences.NO_PROGRAM
    if configured(root, kernel_release) is False:
        return sentences.NOT_BUILT
    if not exists(below(root, "sys/kernel/kexec_loaded")):
        return sentences.NO_KEXEC
    return None if is_loaded(root) else forbidden(root)


def forbidden(root: Path) -> Optional[str]:
    """Say by which sysctl loading is disabled, and unloading with it; None where it is not (the kernel's sysctl/kernel.rst)."""
    if read_text(below(root, "proc/sys/kernel/kexec_load_disabled")) == "1":
        return sentences.DISABLED
    if read_text(below(root, "proc/sys/kernel/kexec_load_limit_reboot")) == "0":
        return sentences.USED_UP
    return None


def configured(root: Path, kernel_release: Optional[str]) -> Optional[bool]:
    """Tell whether the running kernel's configuration has kexec; None where no configuration is to be found."""
    lines = read_config(root, kernel_release)
    return None if lines is None else "CONFIG_KEXEC=y" in lines or "CONFIG_KEXEC_FILE=y" in lines


def read_config(root: Path, kernel_release: Optional[str]) -> Optional[FrozenSet[str]]:
    """Return the lines of the running kernel's configuration; None where none is to be found."""
    data = read_bytes(below(root, "boot/config-{}".format(kernel_release)), CONFIG_LIMIT)
    if data is None:
        packed = read_bytes(below(root, "proc/config.gz"), CONFIG_LIMIT) or b""
        try:
            data = zlib.decompressobj(GZIP).decompress(packed, CONFIG_LIMIT)
        except zlib.error:
            return None
    return frozenset(data.decode("utf-8", "replace").splitlines()) if data else None


def read_rules(root: Path) -> Rules:
    """Return what decides how a kernel may be loaded (kernel_lockdown(7); the value of an EFI variable is its fifth byte)."""
    config = read_config(root, read_text(below(root, "proc/sys/kernel/osrelease")))
    lockdown = read_text(below(root, "sys/kernel/security/lockdown")) or ""
    secure_boot = (read_text(below(root, SECURE_BOOT)) or "")[4:5] == "\x01"
    cmdline = read_text(below(root, "proc/cmdline")) or ""
    return Rules(find_verified(lockdown, config, secure_boot, find_appraising(read_ima_policy(root), cmdline)), config)


def read_ima_policy(root: Path) -> str:
    """Return the rules of IMA; none where the kernel does not show them, which takes CONFIG_IMA_READ_POLICY."""
    try:
        return read_text(below(root, "sys/kernel/security/ima/policy"), CONFIG_LIMIT) or ""
    except OSError:
        return ""


def load_cmd(root: Path, image: Image, options: Sequence[str], slot: Slot = REBOOT) -> List[str]:
    """Return the command that loads `image` with `options`."""
    argv = [str(process.require(root, "kexec")), slot.option, *options, "--command-line=" + image.cmdline]
    if image.initrd_fd is not None:
        argv.append("--initrd=/proc/self/fd/{}".format(image.initrd_fd))
    return [*argv, "/proc/self/fd/{}".format(image.kernel_fd)]


def spares_checksum(root: Path) -> bool:
    """Tell whether a load begins with a way that leaves the purgatory's checksum out: else each byte costs time in the jump."""
    options = _options(root)
    ways = find_ways(read_rules(root), options)
    return bool(ways) and "--no-checks" in load_options(ways[0], options, checks=False)


def load(root: Path, image: Image) -> bool:
    """Load `image` in place of what is loaded, and see that the kernel has it; return whether it has the unpacked initrd.

    Raises Error; then nothing may be loaded.
    What is loaded goes first: otherwise a load that only reports success would leave it there and pass for it. Each way
    that is allowed is tried; a lack of memory once more, after the kernel was asked to gather some.
    """
    problem = forbidden(root)
    if problem is not None:
        raise Error(problem)
    was_loaded, rules, options = is_loaded(root), read_rules(root), _options(root)
    if was_loaded:
        _unload(root, rules, options)
    deadline = time.monotonic() + LOAD_TIMEOUT
    if image.unpacked_fd is not None:
        unpacked = image._replace(initrd_fd=image.unpacked_fd)
        # By the one way that this is for; where that does not go, the initrd is still there as it is.
        with contextlib.suppress(process.CommandError):
            _load_by(root, unpacked, load_options(Way.CLASSIC, options, checks=False), deadline - LOAD_TIMEOUT / 2)
            return True
    _load_packed(root, image, rules, options, deadline)
    return False


def load_for_panic(root: Path, image: Image) -> None:
    """Load `image` into the memory that was put aside for a panic. Raises Error; what is loaded for a reboot stays."""
    if read_text(below(root, "proc/sys/kernel/kexec_load_disabled")) == "1":
        raise Error(sentences.DISABLED)
    _load_packed(root, image, read_rules(root), _options(root), time.monotonic() + LOAD_TIMEOUT, PANIC)


def _load_packed(root: Path, image: Image, rules: Rules, options: str, deadline: float, slot: Slot = REBOOT) -> None:
    """Load `image` in the first way that goes. Raises Error."""
    failures = []  # type: List[str]
    for way in find_ways(rules, options):
        try:
            _load_by(root, image, load_options(way, options, image.checks), deadline, slot)
            return
        except process.CommandError as error:
            if error.code is None:
                raise
            failures.append(_told(way, "load", error))
            if is_short_of_memory(error.said):
                break
    raise Error(explain(failures, rules))


def _load_by(root: Path, image: Image, options: Sequence[str], deadline: float, slot: Slot = REBOOT) -> None:
    """Load `image` with `options`. Raises CommandError."""
    fds = [fd for fd in (image.kernel_fd, image.initrd_fd) if fd is not None]
    _try(root, load_cmd(root, image, options, slot), fds, deadline, slot=slot)


def unload(root: Path) -> None:
    """Unload the kernel that is loaded, if one is; a panic kernel stays. Raises Error."""
    if not is_loaded(root):
        return
    problem = forbidden(root)
    if problem is not None:
        raise Error(problem)
    _unload(root, read_rules(root), _options(root))


def _unload(root: Path, rules: Rules, options: str) -> None:
    deadline = time.monotonic() + UNLOAD_TIMEOUT
    failures = []  # type: List[str]
    for way in find_ways(rules, options):
        argv = [str(process.require(root, "kexec")), "-u", *load_options(way, options, checks=True)]
        try:
            _try(root, argv, (), deadline, wanted=False)
            return
        except process.CommandError as error:
            if error.code is None:
                raise
            failures.append(_told(way, "unload", error))
    raise Error(explain(failures, rules))


def gather_memory(root: Path) -> None:
    """Ask the kernel to drop what it only caches, and to make free memory contiguous; as far as it can."""
    for name in ("drop_caches", "compact_memory"):
        with contextlib.suppress(OSError):
            fd = os.open(str(root / "proc/sys/vm" / name), os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, b"3" if name == "drop_caches" else b"1")
            finally:
                os.close(fd)


def _options(root: Path) -> str:
    """Return what kexec says of its options: versions differ in where they print it, and in the exit code."""
    return process.ask([str(process.require(root, "kexec")), "--help"], HELP_TIMEOUT)


def _try(
    root: Path, argv: Sequence[str], fds: Sequence[int], deadline: float, wanted: bool = True, slot: Slot = REBOOT
) -> None:
    """Load in one way, or unload where nothing is `wanted` in the kernel, whose word counts and not the exit code.

    Again while another load is under way, and once more with memory gathered. Raises CommandError.
    """
    gathered = False
    for left in reversed(range(BUSY_TRIES)):
        try:
            process.run(argv, max(deadline - time.monotonic(), 0.1), pass_fds=fds)
        except process.CommandError as error:
            if is_busy(error.said) and left:
                time.sleep(BUSY_PAUSE)
            elif is_short_of_memory(error.said) and not gathered and left:
                gathered = True
                gather_memory(root)
            else:
                raise
        else:
            break
    if is_loaded(root, slot) != wanted:
        has = "nothing loaded" if wanted else "still something loaded"
        raise process.CommandError("kexec reported success, but the kernel has " + has, code=0)


def _told(way: Way, what: str, error: process.CommandError) -> str:
    if error.code == 0:
        return error.message
    call = "file " + what if way is Way.FILE else what
    said = telling_line(error.said)
    return "kexec: the {} failed with exit code {}{}".format(call, error.code, ": " + said if said else "")
