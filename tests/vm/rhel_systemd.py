"""A guest in the shape of a RHEL with systemd alone and packages by rpm.

Imitated: os-release of a rebuild, rpm with a stand-in for kexec-tools, nothing of dpkg. Debian's are the programs themselves, so
systemd 252 with Debian's patches (RHEL 9 has 252 as well), kernel and initrd with their names, kexec, GRUB and its menu.
Not there: SELinux, dracut's shutdown ramdisk, new-kernel-pkg and kernel-install, entries of blscfg (grub_bls.py), XFS.
"""

import shutil
import tempfile
from pathlib import Path

from tests.install.rhel import build as build_package
from tests.install.rhel import place_database, remove
from tests.vm.cache import digest
from tests.vm.debian_systemd import QUIET, put_on_console
from tests.vm.debian_systemd import RECIPE as DEBIAN_RECIPE
from tests.vm.image import Dress, Image, build, run

RECIPE = DEBIAN_RECIPE._replace(packages=DEBIAN_RECIPE.packages + " rpm")
OS_RELEASE = 'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n'
# The scripts are of Debian's kexec-tools, which would load a kernel at each reboot.
DEBIAN = ("etc/debian_version", "etc/dpkg", "var/lib/dpkg", "etc/os-release", "etc/init.d/kexec*")


def build_rhel() -> Image:
    """Return the image, from the cache or made now."""
    return build(RECIPE, Dress(digest([Path(__file__).read_bytes(), QUIET.encode()]), put_on))


def put_on(tree: Path) -> None:
    """Make the shape out of the tree."""
    put_on_console(tree)
    remove(tree, DEBIAN)
    (tree / "etc/os-release").write_text(OS_RELEASE)
    (tree / "etc/sysconfig").mkdir(exist_ok=True)
    place_database(tree)
    with tempfile.TemporaryDirectory() as directory:
        package = build_package("kexec-tools", "1", Path(directory), tags="Provides: /bin/sh")
        shutil.copyfile(package, tree / "tools.rpm")
    run(["chroot", str(tree), "rpm", "-i", "--force-debian", "/tools.rpm"])
    (tree / "tools.rpm").unlink()
