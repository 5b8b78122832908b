"""The guest: a Debian with sysvinit, a Debian kernel and its own GRUB on its own disk, made without loop devices.

mmdebstrap makes the tree, mke2fs -d fills the file system at its place inside the disk image, and the guest itself
runs grub-install on a first boot with the kernel given directly. From then on the chain is the one of a real
machine: firmware, GRUB, kernel. Needs root (mmdebstrap --mode=root, device nodes in the tree).

A `Dress` makes another system's shape out of the same tree before it goes to the disk: see rhel.py.
"""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Optional, Sequence, Tuple

from tests.vm.cache import digest, digest_tree, make_once
from tests.vm.qemu import EndReason, Machine, Setup

HERE = Path(__file__).resolve().parent
MIB = 1024 * 1024
BOOT_MIB = 256
ROOT_UUID = "6b657865-632d-4e69-a974-642d726f6f74"
BOOT_UUID = "6b657865-632d-4e69-a974-642d626f6f74"

PACKAGES = (
    "sysvinit-core initscripts insserv sysv-rc orphan-sysvinit-scripts udev kmod procps ifupdown e2fsprogs "
    "linux-image-cloud-amd64 initramfs-tools zstd grub-pc kexec-tools "
    "python3 python3-jinja2 python3-distro python3-sh less"
)

# A kernel panics where the timer does not tick while it looks ("IO-APIC + timer doesn't work"), as an emulator may let it wait
# that does not get a processor itself: under KVM it does not look either.
TIMER = "no_timer_check"
# Console messages of warnings and worse only; an emulated CPU has no use for mitigations or self tests, and it keeps
# its translations of a library only where every process maps it at the same address (half of the boot's time).
CMDLINE = f"console=ttyS0,115200 loglevel=4 mitigations=off cryptomgr.notests norandmaps {TIMER}"

GRUB_DEFAULTS = """\
GRUB_DEFAULT=0
GRUB_TIMEOUT=0
GRUB_RECORDFAIL_TIMEOUT=0
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="{cmdline}"
GRUB_TERMINAL=serial
GRUB_SERIAL_COMMAND="serial --speed=115200"
GRUB_DISABLE_OS_PROBER=true
"""


# What depends on the newest of another series of kernels: a second one to install, newer than the guest's own.
NEWER_KERNEL = "linux-image-6.12-cloud-amd64"


class Recipe(NamedTuple):
    """What a guest is made of; two equal recipes give one cached image. Sizes in MiB.

    The packages `carried` lie in the guest's /root as files, not installed; of NAME:depends those that NAME depends on.
    """

    suite: str = "bookworm"
    packages: str = PACKAGES
    carried: str = ""
    cmdline: str = CMDLINE
    boot_partition: bool = False
    size: int = 2048

    def key(self) -> str:
        """Return the digest of all that decides how the image comes out."""
        return digest([repr(self).encode(), *common_parts()])

    def base_key(self) -> str:
        """Return the digest of what decides how the bootstrapped tree comes out, which several images share."""
        return digest([self.suite.encode(), self.packages.encode(), self.carried.encode(), *common_parts()])


# The stock guest.
STOCK = Recipe(carried=NEWER_KERNEL + ":depends")


class Dress(NamedTuple):
    """What turns the Debian tree into another system's: `key` stands for everything that `put_on` does."""

    key: str
    put_on: Callable[[Path], None]


class Image(NamedTuple):
    """A finished guest, read-only; kernel and initrd are copies for direct boots (`Setup.kernel`)."""

    disk: Path
    kernel: Path
    initrd: Path
    key: str


def common_parts() -> Tuple[bytes, ...]:
    """Return what every image depends on, whatever its recipe."""
    return Path(__file__).read_bytes(), digest_tree(HERE / "guest").encode()


def build(recipe: Recipe = Recipe(), dress: Optional[Dress] = None) -> Image:
    """Return the image of `recipe`, in its `dress`, from the cache or made now (about two minutes and 1 GB)."""
    key = recipe.key() if dress is None else digest([recipe.key().encode(), dress.key.encode()])
    directory = make_once("image-" + key, lambda partial: make(recipe, dress, partial))
    return image_of(directory, key)


def make(recipe: Recipe, dress: Optional[Dress], directory: Path) -> None:
    """Make the image of `recipe` in `directory`."""
    if os.geteuid() != 0:
        raise PermissionError("a guest's image can only be built by root: run this through sudo")
    end, log = EndReason.STUCK, ""
    with unpacked(recipe, directory) as tree:
        write_settings(recipe, tree)
        if dress is not None:
            dress.put_on(tree)
        write_disk(recipe, tree, directory / "disk.raw")
        end, log = install_grub(recipe, directory)
    if end is not EndReason.POWEROFF or not re.search("^install-grub: done", log, re.MULTILINE):
        raise RuntimeError(f"GRUB was not installed in the guest ({end}): {log[-2000:]}")


@contextlib.contextmanager
def unpacked(recipe: Recipe, directory: Path) -> Iterator[Path]:
    """Give the tree of `recipe` as `directory`/tree, which is gone afterwards; its newest kernel and initrd stay there."""
    base = make_once("base-" + recipe.base_key(), lambda partial: bootstrap(recipe, partial / "root.tar"))
    tree = directory / "tree"
    tree.mkdir()
    try:
        run(["tar", "--extract", "--numeric-owner", "--file", str(base / "root.tar"), "--directory", str(tree)])
        for name in ("vmlinuz", "initrd.img"):
            shutil.copyfile(max((tree / "boot").glob(name + "-*")), directory / name)
        yield tree
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def image_of(directory: Path, key: str) -> Image:
    """Return the image that has been made in `directory` of the cache."""
    return Image(directory / "disk.raw", directory / "vmlinuz", directory / "initrd.img", key)


def bootstrap(recipe: Recipe, tar: Path) -> None:
    """Make the tree of `recipe` as `tar`: mmdebstrap writes one, so that nothing stays mounted, whatever happens."""
    guest = HERE / "guest"
    run([
        "mmdebstrap", "--mode=root", "--variant=minbase", "--format=tar",
        "--include=" + ",".join(recipe.packages.split()),
        # apt would otherwise take systemd-sysv, and then could not replace it
        '--aptopt=Apt::Install-Recommends "false"',
        '--dpkgopt=path-exclude=/usr/share/doc/*', '--dpkgopt=path-exclude=/usr/share/man/*',
        '--dpkgopt=path-exclude=/usr/share/locale/*',
        f'--setup-hook=cp -R {guest}/setup/. "$1"',
        f'--customize-hook=cp -R {guest}/overlay/. "$1"',
        '--customize-hook=chroot "$1" passwd -d root',
        '--customize-hook=chroot "$1" usermod -s /bin/sh root',
        # a release that changes daily says for how long its list is good, and a mirror may stand still for longer
        *(['--aptopt=Acquire::Check-Valid-Until "false"'] if recipe.suite == "sid" else []),
        *(["--customize-hook=" + CARRY.format(recipe.carried)] if recipe.carried else []),
        recipe.suite, str(tar),
    ])


# By the host's apt with the guest's sources, since these are what mmdebstrap has set up to be reached.
CARRY = """\
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"; cd "$1/root" || exit 1
names=
for name in {}; do
    case $name in
    *:depends) name=$(apt-cache depends "${{name%:depends}}" | sed -n 's/^ *Depends: //p') ;;
    esac
    test -n "$name" || exit 1
    names="$names $name"
done
apt-get download $names"""


def write_settings(recipe: Recipe, tree: Path) -> None:
    """Write the files that depend on the recipe."""
    (tree / "etc/default/grub").write_text(GRUB_DEFAULTS.format(cmdline=recipe.cmdline))
    fstab = [f"UUID={ROOT_UUID} / ext4 errors=remount-ro 0 1"]
    if recipe.boot_partition:
        fstab.append(f"UUID={BOOT_UUID} /boot ext4 defaults 0 2")
    (tree / "etc/fstab").write_text("\n".join(fstab) + "\n")


def write_disk(recipe: Recipe, tree: Path, disk: Path) -> None:
    """Write an MBR and the file systems, each filled from `tree` at its own offset of the image."""
    with open(disk, "wb") as stream:
        stream.truncate(recipe.size * MIB)
    start = 1
    rows = []
    if recipe.boot_partition:
        rows.append((start, BOOT_MIB))
        start += BOOT_MIB
    rows.append((start, recipe.size - start))
    table = "label: dos\n" + "".join(f"start={first}MiB, size={size}MiB, type=83\n" for first, size in rows)
    run(["sfdisk", "--quiet", str(disk)], table)
    if recipe.boot_partition:
        boot = tree.parent / "boot"
        os.rename(tree / "boot", boot)
        (tree / "boot").mkdir()
        make_ext4(disk, rows[0], BOOT_UUID, boot)
        shutil.rmtree(boot)
    make_ext4(disk, rows[-1], ROOT_UUID, tree)


def make_ext4(disk: Path, row: Tuple[int, int], uuid: str, tree: Path) -> None:
    """Make an ext4 with a journal at `row` (start and size in MiB) of `disk`, holding `tree`."""
    start, size = row
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-U", uuid, "-d", str(tree),
         "-E", f"offset={start * MIB},root_owner=0:0", str(disk), f"{size}M"])


def install_grub(recipe: Recipe, directory: Path) -> Tuple[EndReason, str]:
    """Let the guest put GRUB on its own disk; return how it ended, and what it said."""
    root = "/dev/vda2" if recipe.boot_partition else "/dev/vda1"
    append = f"root={root} rw console=ttyS0,115200 loglevel=4 init=/usr/local/sbin/install-grub norandmaps {TIMER}"
    setup = Setup(disk=directory / "disk.raw", writable=True, kernel=directory / "vmlinuz",
                  initrd=directory / "initrd.img", append=append)
    with Machine("install-grub-" + directory.name, setup) as machine:
        machine.start()
        end = machine.wait_end(300)
        return end, machine.log_text()


def run(argv: Sequence[str], text: str = "") -> None:
    """Run a command of the host to its end; what it says is shown only if it fails."""
    done = subprocess.run(argv, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed with {done.returncode}:\n{done.stdout[-4000:]}")
