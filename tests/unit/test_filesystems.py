"""/proc/mounts as both ways of the last step judge it: byte by byte, whole, by the type of each file system."""

import re
import subprocess
from pathlib import Path
from typing import List, Tuple

import pytest

from kexec_initd.errors import Error
from kexec_initd.install.render import render_all
from kexec_initd.system.filesystems import PSEUDO, REMOTE, parse_mounts
from kexec_initd.system.host import gather

ROOT = b"/dev/vda1 / ext4 ro,relatime 0 0\n"


def writable(rows: bytes) -> List[str]:
    return [mount.path for mount in parse_mounts(rows) if mount.is_writable_disk]


# What Unicode or C would part words or lines at, but the kernel does not; and what it writes in octal.
NAMES = {
    "\u00a0": b"\xc2\xa0", "\u3000": b"\xe3\x80\x80", "\u2028": b"\xe2\x80\xa8", "\u0085": b"\xc2\x85", "VT": b"\v", "FF": b"\f",
    "FS": b"\x1c", "CR": b"\r", "Latin-1": b"\xe9\xa0", "blank": b"\\040", "tab": b"\\011", "newline": b"\\012",
    "backslash": b"\\134", "no escape": b"\\134040", "digit": b"\\0401",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_may_hold_any_byte(name: str) -> None:
    for row in (b"/dev/sd%sb /srv ext4 rw 0 0\n", b"/dev/sdb /srv/%s/x ext4 rw 0 0\n", b"tank%s /srv zfs rw 0 0\n"):
        assert len(writable(ROOT + row % NAMES[name])) == 1


PLACES = {
    b"/a\\040b": b"/a b", b"/a\\0401": b"/a 1", b"/a\\1340401": b"/a\\0401", b"/a\\012": b"/a\n", b"\\0119": b"\t9",
    b"/\\377": b"/\xff", b"/\xe3\x81\x82": b"/\xe3\x81\x82", b"/%s": b"/%s", b"/a\\134c": b"/a\\c",
}  # fmt: skip


def test_a_place_is_what_stands_behind_the_octal_digits() -> None:
    for written, place in PLACES.items():
        mount = parse_mounts(ROOT + b"s:/x %s nfs4 rw 0 0\n" % written)[-1]
        assert mount.path.encode("utf-8", "surrogateescape") == place


def test_the_last_of_many_rows_counts_as_the_first() -> None:
    many = b"".join(b"tmpfs /run/user/%d tmpfs rw 0 0\n" % number for number in range(60000))
    assert len(many) > 1 << 20
    assert writable(many + ROOT + b"/dev/sdb /srv ext4 rw 0 0\n") == ["/srv"]


DISKS = [
    "ext4",
    "zfs",
    "ubifs",
    "jffs2",
    "bcachefs",
    "btrfs",
    "overlay",
    "aufs",
    "ntfs3",
    "fuseblk",
    "gfs2",
    "unheard-of",
]
SOURCES = ["tank/x", "ubi0:root", "mtd:data", "mtd3", "/dev/sdb", "none", "overlay", "\\040", "UUID=x"]


@pytest.mark.parametrize("kind", DISKS)
@pytest.mark.parametrize("source", SOURCES)
def test_what_is_not_known_to_be_harmless_is_a_disk_whatever_its_source_looks_like(kind: str, source: str) -> None:
    row = "{} /srv {} {{}} 0 0\n".format(source, kind)
    assert writable(ROOT + row.format("rw,noatime").encode()) == ["/srv"]
    assert writable(ROOT + row.format("ro,lowerdir=/rw,rw").encode()) == []


def test_what_the_kernel_makes_up_or_a_server_keeps_is_none() -> None:
    for kind in (*PSEUDO, *REMOTE, "fuse.sshfs", "fuse.gvfsd-fuse"):
        assert writable(ROOT + "x /x {} rw 0 0\n".format(kind).encode()) == []


def test_a_disk_with_the_type_of_a_server_is_a_disk() -> None:
    assert writable(ROOT + b"/dev/sdb /srv fuse.fuse2fs rw 0 0\n") == ["/srv"]


@pytest.mark.parametrize(
    "row", [b"/dev/sdb", b"/dev/sdb /srv", b"/dev/sdb /srv ext4", b"/dev/sdb /srv ext4  0 0", b"x y z w"]
)
def test_a_row_that_is_cut_counts_as_writable(row: bytes) -> None:
    assert len(writable(ROOT + row)) == 1


@pytest.mark.parametrize("rows", [None, b"", b"\n", b"/dev/sdb /srv ext4 ro 0 0\n"])
def test_without_a_root_file_system_nobody_can_tell(rows: bytes) -> None:
    with pytest.raises(Error, match="/proc/mounts cannot be read"):
        parse_mounts(rows)


def shell_functions(root: Path) -> str:
    """Return what plain shell judges mounts with, reading from a file of its own."""
    (root / "etc/init.d").mkdir(parents=True)
    (root / "sbin").mkdir()
    for path in ("etc/os-release", "etc/inittab", "etc/init.d/reboot", "sbin/init"):
        (root / path).write_text("ID=debian\nVERSION_ID=12\n")
    script = {file.path: file.content.decode() for file in render_all(gather(root))}["/etc/init.d/kexec-initd"]
    found = re.search(r"^pseudo=.*?^unmount_all", script, re.MULTILINE | re.DOTALL)
    calls = re.search(r"^at_each \(\) \{\n.*?^}", script, re.MULTILINE | re.DOTALL)
    assert found and calls
    text = found.group()[: -len("unmount_all")] + calls.group() + "\n"
    return text.replace("</proc/mounts", '<"$mounts"').replace("cat /proc/mounts", 'cat "$mounts"')


def ask_shell(shell: str, functions: str, call: str, rows: bytes, tmp_path: Path) -> Tuple[int, bytes]:
    (tmp_path / "mounts").write_bytes(rows)
    done = subprocess.run(
        [*shell.split(), "-c", "mounts=$1\n" + functions + call, "sh", str(tmp_path / "mounts")],
        stdout=subprocess.PIPE, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout


CASES = [
    *(ROOT + b"/dev/sdb /srv/%s/x ext4 rw 0 0\n" % name for name in NAMES.values()),
    *(ROOT + "{} /srv {} rw 0 0\n".format(source, kind).encode() for source in SOURCES[:3] for kind in DISKS),
    *(ROOT + "x /x {} rw 0 0\n".format(kind).encode() for kind in (*PSEUDO, *REMOTE, "fuse.sshfs")),
    ROOT + b"/dev/sdb /srv fuse.fuse2fs rw 0 0\n", ROOT + b"/dev/sdb", ROOT + b"/dev/sdb /srv ext4\n",
    ROOT + b"x / overlay ro,rw 0 0", ROOT, b"", b"/dev/sdb /srv ext4 ro 0 0\n", ROOT + b"* /* * rw 0 0\n",
]  # fmt: skip


def judge(rows: bytes) -> bool:
    """Tell whether something keeps the jump from being made, as Python sees it."""
    try:
        return bool(writable(rows))
    except Error:
        return True


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_plain_shell_judges_the_same(shell: str, tmp_path: Path) -> None:
    functions = shell_functions(tmp_path)
    directory = tmp_path / "rows"
    directory.mkdir()
    for number, rows in enumerate(CASES):
        (directory / "{:03d}".format(number)).write_bytes(rows)
    call = 'for mounts in "$mounts".d/*; do if still_writable; then echo True; else echo False; fi; done\n'
    directory.rename(tmp_path / "mounts.d")
    said = ask_shell(shell, functions, call, b"", tmp_path)[1].decode().split()
    assert said == [str(judge(rows)) for rows in CASES]


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_plain_shell_finds_the_same_places(shell: str, tmp_path: Path) -> None:
    rows = b"".join(b"s:/x %s nfs4 rw 0 0\n" % written for written in PLACES)
    call = 'show () { printf "%s\\0" "$2"; }\nat_each show\n'
    said = ask_shell(shell, shell_functions(tmp_path), call, rows, tmp_path)[1]
    assert said == b"".join(place + b"\0" for place in PLACES.values())
