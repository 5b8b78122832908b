"""A guest whose GRUB takes its entries from /loader/entries by its own `blscfg`, with two kernels and a /boot of its own.

That command came with GRUB 2.14 (module blsuki), which is younger than the guest: the loader is taken from a newer
Debian, whose programs run in a tree of their own. Configuration, environment block and entries are in the shape of
RHEL 8 and 9, in /boot/grub2 and /boot/loader/entries; RHEL's own GRUB is in no Debian release.
"""

import shutil
from pathlib import Path
from typing import Mapping

from tests.vm.cache import digest, make_once
from tests.vm.image import (
    BOOT_UUID,
    CMDLINE,
    NEWER_KERNEL,
    PACKAGES,
    ROOT_UUID,
    Image,
    Recipe,
    image_of,
    run,
    unpacked,
    write_disk,
    write_settings,
)

RECIPE = Recipe(packages=PACKAGES.replace("grub-pc", "grub-common") + " " + NEWER_KERNEL, boot_partition=True)
NEWER_SUITE = "forky"
TOKEN = "e1f0e6c5f0c2d4b0a8b8e9f0e6c5f0c2"  # the machine's id, by which entries are named
KERNELOPTS = f"root=UUID={ROOT_UUID} ro {CMDLINE}"
MODULES = "biosdisk part_msdos ext2"
BLSCFG = "insmod blscfg\nblscfg\n"  # the first fails here: the module has another name, and GRUB goes on
CONFIGURATION = """\
set pager=1
if [ -f ${config_directory}/grubenv ]; then
  load_env -f ${config_directory}/grubenv
elif [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="${saved_entry}"
fi
serial --unit=0 --speed=115200
terminal_output serial
set timeout=0
insmod part_msdos
insmod ext2
set root='hd0,msdos1'
if [ x$feature_platform_search_hint = xy ]; then
  search --no-floppy --fs-uuid --set=root --hint-bios=hd0,msdos1 @BOOT@
else
  search --no-floppy --fs-uuid --set=root @BOOT@
fi
if [ -z "${kernelopts}" ]; then
  set kernelopts="@OPTIONS@ from=grub.cfg"
fi
""".replace("@BOOT@", BOOT_UUID).replace("@OPTIONS@", KERNELOPTS)


def build() -> Image:
    """Return the image, from the cache or made now."""
    key = digest([RECIPE.key().encode(), Path(__file__).read_bytes()])
    return image_of(make_once("grub-bls-" + key, make), key)


def make(directory: Path) -> None:
    """Make the image in `directory`."""
    tools = directory / "tools"
    run(
        [
            "mmdebstrap",
            "--mode=root",
            "--variant=extract",
            "--include=grub-pc-bin,grub2-common",
            # what a mirror has of a suite in development may be older than the suite says that it should be
            '--aptopt=Acquire::Check-Valid-Until "false"',
            NEWER_SUITE,
            str(tools),
        ]
    )
    (tools / "lib64").symlink_to("usr/lib64")
    modules = tools / "usr/lib/grub/i386-pc"
    if not (modules / "blsuki.mod").exists():
        raise RuntimeError(f"the GRUB of {NEWER_SUITE} has no blscfg")
    with unpacked(RECIPE, directory) as tree:
        write_settings(RECIPE, tree)
        releases = sorted(path.name.partition("-")[2] for path in (tree / "boot").glob("vmlinuz-*"))
        put_loader(tree, modules, {release: entry(release) for release in releases})
        write_disk(RECIPE, tree, directory / "disk.raw")
        write_loader(tools, directory / "disk.raw")
    shutil.rmtree(tools)


def put_loader(tree: Path, modules: Path, entries: Mapping[str, str]) -> None:
    """Lay down the loader's files as grub2-install and grub2-mkconfig of RHEL do, and an entry for each kernel."""
    grub = tree / "boot/grub2"
    shutil.copytree(modules, grub / "i386-pc", ignore=shutil.ignore_patterns("*.img", "grub-bios-setup"))
    (grub / "grub.cfg").write_text(CONFIGURATION + BLSCFG)
    (grub / "grubenv").write_text(f"# GRUB Environment Block\nkernelopts={KERNELOPTS} from=grubenv\n".ljust(1024, "#"))
    (tree / "etc/machine-id").write_text(TOKEN + "\n")
    (tree / "boot/loader/entries").mkdir(parents=True)
    for release, text in entries.items():
        (tree / "boot/loader/entries" / file_name(release)).write_text(text)


def file_name(release: str) -> str:
    """Return the name of a kernel's entry."""
    return f"{TOKEN}-{release}.conf"


def entry(release: str, options: str = "$kernelopts $tuned_params") -> str:
    """Return the entry for a kernel as RHEL 8 writes it."""
    return f"""\
title Red Hat Enterprise Linux ({release}) 8.10 (Ootpa)
version {release}
linux /vmlinuz-{release}
initrd /initrd.img-{release} $tuned_initrd
options {options}
id rhel-{release}
grub_users $grub_users
grub_arg --unrestricted
grub_class kernel
"""


def write_loader(tools: Path, disk: Path) -> None:
    """Write the loader before the first partition: its boot sector, and its core with the modules that find the rest."""
    run(
        [
            "chroot",
            str(tools),
            "grub-mkimage",
            "-O",
            "i386-pc",
            "-p",
            "(,msdos1)/grub2",
            "-o",
            "/core.img",
            *MODULES.split(),
        ]
    )
    with open(disk, "r+b") as stream:
        stream.write((tools / "usr/lib/grub/i386-pc/boot.img").read_bytes()[:440])  # the partition table is behind
        stream.seek(512)
        stream.write((tools / "core.img").read_bytes())
