"""Guests that have Debian's systemd and never had another init: releases from 247 to today's."""

import functools
from pathlib import Path

from tests.vm.cache import digest
from tests.vm.evidence import assert_came_cold, gather
from tests.vm.image import CMDLINE, Dress, Image, Recipe, build, run
from tests.vm.qemu import EndReason, Machine
from tests.vm.reboots import COLD

PACKAGES = (
    "systemd-sysv dbus login udev kmod procps e2fsprogs "
    "linux-image-cloud-amd64 initramfs-tools zstd grub-pc kexec-tools "
    "python3 python3-jinja2 python3-distro python3-sh less"
)
RECIPE = Recipe(packages=PACKAGES, cmdline=CMDLINE + " systemd.show_status=false")
# Of a release that has ended: the package that depends on it is no longer to be had.
LAST_KERNEL = "linux-image-5.10.0-46-cloud-amd64"
# By their code names, since a release becomes another suite in time.
SUITES = {"bullseye": "11", "bookworm": "12", "trixie": "13", "sid": "sid"}
# Root is logged in by itself, as in the guest's inittab; without udev, which takes long in here to find a serial line.
CONSOLE = (
    "cd /etc/systemd/system && mkdir -p console-getty.service.d getty.target.wants && printf '%s\\n' [Service] ExecStart= "
    "'ExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200 - dumb' >console-getty.service.d/autologin.conf && "
    "ln -s /lib/systemd/system/console-getty.service getty.target.wants && ln -s /dev/null serial-getty@ttyS0.service"
)
QUIET = CONSOLE + " && ln -s /dev/null getty-static.service && ln -s /dev/null e2scrub_reap.service"
# dracut's initrd is unpacked again at a shutdown, for systemd-shutdown to go back to (dracut-shutdown.service(8)). A small one.
DRACUT = RECIPE._replace(packages=PACKAGES.replace("initramfs-tools", "dracut") + " lvm2 cryptsetup-bin")
SMALL = (
    "mount -t proc proc /proc && printf '%s\\n' hostonly=no compress=zstd "
    "'drivers=\" virtio_pci virtio_blk ext4 dm_mod dm_crypt \"' 'dracutmodules=\" bash systemd systemd-initrd "
    "dracut-systemd base fs-lib rootfs-block udev-rules usrmount kernel-modules dm crypt lvm shutdown terminfo \"' "
    '>/etc/dracut.conf.d/guest.conf && dracut --force --kver "$(ls /lib/modules)"'
)


def recipe_of(suite: str) -> Recipe:
    """Return the recipe of a release's guest."""
    packages = PACKAGES.replace("linux-image-cloud-amd64", LAST_KERNEL) if suite == "bullseye" else PACKAGES
    return RECIPE._replace(suite=suite, packages=packages)


def put_on_console(tree: Path, quiet: str = QUIET) -> None:
    """Let the guest's only terminal be its serial line, and leave out what no test asks for."""
    run(["chroot", str(tree), "sh", "-c", quiet])


def put_on_dracut(tree: Path) -> None:
    """Make a small initrd by dracut in place of the one for all machines."""
    put_on_console(tree)
    run(["unshare", "--mount", "chroot", str(tree), "sh", "-c", SMALL])


def build_dracut() -> Image:
    """Return the disk of a guest with dracut's initrd and shutdown ramdisk."""
    return build(DRACUT, Dress(digest([QUIET.encode(), SMALL.encode()]), put_on_dracut))


def build_systemd(recipe: Recipe = RECIPE) -> Image:
    """Return the disk of such a guest, from the cache or made now."""
    # up to 248 the unit opens the console by its name
    quiet = QUIET.replace(" - dumb", " console dumb") if recipe.suite == "bullseye" else QUIET
    return build(recipe, Dress(digest([quiet.encode()]), functools.partial(put_on_console, quiet=quiet)))


def reboot_cold(machine: Machine, reason: str, command: str = "reboot") -> None:
    """Type `command`; prove that the machine goes through firmware, comes back, and that the console has the reason."""
    before, old = gather(machine), len(machine.log_text())
    machine.send(command)
    assert machine.wait_end() is EndReason.RESET
    assert COLD + reason in machine.log_text()[old:]
    machine.restart()
    machine.wait_login()
    assert_came_cold(before, gather(machine))
