"""Which configuration SYSLINUX finds, by the place of its program."""

from pathlib import Path
from typing import List, Tuple

import pytest

from kexec_initd.bootloader.menu import find_menu
from kexec_initd.system.sysroot import Tree
from tests.unit.starting_hosts import (
    DEBIAN,
    ESP,
    MOUNTED,
    NUMBER,
    OLD,
    READERS,
    SYSTEM,
    Files,
    answer,
    extlinux,
    problem,
    write,
)

# The places of SYSLINUX's program and of configurations, and which of these it reads.
SEARCHED: List[Tuple[str, List[str], str]] = [
    ("boot", ["boot/syslinux.cfg"], "boot/syslinux.cfg"),
    ("boot", ["boot/extlinux.conf", "boot/syslinux.cfg"], "boot/extlinux.conf"),
    ("boot/extlinux", ["boot/extlinux/syslinux.cfg"], "boot/extlinux/syslinux.cfg"),
    ("boot/extlinux", ["boot/extlinux/extlinux.conf", "boot/syslinux/syslinux.cfg"], "boot/extlinux/extlinux.conf"),
    ("boot/extlinux", ["boot/extlinux/syslinux.cfg", "boot/syslinux/extlinux.conf"], "boot/extlinux/syslinux.cfg"),
    ("boot/extlinux", ["boot/syslinux/syslinux.cfg", "syslinux/extlinux.conf"], "boot/syslinux/syslinux.cfg"),
    ("boot/extlinux", ["syslinux/syslinux.cfg", "syslinux.cfg"], "syslinux/syslinux.cfg"),
    ("boot", ["syslinux.cfg"], "syslinux.cfg"),
    ("", ["syslinux.cfg"], "syslinux.cfg"),
    ("", ["boot/syslinux/syslinux.cfg", "syslinux/syslinux.cfg"], "boot/syslinux/syslinux.cfg"),
    (
        "syslinux",
        ["syslinux/extlinux.conf", "syslinux/syslinux.cfg", "boot/syslinux/extlinux.conf"],
        "syslinux/extlinux.conf",
    ),
]


@pytest.mark.parametrize(("program", "files", "wanted"), SEARCHED)
def test_syslinux_takes_the_first_configuration_of_its_list(
    tmp_path: Path, program: str, files: List[str], wanted: str
) -> None:
    configs: Files = {name: extlinux("6.1-old" if name == wanted else "6.2-new") for name in files}
    write(tmp_path, dict(DEBIAN, **configs, **{"proc/mounts": SYSTEM, NUMBER: "49\n"}))
    write(tmp_path, {(program + "/ldlinux.sys").lstrip("/"): ""})
    assert answer(tmp_path) == OLD
    source = find_menu(Tree(tmp_path)).source
    assert source is not None and str(source.path) == "/" + wanted


def test_syslinux_on_a_partition_of_its_own_searches_that_one(tmp_path: Path) -> None:
    files: Files = {"boot/syslinux.cfg": extlinux("6.1-old", ""), "syslinux/syslinux.cfg": extlinux("6.2-new", "")}
    files.update({"boot/ldlinux.sys": "", "proc/mounts": MOUNTED})
    assert answer(write(tmp_path, dict(DEBIAN, **files))) == OLD


@pytest.mark.parametrize(("size", "wanted"), [("64", "syslx64.cfg"), ("32", "syslia32.cfg")])
def test_syslinux_on_efi_prefers_the_name_of_its_architecture(tmp_path: Path, size: str, wanted: str) -> None:
    place = "boot/efi/EFI/syslinux/"
    files: Files = {place + name: extlinux("old" if name == wanted else "new", "") for name in ("syslinux.cfg", wanted)}
    files.update({place + "syslinux.efi": "", "proc/mounts": ESP, "sys/firmware/efi/fw_platform_size": size + "\n"})
    files.update(
        {"boot/efi/{}-{}".format(kind, name): "" for kind in ("vmlinuz", "initrd.img") for name in ("old", "new")}
    )
    write(tmp_path, dict(DEBIAN, **files))
    assert answer(tmp_path) == "vmlinuz-old"
    write(tmp_path, {place + wanted: None})
    assert answer(tmp_path) == "vmlinuz-new"


def test_several_programs_of_syslinux_with_a_configuration_each_are_not_told_apart(tmp_path: Path) -> None:
    files = dict(READERS["extlinux"], **{"syslinux/syslinux.cfg": extlinux("6.2-new"), "syslinux/ldlinux.sys": ""})
    assert problem(write(tmp_path, dict(DEBIAN, **files))).startswith("there are both")
