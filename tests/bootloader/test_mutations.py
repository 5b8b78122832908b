"""The fixture hosts with a configuration damaged: an answer or a Refused, and nothing that was not in the input."""

import contextlib
import gc
import random
import struct
import time
from pathlib import Path
from typing import Dict, List

import pytest

from kexec_initd.bootloader import Menu
from kexec_initd.bootloader.menu import find_menu
from kexec_initd.cli import COLLECT_AFTER
from kexec_initd.errors import Error
from kexec_initd.system.sysroot import Tree
from tests.bootloader.hosts import root_of, unpack
from tests.bootloader.test_fixtures import HOSTS
from tests.bootloader.words import source_of, with_efi_paths
from tests.processor import is_too_long

pytestmark = [pytest.mark.once, pytest.mark.slow]

CONFIGS = ("**/*.conf", "**/*.cfg", "**/menu.lst", "**/default", "**/ldlinux.sys", "**/Loader*", "proc/*", "etc/*")
WORDS = [
    *b"title root kernel initrd default fallback savedefault chainloader module configfile lock saved".split(),
    *b"options linux efi version sort-key machine-id architecture @saved * ? [a-z] +3 +0-3 .conf".split(),
    *b"label append include menu begin end hide passwd ui ontimeout prompt text endtext - , ^ ..".split(),
    *b"/ // ../ (hd0,0) (hd1,1) 0 1 99999999999999999999 -1 0x1 \\ \\\n # = \0 \xff \x80 \n \r \t".split(b" "),
]
LONG = 1.0  # seconds of processor time for one answer


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return `data` with a few changes."""
    for _ in range(rng.randint(1, 4)):
        data = changed(data, rng, rng.choice(WORDS), sorted((rng.randint(0, len(data)), rng.randint(0, len(data)))))
    return data


def changed(data: bytes, rng: random.Random, word: bytes, places: List[int]) -> bytes:
    """Return `data` with one change, between two places."""
    at, to = places
    lines = data.split(b"\n")
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines.insert(first, rng.choice([lines[second], word + b" " + lines[second]]))
    return rng.choice(
        [
            data[:at],
            data[:at] + data[min(to, at + 40) :],
            data[:to] + data[at:],
            data[:at] + word + data[at:],
            data[:at] + b" " + word + b" " + data[at:],
            data[:at] + word * rng.choice([3, 300]) + data[at:],
            data[:at] + bytes((rng.randrange(256),)) + data[at + 1 :],
            b"\n".join(lines),
            b"\n".join(lines[:second] + lines[second + 1 :]),
        ]
    )


def check(root: Path, menu: Menu, known: str) -> None:
    """Hold a menu against what it was read from."""
    assert (menu.default is None) == (menu.problem is not None)
    assert menu.default is None or 0 <= menu.default < len(menu.offered)
    for offered in menu.offered:
        assert (offered.entry is None) != (offered.obstacle is None)
        if offered.entry is not None and menu.loader != "grub2":  # its script makes words: test_mutations_grub2
            words = [source_of(word) for word in offered.entry.cmdline.split()]
            assert all(word in known for word in words), offered.entry.cmdline
            for path in (offered.entry.kernel, *offered.entry.initrds):
                assert path.is_absolute()


def damage(host: str, tmp_path: Path, rng: random.Random, cases: int) -> Dict[str, int]:
    """Read a fixture host with one of its configurations changed, again and again; return what came of it."""
    root = tmp_path / host
    unpack(host, root)
    files = sorted({path for pattern in CONFIGS for path in root.glob(pattern) if path.is_file()})
    originals = {path: path.read_bytes() for path in files}
    counts = {"decided": 0, "undecided": 0, "refused": 0}
    for _ in range(cases if files else 0):
        path = rng.choice(files)
        data = mutated(originals[path], rng)
        path.write_bytes(data)
        texts: List[bytes] = [*originals.values(), data, data.replace(b"\\\n", b" "), data.replace(b"\0", b"")]
        start = time.process_time()
        try:
            menu = find_menu(Tree(root))
            check(root, menu, with_efi_paths("\n".join(text.decode("utf-8", "surrogateescape") for text in texts)))
            counts["undecided" if menu.default is None else "decided"] += 1
        except Error:
            counts["refused"] += 1
        assert not is_too_long(time.process_time() - start, LONG)
        path.write_bytes(originals[path])
    return counts


@pytest.mark.parametrize("host", HOSTS)
def test_damaged_configurations(host: str, tmp_path: Path) -> None:
    damage(host, tmp_path, random.Random(host), 25)


@pytest.mark.full
@pytest.mark.parametrize("host", HOSTS)
def test_damaged_configurations_at_length(host: str, tmp_path: Path) -> None:
    damage(host, tmp_path, random.Random(host + "full"), 500)


def test_damage_leads_to_different_answers(tmp_path: Path) -> None:
    counts = damage("extlinux-debian", tmp_path, random.Random(1), 100)
    assert counts["decided"] > 10
    assert counts["undecided"] > 5


def seconds(root: Path) -> float:
    """Return the processor time that a menu of 5,000 entries takes, garbage being left alone as `main` does."""
    gc.set_threshold(COLLECT_AFTER)
    start = time.process_time()
    menu = find_menu(Tree(root))
    spent = time.process_time() - start
    assert len(menu.offered) == 5000
    assert menu.default is not None and menu.offered[menu.default].entry is not None
    return spent


def write(root: Path, path: str, content: str = "") -> None:
    """Write one file below `root`."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(content)


def test_5000_entries_of_grub_legacy(tmp_path: Path) -> None:
    entry = "title {0}\nroot (hd0,0)\nkernel /boot/vmlinuz-{0} root=/dev/sda1 ro quiet\ninitrd /boot/initrd-{0}\n"
    write(tmp_path, "proc/cmdline", "root=/dev/sda1 ro quiet\n")
    write(tmp_path, "boot/grub/menu.lst", "default 4999\n" + "".join(entry.format(number) for number in range(5000)))
    for number in range(5000):
        write(tmp_path, "boot/vmlinuz-{}".format(number))
        write(tmp_path, "boot/initrd-{}".format(number))
    assert not is_too_long(seconds(tmp_path), LONG)


def test_5000_entries_of_systemd_boot(tmp_path: Path) -> None:
    write(tmp_path, "efi/loader/loader.conf", "default m-6.1.7-*\n")
    write(tmp_path, "efi/linux")
    for number in range(5000):
        text = "title T\nsort-key debian\nmachine-id m\nversion 6.1.{}\nlinux /linux\ninitrd /linux\noptions a b\n"
        write(tmp_path, "efi/loader/entries/m-6.1.{}-amd64.conf".format(number), text.format(number))
    assert not is_too_long(seconds(tmp_path), LONG)


def test_5000_entries_of_extlinux(tmp_path: Path) -> None:
    entry = "label l{0}\n menu label Linux {0}\n linux ../vmlinuz\n initrd ../initrd\n append root=/dev/sda1 {0}\n"
    write(tmp_path, "boot/extlinux/extlinux.conf", "default l4999\n" + "".join(map(entry.format, range(5000))))
    write(tmp_path, "boot/vmlinuz")
    write(tmp_path, "boot/initrd")
    assert not is_too_long(seconds(tmp_path), LONG)


def test_5000_kernels(tmp_path: Path) -> None:
    write(tmp_path, "etc/os-release", "ID=debian\n")
    write(tmp_path, "proc/cmdline", "root=/dev/sda1\n")
    for number in range(5000):
        write(tmp_path, "boot/vmlinuz-6.1.{}-amd64".format(number))
        write(tmp_path, "boot/initrd.img-6.1.{}-amd64".format(number))
    assert not is_too_long(seconds(tmp_path), LONG)


MANY = 1024 * 1024 - 100
LEGACY, EXTLINUX, LOADER = "boot/grub/menu.lst", "boot/extlinux/extlinux.conf", "efi/loader/loader.conf"
WORST = {
    "entries": (LEGACY, "title\nboot\n"),
    "kernels": (LEGACY, "title a\nkernel /b\n"),
    "continuations": (LEGACY, "\\\n"),
    "blanks": (LEGACY, "= "),
    "labels": (EXTLINUX, "label a\n"),
    "empty lines": (EXTLINUX, "\n"),
    "submenus": (EXTLINUX, "menu begin a\nlabel b\n"),
    "includes": (EXTLINUX, "include extlinux.conf\n"),
    "initrds": (EXTLINUX, "default a\nlabel a\nlinux b\ninitrd " + "a," * 500000),
    "defaults": (LOADER, "default a\n"),
    "stars": (LOADER, "default " + "*a" * 30000),
    "mounts": ("etc/fstab", "a /boot\n"),
}


@pytest.mark.parametrize("kind", WORST)
def test_the_worst_file_takes_no_second(tmp_path: Path, kind: str) -> None:
    path, text = WORST[kind]
    for number in range(200):
        write(tmp_path, "efi/loader/entries/{}{}.conf".format("a" * 200, number), "linux /a\n")
    write(tmp_path, "efi/a")
    write(tmp_path, path, text * (MANY // len(text)))
    gc.set_threshold(COLLECT_AFTER)  # as `main` does
    start = time.process_time()
    with contextlib.suppress(Error):
        find_menu(Tree(tmp_path))
    assert not is_too_long(time.process_time() - start, LONG)


def test_the_check_notices_what_was_invented(tmp_path: Path) -> None:
    root = root_of("legacy-rhel5")
    with pytest.raises(AssertionError):
        check(root, find_menu(Tree(root)), "another text")


def test_variables_of_any_length(tmp_path: Path) -> None:
    root = unpack("sdboot-one-shot", tmp_path / "host")
    variable = next(root.glob("**/LoaderEntryOneShot-*"))
    for data in (
        b"",
        b"\7\0\0",
        struct.pack("<I", 7),
        b"\7\0\0\0a",
        b"\7\0\0\0\0\xd8\0\0",
        b"\7\0\0\0" + b"*\0" * 30000,
    ):
        variable.write_bytes(data)
        find_menu(Tree(root))
