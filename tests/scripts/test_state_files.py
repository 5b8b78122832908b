"""The files of the state by plain shell: no damage of a decision, a stamp, a record or a watchdog's name ends in a kexec."""

from pathlib import Path
from typing import Iterable, List, Tuple

import pytest

from kexec_initd.history.attempts import format_record
from kexec_initd.history.guard import Record
from kexec_initd.install.render import render_plain
from kexec_initd.kexec import stamp
from kexec_initd.state import checksum
from tests.damage import KINDS, cuts, flips
from tests.scripts.jail import Jail

# Each byte is for the long tier: the shell starts four programs to look at a file.
EACH = pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.full)])
# What install.sh keeps of what it did, and of what it brought.
STANDALONE = {
    "manifest": b"kexec-initd standalone 1\nstate installed\nmade /etc/kexec-initd\n",
    "list": b"kexec-initd standalone 1\nhost debian sysvinit Debian 7\nfile /etc/init.d/kexec-initd 0755\n",
}
STAMPED = (Path("/boot/vmlinuz-1"), Path("/etc/default/kexec-initd"))


def passed(jail: Jail, script: str, name: str, function: str, contents: Iterable[bytes]) -> List[bytes]:
    """Return those `contents` of the file `name` with which `function` of a script does not fail; all in one shell."""
    cases = list(contents)
    for number, data in enumerate(cases):
        directory = jail.root / "cases" / str(number)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    text = jail.functions(script)
    loop = 'for state in /cases/*; do if {}; then echo "passed ${{state##*/}}"; fi; done\n'.format(function)
    jail.write("etc/init.d/drive", text + "\n" + loop)
    said = jail.run("drive", limit=300.0).said.splitlines()
    return [cases[int(line.split()[1])] for line in said if line.startswith("passed ")]


def damaged(data: bytes, step: int = 1) -> Tuple[bytes, ...]:
    """Return `data` first, and then what damage makes of it."""
    return (data, *flips(data, step), *cuts(data, step))


def test_only_a_whole_decision_is_one(jail: Jail) -> None:
    contents = (*damaged(b"kexec\n"), b"kexec\nx", b"kexec\n\n", b"kexec \n")
    assert passed(jail, "kexec-initd", "decision", "level=6 && kexec_wanted", contents) == [b"kexec\n"]


def test_only_the_whole_name_of_a_watchdog_is_one(jail: Jail) -> None:
    jail.write("dev/watchdog0", "")
    jail.write("dev/watchdog1", "")
    good = checksum.double("watchdog0")
    assert passed(jail, "kexec-initd", "watchdog", "start_watchdog", damaged(good)) == [good]


def test_only_whole_lines_of_what_was_written_down_of_the_settings_count(jail: Jail) -> None:
    good = checksum.double_lines("SETTINGS -\nSHUTDOWN_LIMIT 70\nREMOVE_MODULES nvidia\n")
    function = '[ "$(setting REMOVE_MODULES)" != nvidia ] && setting REMOVE_MODULES'
    assert passed(jail, "kexec-initd", "settings", function, damaged(good, step=5)) == []
    function = "setting REMOVE_MODULES >/dev/null"
    assert passed(jail, "kexec-initd", "settings", function, damaged(good, step=5)) == [good]


@EACH
def test_only_a_whole_stamp_fits(jail: Jail, step: int) -> None:
    jail.write("boot/vmlinuz-1", "x")
    good = stamp.text_for(jail.root, STAMPED).encode()
    assert passed(jail, "kexec-initd", "stamp", "is_unchanged", (*damaged(good, step=step), good + b"x")) == [good]


@EACH
def test_only_a_whole_record_of_an_attempt_is_put_in_place(jail: Jail, step: int) -> None:
    good = format_record(Record("boot"))
    function = 'are_roots 4 "$state/attempt" && is_record <"$state/attempt"'
    assert passed(jail, "kexec-initd", "attempt", function, (*damaged(good, step=step), good + b"x")) == [good]


@EACH
@pytest.mark.parametrize("name, body", STANDALONE.items())
def test_only_a_whole_record_of_the_standalone_installer_is_believed(
    jail: Jail, name: str, body: bytes, step: int
) -> None:
    jail.write("etc/init.d/installer.sh", render_plain("standalone/installer.sh").decode())
    good = checksum.seal(body)
    assert passed(
        jail, "installer.sh", name, 'is_record "$state/{}"'.format(name), (*damaged(good, step=step), good + b"x")
    ) == [good]


@pytest.mark.parametrize("name", ["decision", "watchdog"])
def test_whatever_is_in_the_place_of_a_file_the_last_step_goes_cold_at_once(jail: Jail, name: str) -> None:
    jail.fake("../usr/bin/python3", "exit 1") if (jail.root / "usr/bin").is_dir() else None
    for kind, make in KINDS.items():
        if kind in ("missing", "unreadable"):
            continue  # none was made; and root reads it all the same
        place = jail.root / "run/kexec-initd" / name
        if place.exists():
            place.rename(place.with_name(name + ".aside"))
        make(place)
        run = jail.run("reboot", "stop", limit=120.0)
        assert "kexec-initd: reboot goes through firmware: " in run.said, kind
        assert jail.calls()[-1] == "reboot -d -f -i", kind
        assert not [call for call in jail.calls() if call.startswith("kexec -e")], kind
        (place / "in").rmdir() if kind == "full directory" else None
        place.rmdir() if not place.is_symlink() and place.is_dir() else place.unlink()


def test_settings_of_others_neither_end_the_dead_man_nor_hide_a_module(jail: Jail) -> None:
    jail.write("etc/default/kexec-initd", "SHUTDOWN_LIMIT=no\nREMOVE_MODULES=no\n", 0o666)
    said = jail.run("reboot", "stop").said
    assert "reboot goes through firmware: what /etc/default/kexec-initd says about modules is not known" in said
    functions = jail.functions("kexec-initd")
    jail.write("etc/init.d/drive", functions + '\ndead_man () { :; }\nstart_dead_man\necho "$dead_after"\n')
    assert jail.run("drive").said == "1800\n"
    jail.write("run/kexec-initd/settings", "SHUTDOWN_LIMIT 0\nSHUTDOWN_LIMIT 0\n", 0o666)
    assert jail.run("drive").said == "1800\n"


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_state_directory_of_others_means_cold_in_both_steps(jail: Jail, mode: int) -> None:
    directory = jail.root / "run/kexec-initd"
    if mode == 0o770:
        directory.rename(directory.with_name("elsewhere"))
        directory.symlink_to("elsewhere")
    else:
        directory.chmod(mode)
    assert "is no directory that only root may change" in jail.run("kexec-initd", "stop").said
    assert (directory / "decision").read_text() == "kexec\n", "nothing is written there"
    assert "reboot goes through firmware: " in jail.run("reboot", "stop").said
    assert jail.calls()[-1] == "reboot -d -f -i"
