"""/etc/inittab: our entry comes before whatever init waits for in runlevel 6, every other byte stays, and init can read it."""

from pathlib import Path
from typing import Dict, Optional, Tuple

import pytest
from hypothesis import given, strategies

from kexec_initd.install import inittab
from kexec_initd.install.deviations import find_deviations
from kexec_initd.install.managed_block import BEGIN, add_block, remove_block
from kexec_initd.install.render import render_plain
from tests.trees import INITTAB, install, make_tree, put, snapshot, uninstall

pytestmark = pytest.mark.ends

BLOCK = render_plain("common/inittab")
ENTRY = b"kx6:6:once:/etc/init.d/kexec-initd dead-man"
WAITED = "l6:6:wait:/etc/init.d/rc 6\n"

# What comes before the first entry that init waits for, and that entry with the rest.
FIT: Dict[str, Tuple[str, str]] = {
    "Debian's own": ("# x\nid:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\n~~:S:wait:x\n", WAITED + "z6:6:respawn:x\n"),
    "several levels": ("l1:1:wait:/etc/init.d/rc 1\n", "x:0126:wait:/bin/x\n" + WAITED),
    "all levels": ("", "x::wait:/bin/x\n" + WAITED),
    "blanks and capitals": ("#6:6:wait:x\n", " \tl6:06:WAIT:/sbin/openrc reboot\n"),
    "what is not waited for": ("a:6:once:/bin/a\nb:6:respawn:/bin/b\nc:6:bootwait:/bin/c\npf::powerwait:/bin/d\n", WAITED),
    "no final newline": ("id:3:initdefault:\n", WAITED[:-1]),
    "no colon behind it": ("l6:6:wait\n", WAITED),
}  # fmt: skip
UNFIT = {
    "empty": b"",
    "Upstart's": b"# Only initdefault is still used.\nid:3:initdefault:\n",
    "commented out": b"#l6:6:wait:/etc/rc 6\n",
    "another level": b"l5:5:wait:/etc/rc 5\nl0:0:wait:/etc/init.d/rc 6\n",
    "no text": WAITED.encode() + b"\0",
}


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "root")


def add(text: bytes) -> bytes:
    return add_block(text, BLOCK, before=inittab.AWAITED)


@pytest.mark.once
@pytest.mark.parametrize("name", FIT)
def test_the_entry_comes_right_before_what_init_waits_for(root: Path, name: str) -> None:
    before, after = FIT[name]
    put(root / "etc/inittab", (before + after).encode(), 0o640)
    facts = snapshot(root / "etc")["inittab"]
    assert "warning" not in install(root)
    assert (root / "etc/inittab").read_bytes() == before.encode() + BLOCK + after.encode()
    assert (root / "etc/inittab").stat().st_mode & 0o777 == 0o640
    assert find_deviations(root) == []
    assert "nothing to do" in install(root)
    uninstall(root)
    assert snapshot(root / "etc")["inittab"] == facts, "every byte, and the time"


@pytest.mark.once
@pytest.mark.parametrize("name", UNFIT)
def test_without_such_an_entry_the_file_is_left_alone_and_that_is_told(root: Path, name: str) -> None:
    put(root / "etc/inittab", UNFIT[name], 0o644)
    facts = snapshot(root / "etc")["inittab"]
    assert "warning: no dead-man before rc calls our script: /etc/inittab " in install(root)
    assert snapshot(root / "etc")["inittab"] == facts
    assert find_deviations(root) == []


def test_upstart_reads_no_such_file(root: Path) -> None:
    put(root / "etc/init/rc-sysinit.conf", b"")
    assert "warning" not in install(root)
    assert (root / "etc/inittab").read_text() == INITTAB


LINES = [
    "# x",
    "",
    "l6:6:wait:a",
    " x::wait:b",
    "id:2:initdefault:",
    "z6:6:respawn:c",
    ":6:wait:d",
    "6:wait",
    "\xe9:6:Wait:",
    "\r",
]


@given(strategies.lists(strategies.sampled_from(LINES)).map(lambda lines: "\n".join(lines).encode("latin-1")))
def test_it_goes_in_once_and_comes_out_with_no_byte_changed(text: bytes) -> None:
    added = add(text)
    assert remove_block(added) == text
    assert add(added) == added
    assert added.count(BEGIN) == (1 if inittab.find_unfitness(text) is None else 0)
    assert not inittab.is_behind(added)


def parse(line: bytes) -> Optional[Tuple[bytes, bytes, bytes, bytes]]:
    """As init reads one line, with the limits of read_inittab; None for a comment."""
    assert len(line) + 1 < 256
    if line.lstrip(b" \t")[:1] in (b"#", b""):
        return None
    name, levels, action, process = line.split(b":", 3)
    assert 0 < len(name) <= 4 and len(levels) <= 11 and len(process) <= 127
    return name, levels, action, process


def test_init_can_read_it_and_needs_no_shell_for_it() -> None:
    found = [entry for entry in map(parse, BLOCK[:-1].split(b"\n")) if entry is not None]
    assert found == [(b"kx6", b"6", b"once", b"/etc/init.d/kexec-initd dead-man")]
    assert not set(found[0][3]) & set(b"~`!$^&*()=|\\{}[];\"'<>?+"), "it would be given to a shell, or not be logged"


HARMS = {
    "gone": (INITTAB.encode(), "/etc/inittab has no block of ours any more"),
    "commented out": (add(INITTAB.encode()).replace(ENTRY, b"#" + ENTRY), "our block in /etc/inittab was changed"),
    "behind": (INITTAB.encode() + BLOCK, "comes behind an entry that init waits for"),
}


@pytest.mark.once
@pytest.mark.parametrize("name", HARMS)
def test_what_has_become_of_it_is_told_and_mended_by_install(root: Path, name: str) -> None:
    harm, said = HARMS[name]
    install(root)
    (root / "etc/inittab").write_bytes(harm)
    (found,) = find_deviations(root)
    assert said in found.text and not found.decides
    install(root)
    assert (root / "etc/inittab").read_bytes() == add(INITTAB.encode())
    assert find_deviations(root) == []
    uninstall(root)
    assert (root / "etc/inittab").read_text() == INITTAB


def test_what_the_admin_changes_around_it_stays(root: Path) -> None:
    install(root)
    path = root / "etc/inittab"
    path.write_bytes(path.read_bytes().replace(b"id:2:", b"id:3:") + b"S0:3:respawn:/sbin/getty\n")
    uninstall(root)
    assert path.read_text() == INITTAB.replace("id:2:", "id:3:") + "S0:3:respawn:/sbin/getty\n"


def test_a_file_that_is_gone_since_keeps_nothing_from_being_removed(root: Path) -> None:
    install(root)
    (root / "etc/inittab").unlink()
    uninstall(root)
    assert not (root / "etc/inittab").exists()
