"""PANIC_KERNEL: at the end of a boot, load the kernel that a panic starts. Nothing of a reboot depends on it."""

from kexec_initd.cmdline.edit import for_panic
from kexec_initd.decision import selection
from kexec_initd.errors import Error, Refused, describe_error, one_line
from kexec_initd.kexec import load, panic, program
from kexec_initd.settings.reader import Settings
from kexec_initd.system.encoding import encode
from kexec_initd.system.host import Host, InitSystem

ROOM = 128  # bytes of the command line for what kexec adds: elfcorehdr= and, before kexec-tools 2.0.5, memmap=


def preload(host: Host, settings: Settings) -> None:
    """Load the panic kernel where one is wanted, and keep what became of it for `status`; never raises for a failure."""
    if settings.panic_kernel == "no" or panic.has_loaded(host.root):
        return
    try:
        told = panic.LOADED + _load(host.renewed(), settings)
    except (Error, OSError) as error:
        told = "not loaded: " + describe_error(error)
    try:
        panic.note(host.root, one_line(told))
    except (Error, OSError) as error:
        told += "; and that cannot be kept: {}".format(describe_error(error))
    print("kexec-initd: panic kernel " + one_line(told))


def _load(host: Host, settings: Settings) -> str:
    """Load it; return its release. The lock of loads is not held: a reboot waits for that, and the kernel has one of its own.

    Raises Error, OSError.
    """
    obstacle = settings.ignored or panic.find_obstacle(host.root)
    if obstacle is not None:
        raise Refused(obstacle)
    name = settings.panic_kernel
    found = (
        selection.find_next(host, settings) if name == "yes" else selection.find_named(host, settings, name, file=True)
    )
    if isinstance(found, selection.NoTarget):
        raise Refused(found.problem)
    text = for_panic(found.entry.cmdline, settings.panic, host.init is InitSystem.SYSTEMD)
    with load.checked(host, found.entry) as files:
        files.require_room(len(encode(text)) + ROOM)
        program.load_for_panic(host.root, program.Image(files.kernel_fd, files.initrd_fd, text, checks=True))
        return "kernel " + files.release
