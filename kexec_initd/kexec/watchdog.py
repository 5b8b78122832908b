"""A hardware watchdog that runs over the jump: it resets the machine when the next kernel never gets to the end of its boot.

Opening /dev/watchdogN starts the timer, and a close that was not announced with a "V" leaves it running (the kernel's
Documentation/watchdog/watchdog-api.rst). The time is set when the kernel is loaded, so that the last step, plain shell
too, only has to open and close the device. At the end of its boot the new system stops the timer; where a daemon has taken
it over by then, it is the daemon's. Many drivers stop their timer when they are loaded: then the watch ends there.

The watchdog core stops a timer at a kexec as at a reboot when its driver asks for that, which most do, unless the core has
the parameter stop_on_reboot=0 (drivers/watchdog/watchdog_core.c, since Linux 5.1). Without it nothing can be promised.
"""

import contextlib
import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence

from kexec_initd.errors import Error
from kexec_initd.state import checksum, store
from kexec_initd.state.store import Damaged, Lasting, Volatile
from kexec_initd.system import process
from kexec_initd.system.files import read_text
from kexec_initd.system.safe_path import below

CLASS = "sys/class/watchdog"
USERS = "sys/module/watchdog/holders"
KEPT = "sys/module/watchdog/parameters/stop_on_reboot"
SOFTWARE = ("Software Watchdog", "softdog")
SET_TIMEOUT = 3 << 30 | 4 << 16 | ord("W") << 8 | 6  # WDIOC_SETTIMEOUT of linux/watchdog.h
MAGIC_CLOSE = b"V"
MODPROBE_TIMEOUT = 10.0


Setter = Callable[[int, int], int]


class Device(NamedTuple):
    """A watchdog as sysfs shows it; `module` is its driver's: "" for one that is built in, None where nothing tells."""

    name: str
    identity: str
    can_be_stopped: bool
    is_used: bool
    module: Optional[str]


def find_devices(root: Path) -> List[Device]:
    """Return the watchdogs of the host, in the order of their names."""
    try:
        names = sorted(os.listdir(str(root / CLASS)))
    except OSError:
        return []
    users = _find_users(root)
    return [_read_device(root / CLASS / name, name, users) for name in names]


def _find_users(root: Path) -> List[str]:
    """Return the modules that use the watchdog core, but for that of software."""
    try:
        return [name for name in os.listdir(str(root / USERS)) if name not in SOFTWARE]
    except OSError:
        return []


def _read_device(path: Path, name: str, users: Sequence[str]) -> Device:
    """Read one device; where it has no link to its driver (i6300esb has none), the only user of the core is that."""
    driver = path / "device/driver"
    module = users[0] if len(users) == 1 else None
    if driver.exists():
        link = driver / "module"
        module = os.path.basename(os.path.realpath(str(link))) if link.exists() else ""
    return Device(
        name,
        read_text(path / "identity") or "",
        can_be_stopped=read_text(path / "nowayout") == "0",
        is_used=read_text(path / "state") != "inactive",
        module=module,
    )


def require_usable(devices: Sequence[Device], is_kept: bool) -> Device:
    """Return the device to use; `is_kept` says that the kernel lets it run over a jump. Raises Error with the reason.

    A timer of the kernel's own does not outlive the kernel.
    """
    hardware = [device for device in devices if not any(word in device.identity for word in SOFTWARE)]
    if not hardware:
        raise Error("there is {}".format("only a software watchdog" if devices else "no watchdog, or no driver for it"))
    device = hardware[0]
    if device.is_used:
        raise Error("{} ({}) is used by another program".format(device.name, device.identity))
    if not device.can_be_stopped:
        raise Error("{} ({}) could not be stopped after the boot (nowayout)".format(device.name, device.identity))
    if device.module is None:
        raise Error("which driver {} ({}) has cannot be told".format(device.name, device.identity))
    if not is_kept:
        raise Error("the kernel would stop {} at the jump: it needs watchdog.stop_on_reboot=0".format(device.name))
    return device


def require_device(root: Path) -> Device:
    """Return the device that a jump would be watched by. Raises Error with the reason why there is none."""
    return require_usable(find_devices(root), read_text(below(root, KEPT)) == "0")


def set_timeout(fd: int, seconds: int) -> int:
    """Set the time of a watchdog, and return what its hardware has made of it. Raises OSError."""
    return int(struct.unpack("i", fcntl.ioctl(fd, SET_TIMEOUT, struct.pack("i", seconds)))[0])


def make_ready(root: Path, seconds: int, setter: Setter = set_timeout) -> None:
    """Set the time, and leave word for the last step, and for the boot after it, which device that is. Raises Error.

    With 0 `seconds`, or after an Error, the jump will not be watched.
    """
    forget(root)
    if not seconds:
        return
    device = require_device(root)
    try:
        with _running(root, device.name) as fd:
            found = setter(fd, seconds)
        if found < seconds:
            raise Error("{} takes {} s instead of {}".format(device.name, found, seconds))
        store.write(root, Lasting.WATCHDOG, checksum.double(device.module or ""))
        store.write(root, Volatile.WATCHDOG, checksum.double(device.name))
    except OSError as error:
        raise Error("{} cannot be set to {} s: {}".format(device.name, seconds, error.strerror))


def forget(root: Path) -> None:
    """Let the next jump be an unwatched one."""
    with contextlib.suppress(OSError):
        store.remove(root, Volatile.WATCHDOG)


def describe_watch(root: Path, seconds: int) -> Optional[str]:
    """Say for a person whether the next jump will be watched; None where that is not wanted."""
    if not seconds:
        return None
    try:
        name = find_ready(root)
        if name:
            return "{} will watch the jump and the boot after it, {} s".format(name, seconds)
        device = require_device(root)
        reason = "{} ({}) has not been set to {} s, which a load does".format(device.name, device.identity, seconds)
    except Error as error:
        reason = str(error)
    return "the jump will not be watched: {}".format(reason)


def find_ready(root: Path) -> Optional[str]:
    """Return the name of the device that the last step is to start; None for none. Raises Damaged."""
    return _read_word(root, Volatile.WATCHDOG)


def _read_word(root: Path, file: store.StateFile) -> Optional[str]:
    data = store.read(root, file)
    try:
        return None if data is None else checksum.single(data)
    except ValueError as error:
        raise Damaged("{} is damaged: {}".format(store.path_of(root, file), error))


def take_over(root: Path) -> None:
    """Stop the timer that was started for the kexec that has led here. Raises Error.

    A driver that this boot has not loaded is: the timer runs all the same. One that a program holds is in good hands.
    Where it cannot be told any more which one it is, each that nobody holds is stopped.
    """
    try:
        module = _read_word(root, Lasting.WATCHDOG)
    except Damaged:
        for device in find_devices(root):
            if device.can_be_stopped and not device.is_used:
                _stop(root, device)
        with contextlib.suppress(OSError):
            store.remove(root, Lasting.WATCHDOG)
        raise
    if module is None:
        return
    if module and not [device for device in find_devices(root) if device.module == module]:
        process.run([str(process.require(root, "modprobe")), "--", module], MODPROBE_TIMEOUT)
    for device in find_devices(root):
        if device.module == module and not device.is_used:
            _stop(root, device)
    with contextlib.suppress(OSError):
        store.remove(root, Lasting.WATCHDOG)


def _stop(root: Path, device: Device) -> None:
    """Stop a timer, for which it has to be opened: that would only start one which now cannot be stopped. Raises Error."""
    if not device.can_be_stopped:
        raise Error("the watchdog {} cannot be stopped (nowayout)".format(device.name))
    try:
        with _running(root, device.name):
            pass
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise Error("the watchdog {} cannot be stopped: {}".format(device.name, error.strerror))


@contextlib.contextmanager
def _running(root: Path, name: str) -> Iterator[int]:
    """Hold a watchdog open, whose timer runs inside the `with` and is stopped at its end."""
    fd = os.open(str(root / "dev" / name), os.O_WRONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        try:
            os.write(fd, MAGIC_CLOSE)
        finally:
            os.close(fd)
