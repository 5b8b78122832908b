"""The menu.lst that Debian's update-grub writes for GRUB legacy: what we read is what was laid down and asked for.

Settings are the comments of menu.lst itself, see update-grub(8); grub-set-default writes the saved default. A stand-in
answers for grub-probe, as the disk is not there.
"""

from typing import Iterator, List

import pytest

from tests.install.loader_host import MIDDLE, NEW, OLD, RELEASES, LoaderHost, make_host

UUID = "0f4b2c1e-6a57-4c1c-9d3b-1f5e8a7c9d01"
GRUB_PROBE = """#!/bin/sh
case $* in
*abstraction*) ;;
*fs_uuid*) echo {} ;;
*drive*) echo '(hd0,0)' ;;
*) echo /dev/sda1 ;;
esac
""".format(UUID)
NAME = "Debian GNU/Linux, kernel "
SINGLE = " (single-user mode)"
MENU = "boot/grub/menu.lst"


@pytest.fixture(name="made", scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoaderHost]:
    with make_host(tmp_path_factory.mktemp("host"), "grub-legacy") as host:
        yield host


@pytest.fixture(name="host")
def _host(made: LoaderHost) -> LoaderHost:
    made.reset()
    made.write("usr/sbin/grub-probe", GRUB_PROBE, 0o755)
    made.write("boot/grub/device.map", "(hd0) /dev/sda\n")
    made.write("etc/fstab", "UUID={} / ext3 defaults 0 1\n".format(UUID))
    for release in RELEASES:
        made.add_kernel(release)
    made.must("update-grub", "-y")
    return made


def change(host: LoaderHost, *words: str) -> None:
    """Replace text of menu.lst, given in pairs, and run update-grub again."""
    text = host.read(MENU)
    for old, new in zip(words[::2], words[1::2]):
        assert old in text, text
        text = text.replace(old, new)
    host.write(MENU, text)
    host.must("update-grub", "-y")


def test_every_entry_is_read(host: LoaderHost) -> None:
    found = host.entries()
    assert [(entry["title"], entry["kernel"], entry["initrds"], entry["default"]) for entry in found] == [
        (
            NAME + release + suffix,
            "/boot/vmlinuz-" + release,
            ["/boot/initrd.img-" + release],
            number + len(suffix) == 0,
        )
        for number, release in enumerate(RELEASES)
        for suffix in ("", SINGLE)
    ]
    for entry in found:
        assert entry["loader"] == "grub-legacy"
        assert entry["cmdline"].startswith("root=")
        assert entry["cmdline"].split()[1] == "ro"
        assert ("single" in entry["cmdline"].split()) == entry["title"].endswith(SINGLE)


@pytest.mark.parametrize(
    "words, wanted",
    [
        ([], NAME + NEW),
        (["\ndefault\t\t0\n", "\ndefault 2\n"], NAME + MIDDLE),
        (["\ndefault\t\t0\n", "\ndefault=5\n"], NAME + OLD + SINGLE),
        (["# alternative=true", "# alternative=false", "\ndefault\t\t0\n", "\ndefault 1\n"], NAME + MIDDLE),
        (["# howmany=all", "# howmany=1", "\ndefault\t\t0\n", "\ndefault 9\n"], NAME + NEW),
    ],
)
def test_default(host: LoaderHost, words: List[str], wanted: str) -> None:
    change(host, *words)
    target = host.target()
    assert (target["title"], target["problem"]) == (wanted, None)


def test_saved_default(host: LoaderHost) -> None:
    change(host, "\ndefault\t\t0\n", "\ndefault saved\n", "# savedefault=false", "# savedefault=true")
    host.must("grub-set-default", "4")
    assert host.target()["title"] == NAME + OLD
    assert "savedefault" in host.read(MENU).split("## ## End Default Options ##")[1]


def test_command_line(host: LoaderHost) -> None:
    kopt = next(line for line in host.read(MENU).splitlines() if line.startswith("# kopt="))
    change(host, kopt, "# kopt=root=LABEL=r ro", "# defoptions=\n", '# defoptions=vga=791 a="b c"\n')
    assert host.target()["cmdline"].rstrip() == 'root=LABEL=r ro vga=791 a="b c"'
