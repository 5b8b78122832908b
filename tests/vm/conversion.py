"""A guest that is turned from sysvinit to systemd and back, by dpkg alone: both packages of an init lie in it."""

from tests.vm.debian_systemd import CONSOLE
from tests.vm.image import NEWER_KERNEL, PACKAGES, Recipe
from tests.vm.qemu import Machine

# systemd itself is there beside sysvinit, as where a desktop has brought it; who is /sbin/init is another package's say.
CONVERTIBLE = Recipe(
    packages=PACKAGES + " systemd", carried=NEWER_KERNEL + ":depends systemd-sysv sysvinit-core", size=3072
)
LIMIT = 600.0


def convert(machine: Machine, init: str) -> None:
    """Install the package `init` in the place of the other; its program is PID 1 from the next boot on."""
    machine.check(f"[ -L /etc/systemd/system/serial-getty@ttyS0.service ] || ({CONSOLE})")
    machine.check(f"DEBIAN_FRONTEND=noninteractive dpkg --auto-deconfigure -i /root/{init}_*.deb", LIMIT)


def is_systemd(machine: Machine) -> bool:
    """Tell whether PID 1 is systemd, as sd_booted(3) does."""
    return machine.run("test -d /run/systemd/system").status == 0
