"""Files below a root: links stay inside, only regular files are read, and where a loader's path lies on the host."""

import os
from pathlib import Path
from typing import Optional

import pytest

from kexec_initd.errors import Refused
from kexec_initd.system.sysroot import MAX_BYTES, Tree


def make(root: Path, *files: str) -> Tree:
    """Make files below `root`, each with its own path as its content."""
    for path in files:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return Tree(root)


def test_absolute_links_lead_below_the_root(tmp_path: Path) -> None:
    tree = make(tmp_path / "root", "boot/grub/grub.conf")
    (tmp_path / "root/etc").mkdir()
    (tmp_path / "root/etc/grub.conf").symlink_to("/boot/grub/grub.conf")
    assert tree.read_text("/etc/grub.conf") == "boot/grub/grub.conf"
    assert tree.resolve("/etc/grub.conf") == "/boot/grub/grub.conf"


def test_nothing_leads_above_the_root(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret")
    tree = make(tmp_path / "root", "outside/inside")
    (tmp_path / "root/link").symlink_to("../../outside")
    (tmp_path / "root/deep").symlink_to("../" * 50 + str(tmp_path / "outside").lstrip("/"))
    assert tree.read_text("/../outside") is None
    assert tree.read_text("/link") is None
    assert tree.read_text("/deep") is None
    assert tree.read_text("/link/inside") == "outside/inside"


@pytest.mark.parametrize("target", ["loop", "self/self", "nowhere", "/loop/x"])
def test_links_without_an_end_are_missing(tmp_path: Path, target: str) -> None:
    for name in ("loop", "self"):
        (tmp_path / name).symlink_to(target)
    assert Tree(tmp_path).read_text("/loop") is None
    assert Tree(tmp_path).read_text("/loop/deeper") is None


def test_what_is_no_regular_file_is_missing(tmp_path: Path) -> None:
    os.mkfifo(str(tmp_path / "fifo"))
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "directory").mkdir()
    tree = Tree(tmp_path)
    assert [tree.read_bytes("/" + name) for name in ("fifo", "null", "directory", "a\0b", "x" * 5000)] == [None] * 5
    assert [tree.is_file("/" + name) for name in ("fifo", "directory", "/".join("a" * 3000))] == [False] * 3
    assert tree.names("/fifo") == tree.names("/nowhere") == []
    assert tree.names("/") == ["directory", "fifo", "null"]


def test_large_files_are_refused(tmp_path: Path) -> None:
    with open(str(tmp_path / "large"), "wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(Refused, match="larger"):
        Tree(tmp_path).read_bytes("/large")


@pytest.mark.parametrize(
    "mounts, fstab, path, expected",
    [
        (None, None, "/vmlinuz", "/boot/vmlinuz"),
        (None, None, "/boot/vmlinuz", "/boot/vmlinuz"),
        (None, None, "/other", None),
        ("/dev/sda1 /boot ext4 rw 0 0\n", None, "/vmlinuz", "/boot/vmlinuz"),
        ("/dev/sda1 /boot ext4 rw 0 0\n", None, "/boot/vmlinuz", None),
        ("/dev/sda1 /boot ext4 rw 0 0\n", None, "/both", "/boot/both"),
        ("/dev/sda1 / ext4 rw 0 0\n", None, "/vmlinuz", None),
        ("/dev/sda1 / ext4 rw 0 0\n", None, "/both", "/both"),
        ("/dev/sda1 / ext4 rw 0 0\n", "LABEL=b /boot ext4 rw 0 0\n", "/both", "/both"),
        (None, "LABEL=b /boot ext4 rw 0 0\n", "/both", "/boot/both"),
        (None, "#LABEL=b /boot ext4 rw 0 0\n", "/both", None),
    ],
)
def test_locate(
    tmp_path: Path, mounts: Optional[str], fstab: Optional[str], path: str, expected: Optional[str]
) -> None:
    tree = make(tmp_path, "boot/vmlinuz", "boot/both", "both", "proc/mounts", "etc/fstab")
    (tmp_path / "proc/mounts").write_text(mounts or "")
    (tmp_path / "etc/fstab").write_text(fstab or "")
    located = tree.locate(path, "/boot")
    assert (None if located.obstacle else str(located.path)) == expected


def test_locate_through_a_link_to_itself(tmp_path: Path) -> None:
    tree = make(tmp_path, "boot/vmlinuz")
    (tmp_path / "boot/boot").symlink_to(".")
    assert tree.locate("/boot/vmlinuz", "/boot") == (Path("/boot/vmlinuz"), None)
