"""The verb `entries`: JSON and text of fixture hosts, one warning where nothing is decided, nothing written."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional

import pytest

from kexec_initd.bootloader import Menu, Offered, Source
from kexec_initd.bootloader.output import as_json, as_text
from kexec_initd.bootloader.systemd_boot import command_line
from kexec_initd.cli import main
from tests.bootloader.hosts import root_of

TOP = Path(__file__).resolve().parents[2]
KEYS = {"title", "id", "kernel", "initrds", "cmdline", "loader", "default"}


def entries(capsys: "pytest.CaptureFixture[str]", host: str) -> List[Dict[str, object]]:
    """Return what `entries --json` prints of a fixture host."""
    assert main(["entries", "--json", "--root", str(root_of(host))]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert isinstance(answer, list)
    return answer


@pytest.mark.parametrize(
    "host, default",
    [
        ("legacy-rhel5-fallback", "/boot/vmlinuz-2.6.18-371.el5"),
        ("sdboot-arch", "/boot/vmlinuz-linux"),
        ("extlinux-once", "/boot/vmlinuz-6.1.0-10-amd64"),
        ("uboot-next-label", "/boot/vmlinuz-6.1.0-10-arm64"),
        ("naming-debian", "/boot/vmlinuz-6.1.0-37-amd64"),
        ("choice-grub2-and-a-leftover", "/boot/vmlinuz-6.1.0-37-amd64"),
        ("legacy-rhel5-windows", None),
        ("sdboot-tries", "undecided"),
    ],
)
def test_json(capsys: "pytest.CaptureFixture[str]", host: str, default: object) -> None:
    found = entries(capsys, host)
    assert [entry["kernel"] for entry in found if entry["default"]] == ([] if default == "undecided" else [default])
    for entry in found:
        assert set(entry) == (KEYS if entry["kernel"] else KEYS | {"obstacle"})


def test_initrds_are_listed_in_order(capsys: "pytest.CaptureFixture[str]") -> None:
    entry = next(entry for entry in entries(capsys, "sdboot-arch") if entry["default"])
    assert entry["initrds"] == ["/boot/intel-ucode.img", "/boot/initramfs-linux.img"]
    words = 'initrd=\\intel-ucode.img initrd=\\initramfs-linux.img root="LABEL=arch_os" rw quiet  loglevel=3'
    assert entry["cmdline"] == words


@pytest.mark.parametrize(
    "path, release, wanted",
    [
        ("/a/b.img", None, "\\a\\b.img"),
        ("//a//\\b.img", 255, "\\a\\b.img"),
        ("a/b.img", 252, "\\a\\b.img"),
        ("a/b.img", 253, "a\\b.img"),
        ("/a/b.img", 252, "\\a\\b.img"),
    ],
)
def test_an_initrd_is_named_as_the_loader_names_it(path: str, release: Optional[int], wanted: str) -> None:
    assert command_line({"initrd": (path,), "options": ("ro", "quiet")}, release) == "initrd=" + wanted + " ro quiet"


def test_text_marks_the_default(capsys: "pytest.CaptureFixture[str]") -> None:
    assert main(["entries", "--root", str(root_of("legacy-rhel5-windows"))]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "  0  CentOS (2.6.18-398.el5) (/boot/vmlinuz-2.6.18-398.el5)",
        "  1  CentOS (2.6.18-371.el5) (/boot/vmlinuz-2.6.18-371.el5)",
        "* 2  Other (cannot be loaded: it starts another boot loader)",
    ]


@pytest.mark.parametrize("host", ["naming-nothing", "choice-unclear", "sdboot-tries", "extlinux-include-loop"])
def test_what_is_undecided_is_one_warning(host: str) -> None:
    argv = [sys.executable, "-m", "kexec_initd", "entries", "--json", "--root", str(root_of(host))]
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, cwd=str(TOP), check=True
    )
    assert not any(entry["default"] for entry in json.loads(done.stdout))
    assert done.stderr.startswith("kexec-initd: warning: no default: ")
    assert done.stderr.count("\n") == 1


def test_a_hostile_title_is_shown_escaped_and_given_back_unchanged() -> None:
    title = "a\nb\x1b[31m\udcff"
    menu = Menu("x", (Offered(title, "i", "0", "it\n", Source(Path("/f"), 1)),), "p")
    assert as_text(menu).isprintable()
    assert json.loads(as_json(menu))[0]["title"] == title


def test_nothing_to_list_is_said() -> None:
    assert as_text(Menu("naming", (), "p")) == "naming: no entries"
