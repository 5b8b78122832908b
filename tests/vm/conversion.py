"""A guest that is turned from sysvinit to systemd and back, by dpkg alone: both packages of an init lie in it."""

from pathlib import Path

from tests.vm.image import CMDLINE, NEWER_KERNEL, PACKAGES, Dress, Image, Recipe, build, run
from tests.vm.qemu import Machine

# systemd itself is there beside sysvinit, as where a desktop has brought it; who is /sbin/init is another package's say.
CONVERTIBLE = Recipe(
    packages=PACKAGES + " systemd", carried=NEWER_KERNEL + ":depends systemd-sysv sysvinit-core", size=3072
)
LIMIT = 600.0
# Root is logged in by itself, as in the guest's inittab; without udev, which takes long in here to find a serial line.
CONSOLE = (
    "cd /etc/systemd/system && mkdir -p console-getty.service.d getty.target.wants && printf '%s\\n' [Service] ExecStart= "
    "'ExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200 - dumb' >console-getty.service.d/autologin.conf && "
    "ln -s /lib/systemd/system/console-getty.service getty.target.wants && ln -s /dev/null serial-getty@ttyS0.service"
)
# A host that never had another: without what sysvinit has brought.
SYSTEMD = CONVERTIBLE._replace(cmdline=CMDLINE + " systemd.show_status=false")
ONLY_SYSTEMD = (
    "export DEBIAN_FRONTEND=noninteractive; dpkg --auto-deconfigure -i /root/systemd-sysv_*.deb && "
    "dpkg --purge initscripts orphan-sysvinit-scripts sysv-rc insserv && "
    + CONSOLE + " && ln -s /dev/null getty-static.service && ln -s /dev/null e2scrub_reap.service"
)


def put_on_systemd(tree: Path) -> None:
    """Make a host of systemd alone out of the tree."""
    run(["chroot", str(tree), "sh", "-c", ONLY_SYSTEMD])


def convert(machine: Machine, init: str) -> None:
    """Install the package `init` in the place of the other; its program is PID 1 from the next boot on."""
    machine.check(f"[ -L /etc/systemd/system/serial-getty@ttyS0.service ] || ({CONSOLE})")
    machine.check(f"DEBIAN_FRONTEND=noninteractive dpkg --auto-deconfigure -i /root/{init}_*.deb", LIMIT)


def is_systemd(machine: Machine) -> bool:
    """Tell whether PID 1 is systemd, as sd_booted(3) does."""
    return machine.run("test -d /run/systemd/system").status == 0


def build_systemd() -> Image:
    """Return the disk of a guest that has systemd and no other init."""
    return build(SYSTEMD, Dress(ONLY_SYSTEMD, put_on_systemd))
