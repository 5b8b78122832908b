"""Guests in the shape of RHEL 6, 5 and 4: Debian's programs under an init tree in RHEL's layout and order.

Imitated, by files of our own writing in rhel/: /etc/inittab, /etc/rc.d with `rc` and its rules for K and S scripts
and /var/lock/subsys, the duties of `rc.sysinit`, S00killall, S01reboot -> ../init.d/halt called with `start`, each
release's own end of `halt` (6 and 5 execute a loaded kernel, 4 has no word of it) and way to call /sbin/halt.local,
/var/run and /var/lock as real directories, redhat-release in place of os-release, the names of the boot files, bash as
/bin/sh. The tree belongs to a package that rpm has installed, so that dependencies resolve and `rpm -V` answers.

Not imitated: the programs themselves, their ages, kernel and GRUB, which are Debian's (with /run for udev's sake, and
a merged /usr); Upstart on 6, whose jobs are inert files while sysvinit reads an inittab; SELinux, LVM, quota, network,
plymouth and the interactive start-up; bash is not as old as theirs.
"""

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.vm.cache import digest, digest_tree
from tests.vm.image import Dress, Image, Recipe, run
from tests.vm.image import build as build_image

HERE = Path(__file__).resolve().parent
PACKAGES = (
    "sysvinit-core initscripts insserv sysv-rc orphan-sysvinit-scripts udev kmod procps iproute2 e2fsprogs "
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
    """One release: the text of /etc/redhat-release, and how /boot names an initrd."""

    release: int
    redhat_release: str
    initrd: str


SHAPES = {
    6: Shape(6, "CentOS release 6.10 (Final)", "initramfs-{}.img"),
    5: Shape(5, "CentOS release 5.11 (Final)", "initrd-{}.img"),
    4: Shape(4, "Red Hat Enterprise Linux AS release 4 (Nahant Update 9)", "initrd-{}.img"),
}


def build(shape: Shape) -> Image:
    """Return the image of `shape`, from the cache or made now; the bootstrapped tree is common to all shapes."""
    key = digest([Path(__file__).read_bytes(), digest_tree(HERE / "rhel").encode(), repr(shape).encode()])
    return build_image(RECIPE, Dress(key, lambda tree: put_on(shape, tree)))


def put_on(shape: Shape, tree: Path) -> None:
    """Turn the Debian `tree` into `shape`."""
    for pattern in DEBIAN:
        for path in tree.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    initrd = next((tree / "boot").glob("initrd.img-*"))
    initrd.rename(initrd.with_name(shape.initrd.format(initrd.name[len("initrd.img-"):])))
    # the harness types into dash, as in the other guests: bash would edit the line and echo it
    run(["chroot", str(tree), "usermod", "-s", "/bin/dash", "root"])
    (tree / "usr/bin/sh").unlink()
    (tree / "usr/bin/sh").symlink_to("bash")
    install_init_tree(shape, tree)


def install_init_tree(shape: Shape, tree: Path) -> None:
    """Install the package of the init tree by the tree's own rpm."""
    (tree / "etc/rpm").mkdir(exist_ok=True)
    # Debian's rpm keeps its database in root's home
    (tree / "etc/rpm/macros").write_text("%_dbpath /var/lib/rpm\n")
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
