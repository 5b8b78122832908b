"""A host as most are: Debian with GRUB 2 where kexec-initd is installed, and has loaded at boot what a reboot starts."""

import shutil
import subprocess
from pathlib import Path

from kexec_initd.settings.reader import Settings
from kexec_initd.stages import shutdown
from kexec_initd.system.host import gather
from tests.bootloader.hosts import root_of
from tests.trees import install, make_tree
from tests.unit.fake_host import FakeHost, with_kernel

GRUB = "grub2/debian-12-first"


def make_loaded_host(root: Path) -> FakeHost:
    """Make the host below `root`, which is not there yet."""
    fake = with_kernel(FakeHost(root))
    shutil.rmtree(str(root / "run"))
    tree = make_tree(root / "made")
    install(tree)
    subprocess.run(["cp", "-a", str(tree) + "/.", str(root)], check=True)
    shutil.rmtree(str(tree))
    config = (root_of(GRUB) / "boot/grub/grub.cfg").read_text().replace("6.1.0-37-amd64", "6.1.0-test")
    fake.write("boot/grub/grub.cfg", config)
    shutil.copy(str(root_of(GRUB) / "etc/fstab"), str(root / "etc"))
    fake.write("sys/firmware/acpi/none", "")
    shutdown.preload(gather(root), Settings())
    return fake
