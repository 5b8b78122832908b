"""Guests in the shape of RHEL 6, 5 and 4: Debian's programs under an init tree in RHEL's layout and order.

Imitated, by files of our own writing in rhel/, after the branches rhel4-branch, rhel5-branch and rhel6-branch of the
project initscripts: `rc` with its rules for K and S scripts and /var/lock/subsys, what each release takes from a script's
text (rules), 4's initlog, which keeps what a script prints to itself; what `rc.sysinit` clears, 4's and 5's tmpfs on
/dev; S00killall, which stops once more whatever has left its mark; each release's own `halt` from the kills to the last
line: what is unmounted, that /sys goes on 4 and 5, where halt.local is called and with what, that / and /proc become
read-only, that 5 and 6 call `kexec -e -x` at every reboot and 4 has no word of it; 6's environment, which is that of an
Upstart job; /var/run and /var/lock as real directories, redhat-release in place of os-release, the names of the boot
files, bash as /bin/sh. On 5 /boot has a partition of its own. The tree belongs to a package that rpm has installed, so
that dependencies resolve and `rpm -V` answers. What the guests do of all that is in test_rhel_stock.py.

Not imitated: the programs themselves, their ages, kernel and GRUB, which are Debian's (with /run for udev's and init's
sake, spared as /dev is, and a merged /usr; what mount(8) would have written into /etc/mtab is worked out); Upstart on 6,
whose jobs are inert files while sysvinit reads an inittab; rc.sysinit under initlog on 4; SELinux, LVM, quota, network,
clock, loop devices, plymouth and the interactive start-up; bash is not as old as theirs.
"""

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.install.rhel import place_database, remove
from tests.vm.cache import digest, digest_tree
from tests.vm.image import Dress, Image, Recipe, run
from tests.vm.image import build as build_image

HERE = Path(__file__).resolve().parent
PACKAGES = (
    "sysvinit-core initscripts insserv sysv-rc orphan-sysvinit-scripts udev kmod procps psmisc iproute2 e2fsprogs "
    "linux-image-cloud-amd64 initramfs-tools zstd grub-pc kexec-tools python3 rpm less"
)
RECIPE = Recipe(packages=PACKAGES)

# What makes a Debian of the tree: its boot scripts and their settings, and the files by which it is recognized.
DEBIAN = (
    "etc/init.d", "etc/rc?.d", "etc/rc.shutdown", "etc/insserv*", "etc/inittab", "etc/default/[!g]*", "etc/network",
    "usr/lib/init", "usr/sbin/coldreboot",
    "etc/os-release", "usr/lib/os-release", "etc/debian_version", "etc/dpkg", "etc/issue*", "etc/motd", "var/lib/dpkg",
    "var/run", "var/lock",
)


class Shape(NamedTuple):
    """One release: the text of /etc/redhat-release, how /boot names an initrd, and whether it is a file system of its own."""

    release: int
    redhat_release: str
    initrd: str
    boot_partition: bool = False


SHAPES = {
    6: Shape(6, "CentOS release 6.10 (Final)", "initramfs-{}.img"),
    5: Shape(5, "CentOS release 5.11 (Final)", "initrd-{}.img", boot_partition=True),
    4: Shape(4, "Red Hat Enterprise Linux AS release 4 (Nahant Update 9)", "initrd-{}.img"),
}


def build(shape: Shape) -> Image:
    """Return the image of `shape`, from the cache or made now; the bootstrapped tree is common to all shapes."""
    key = digest([Path(__file__).read_bytes(), digest_tree(HERE / "rhel").encode(), repr(shape).encode()])
    return build_image(RECIPE._replace(boot_partition=shape.boot_partition), Dress(key, lambda tree: put_on(shape, tree)))


def put_on(shape: Shape, tree: Path) -> None:
    """Turn the Debian `tree` into `shape`."""
    remove(tree, DEBIAN)
    initrd = next((tree / "boot").glob("initrd.img-*"))
    initrd.rename(initrd.with_name(shape.initrd.format(initrd.name[len("initrd.img-"):])))
    # the harness types into dash, as in the other guests: bash would edit the line and echo it
    run(["chroot", str(tree), "usermod", "-s", "/bin/dash", "root"])
    (tree / "usr/bin/sh").unlink()
    (tree / "usr/bin/sh").symlink_to("bash")
    install_init_tree(shape, tree)


def install_init_tree(shape: Shape, tree: Path) -> None:
    """Install the package of the init tree by the tree's own rpm."""
    place_database(tree)
    with tempfile.TemporaryDirectory() as directory:
        shutil.copyfile(build_init_tree(shape, Path(directory)), tree / "initscripts.rpm")
    run(["chroot", str(tree), "rpm", "-i", "--force-debian", "/initscripts.rpm"])
    (tree / "initscripts.rpm").unlink()


def build_init_tree(shape: Shape, directory: Path, revision: int = 1) -> Path:
    """Build the package of the init tree below `directory`; a higher `revision` brings another halt."""
    macros = {
        "_topdir": directory, "sources": HERE / "rhel", "release_number": shape.release,
        "redhat_release": shape.redhat_release, "revision": revision,
    }
    define = [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]
    run(["rpmbuild", "-bb", "--quiet", *define, str(HERE / "rhel/initscripts.spec")])
    return next(directory.glob("RPMS/noarch/*.rpm"))
