"""A guest with two kernels: the one that it came with, and a newer one, whose package lies in it."""

from typing import NamedTuple

from tests.vm.image import ROOT_UUID
from tests.vm.qemu import Machine

# update-initramfs and update-grub are called by the package's own scripts.
INSTALL_NEWER = "dpkg -i /root/linux-image-*.deb"
UPDATE_GRUB = "update-grub"
UPDATE_LIMIT = 300.0


class Kernels(NamedTuple):
    """The releases of both, as `uname -r` says them."""

    old: str
    new: str

    def fill_in(self, text: str) -> str:
        """Put the releases, and the root's UUID, in the place of @OLD@, @NEW@ and @UUID@."""
        return text.replace("@OLD@", self.old).replace("@NEW@", self.new).replace("@UUID@", ROOT_UUID)


def find_kernels(machine: Machine) -> Kernels:
    """Return the kernels of a guest that runs the old one and has both installed."""
    old = machine.check("uname -r")
    (new,) = set(machine.check("ls /lib/modules").split()) - {old}
    return Kernels(old, new)
