"""A guest in the shape of a RHEL with systemd alone and packages by rpm.

Imitated: os-release of a rebuild, rpm with a stand-in for kexec-tools, nothing of dpkg. Debian's are the programs themselves, so
systemd 252 with Debian's patches (RHEL 9 has 252 as well), kernel and initrd with their names, kexec, GRUB and its menu.
Not there: SELinux, dracut's shutdown ramdisk, new-kernel-pkg and kernel-install, entries of blscfg (grub_bls.py), XFS.
"""

import shutil
import tempfile
from pathlib import Path

from tests.install.rhel import build as build_package
from tests.vm.cache import digest
from tests.vm.conversion import SYSTEMD, put_on_systemd
from tests.vm.image import Dress, Image, build, run

RECIPE = SYSTEMD._replace(packages=SYSTEMD.packages + " rpm", carried="systemd-sysv")
OS_RELEASE = 'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n'
DEBIAN = ("etc/debian_version", "etc/dpkg", "var/lib/dpkg", "etc/os-release")


def build_rhel() -> Image:
    """Return the image, from the cache or made now."""
    return build(RECIPE, Dress(digest([Path(__file__).read_bytes()]), put_on))


def put_on(tree: Path) -> None:
    """Make the shape out of the tree."""
    put_on_systemd(tree)
    for script in (tree / "etc/init.d").glob("kexec*"):
        script.unlink()  # of Debian's kexec-tools, which would load a kernel at each reboot
    for name in DEBIAN:
        path = tree / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (tree / "etc/os-release").write_text(OS_RELEASE)
    for name in ("rpm", "sysconfig"):
        (tree / "etc" / name).mkdir(exist_ok=True)
    (tree / "etc/rpm/macros").write_text("%_dbpath /var/lib/rpm\n")  # Debian's is in root's home
    with tempfile.TemporaryDirectory() as directory:
        package = build_package("kexec-tools", "1", Path(directory), tags="Provides: /bin/sh")
        shutil.copyfile(package, tree / "tools.rpm")
    run(["chroot", str(tree), "rpm", "-i", "--force-debian", "/tools.rpm"])
    (tree / "tools.rpm").unlink()
