"""Lines by which somebody has a kernel loaded or executed by hand: each is told with its file and line, and nothing else is."""

from pathlib import Path

import pytest

from kexec_initd import cli
from kexec_initd.settings.reader import Settings
from kexec_initd.system.hand_made import find_lines, parse_lines
from kexec_initd.system.host import gather
from kexec_initd.verbs.status import gather_status
from tests.trees import make_tree, put
from tests.unit.fake_host import FakeHost

LINES = [
    ("kexec -l /boot/vmlinuz --initrd=/boot/initrd.img --reuse-cmdline", "loads"),
    ("[ -x /sbin/kexec ] && /sbin/kexec -l /vmlinuz || true", "loads"),
    ("\tkexec \\\n\t  --load /vmlinuz", "loads"),
    ("kexec -s -l /vmlinuz; kexec -e", "loads executes"),
    ("ExecStart=-/usr/sbin/kexec --load=/boot/vmlinuz", "loads"),
    ("@reboot root /usr/local/sbin/kexec -ls /vmlinuz", "loads"),
    ("exec kexec --exec", "executes"),
    ("kexec -p /boot/vmlinuz --append='maxcpus=1'", ""),
    ("kexec --load-panic /boot/vmlinuz", ""),
    ("kexec -u -l", ""),
    ("# kexec -l /boot/vmlinuz", ""),
    ("true # then kexec -l /boot/vmlinuz", ""),
    ("echo call kexec -l /boot/vmlinuz", ""),
    ("kexec --version", ""),
    ("/usr/sbin/kexec-initd load -l; my-kexec -l x; ./kexec.sh -l", ""),
    ("# BEGIN kexec-initd\n# Written by kexec-initd\nkexec -l x", ""),
]


@pytest.mark.parametrize("line, does", LINES)
def test_a_line_is_told_by_what_it_does(line: str, does: str) -> None:
    found = parse_lines("/etc/rc.local", "#!/bin/sh\n\n{}\n".format(line).encode())
    assert " ".join("loads" if item.loads else "executes" for item in found) == does
    assert {item.number for item in found} <= {3}


PLACES = [
    *("etc/rc.local", "etc/init.d/local", "etc/cron.d/fast", "var/spool/cron/crontabs/root", "etc/local.d/a.start"),
    *("etc/systemd/system/fast.service", "usr/local/sbin/reboot", "lib/systemd/system-shutdown/fast"),
]
QUIET = ["etc/init.d/kexec-load", "etc/init.d/halt", "etc/systemd/system/notes.txt", "root/rc.local"]


@pytest.mark.parametrize("path", PLACES + QUIET)
def test_places_are_looked_at_and_scripts_of_packages_are_not(fake: FakeHost, path: str) -> None:
    put(fake.root / path, b"#!/bin/sh\n/sbin/kexec -l /vmlinuz\n")
    assert [(line.path, line.number) for line in find_lines(fake.root)] == ([("/" + path, 2)] if path in PLACES else [])


def test_a_directory_that_a_link_leads_to_is_told_once_and_what_cannot_be_read_not_at_all(fake: FakeHost) -> None:
    put(fake.root / "etc/rc.d/init.d/fast", b"kexec -e\n")
    (fake.root / "etc/init.d").symlink_to("rc.d/init.d")
    (fake.root / "etc/cron.d").symlink_to("cron.d")
    (fake.root / "etc/rc.local").mkdir()
    assert [line.path for line in find_lines(fake.root)] == ["/etc/init.d/fast"]


def test_install_and_status_tell_each_with_what_to_do_and_change_none(
    tmp_path: Path, capsys: "pytest.CaptureFixture[str]"
) -> None:
    root = make_tree(tmp_path / "root")
    own = b"#!/bin/sh\nkexec -l /vmlinuz  --reuse-cmdline\nexit 0\n"
    put(root / "etc/init.d/fast", own)
    put(root / "etc/init.d/reboot", (root / "etc/init.d/reboot").read_bytes() + b"kexec -e\n")
    loads = (
        "/etc/init.d/fast, line 2, loads a kernel by hand: a reboot starts that one, not the boot loader's; "
        "remove the line: kexec -l /vmlinuz  --reuse-cmdline"
    )
    aside = (
        "/etc/init.d/reboot, line 13, executes what is loaded by hand; under SysV init our script stands in its place"
    )
    assert cli.main(["install", "--root", str(root)]) == 0
    assert [line.split("warning: ")[1] for line in capsys.readouterr().err.splitlines()] == [loads, aside]
    assert (root / "etc/init.d/fast").read_bytes() == own
    assert [text for text in gather_status(gather(root), Settings(), []).warnings if "hand" in text] == [loads]
    assert cli.main(["check", "--root", str(root)]) == 1
    said = "warning       by-hand: loads a kernel by hand: a reboot starts that one, not the boot loader's (/etc/init.d/fast:2); "
    assert said + "remove the line: kexec -l /vmlinuz  --reuse-cmdline\n" in capsys.readouterr().out
