"""What a person calls an entry: position, id, title, kernel version; one line where that is none or several."""

from pathlib import Path
from typing import Optional

import pytest

from kexec_initd.boot_entry import BootEntry
from kexec_initd.bootloader import Menu, Offered, Source
from kexec_initd.bootloader.find_entry import require_same, select
from kexec_initd.errors import Error, Refused, UsageError

SOURCE = Source(Path("/boot/grub/grub.cfg"), 1)


def offer(path: str, title: str, identity: str, release: Optional[str], words: str = "ro quiet") -> Offered:
    kernel = Path("/boot/vmlinuz-{}".format(release))
    entry = BootEntry(title, identity, kernel, (Path("/boot/initrd.img-{}".format(release)),), words)
    return Offered(title, identity, path, entry if release else "it loads no kernel", SOURCE)


DEBIAN = Menu(
    "grub2",
    (
        offer("0", "Debian GNU/Linux", "simple", "6.1.0-10-amd64"),
        offer("1>0", "Debian GNU/Linux, with Linux 6.1.0-10-amd64", "new", "6.1.0-10-amd64"),
        offer("1>1", "Debian GNU/Linux, with Linux 6.1.0-10-amd64 (recovery mode)", "new-r", "6.1.0-10-amd64", "ro single"),
        offer("1>2", "Debian GNU/Linux, with Linux 5.10.0-9-amd64", "old", "5.10.0-9-amd64"),
        offer("1>3", "Debian GNU/Linux, with Linux 5.10.0-9-amd64 (recovery mode)", "old-r", "5.10.0-9-amd64", "ro single"),
        offer("2", "Windows", "windows", None),
        offer("3", "Twins", "twins", "4.19.0"),
        offer("4", "Twins", "twins", "4.19.0", "ro"),
        offer("5", "3", "odd", "4.9.0", "rescue"),
    ),
    0, SOURCE,
)  # fmt: skip


@pytest.mark.parametrize(
    "name, number",
    [
        ("0", 0),
        ("1>2", 3),
        ("old", 3),
        ("old-r", 4),
        ("Debian GNU/Linux, with Linux 6.1.0-10-amd64", 1),
        ("3", 6),
        ("4.9.0", 8),
        ("5.10.0-9-amd64", 3),
    ],
)
def test_what_is_found(name: str, number: int) -> None:
    assert select(DEBIAN, name) == DEBIAN.offered[number].entry


def test_a_version_means_its_usual_entry_and_one_of_those_that_are_alike() -> None:
    entry = select(DEBIAN, "6.1.0-10-amd64")
    assert entry is not None
    assert (entry.kernel, entry.cmdline) == (Path("/boot/vmlinuz-6.1.0-10-amd64"), "ro quiet")


@pytest.mark.parametrize("name", ["", "9", "1", "1>", "6.1.0", "Debian", "debian gnu/linux", "/boot/vmlinuz-4.9.0"])
def test_what_nothing_is_called(name: str) -> None:
    assert select(DEBIAN, name) is None


@pytest.mark.parametrize(
    "name, kind, words",
    [
        ("twins", UsageError, '"twins" is the name of several entries: 3 "Twins", 4 "Twins"; see kexec-initd entries'),
        (
            "4.19.0",
            UsageError,
            '"4.19.0" is the name of several entries: 3 "Twins", 4 "Twins"; see kexec-initd entries',
        ),
        ("windows", Refused, 'the entry "Windows" cannot be loaded: it loads no kernel'),
    ],
)
def test_what_cannot_be_told_or_loaded(name: str, kind: type, words: str) -> None:
    with pytest.raises(Error) as caught:
        select(DEBIAN, name)
    assert (type(caught.value), str(caught.value)) == (kind, words)


def test_an_entry_is_found_again_wherever_it_stands_now() -> None:
    entry = DEBIAN.offered[3].entry
    assert entry is not None
    wanted = (entry.title, str(entry.kernel), [str(path) for path in entry.initrds], entry.cmdline)
    moved = DEBIAN._replace(offered=tuple(reversed(DEBIAN.offered)))
    assert require_same(moved, *wanted) == entry
    with pytest.raises(Refused, match="that was chosen is gone from the boot loader's menu"):
        require_same(DEBIAN._replace(offered=DEBIAN.offered[:3]), *wanted)
    other = offer("1>2", entry.title, "old", "5.10.0-9-amd64", "ro")
    with pytest.raises(Refused, match="that was chosen has changed since"):
        require_same(DEBIAN._replace(offered=(*DEBIAN.offered[:3], other)), *wanted)
    with pytest.raises(Refused, match="has changed since"):
        require_same(DEBIAN, wanted[0], wanted[1], [], wanted[3])
