"""Platforms, limits, the trial and the checks of an arrival by the standalone shell, row by row what Python says of the same."""

from pathlib import Path
from typing import Dict

import pytest

from kexec_initd.history import health
from kexec_initd.system import quirks
from tests.scripts.standalone import ALONE, StandaloneJail
from tests.unit.test_limits import DEFAULT, TABLES
from tests.unit.test_platforms import GOOD, SHOWN

ANSWER = "if {}; then echo yes; else echo no; fi\n"
# What the settings and the record say, and what then holds a kexec back.
UNLIMITED = {"max_kexecs": 0, "kexecs": 9, "max_days": 0, "firmware": 0, "trial": 0, "total": 0}
DAY = 86400
LIMITS = [
    ({}, "no"),
    ({"max_kexecs": 10}, "no"),
    ({"max_kexecs": 9}, "limit-kexecs"),
    ({"max_days": 2}, "no"),
    ({"max_days": 1}, "limit-days"),
    ({"trial": 3, "total": 3}, "no"),
    ({"trial": 3, "total": 2}, "trial"),
    ({"trial": 3, "max_days": 1}, "limit-days"),
]
# The flag of an admin who watches, 5000 seconds after the boot, as he or Python writes it.
FLAGS = {
    "5000.00\n": "yes",
    "4000.10 4000.10\n": "yes",
    "1400\n": "yes",
    "1399.99\n": "no",
    "5001\n": "no",
    "4000.10 4000.1": "no",
    "": "no",
    "-5000\n": "no",
    "$(touch /x)\n": "no",
    "4000x\n": "no",
}


@pytest.fixture(params=ALONE)
def jail(request: pytest.FixtureRequest, tmp_path: Path) -> StandaloneJail:
    return StandaloneJail(tmp_path / "jail", request.param)


def ask(jail: StandaloneJail, *lines: str) -> str:
    """Return what the last shell line says."""
    return jail.drive("\n".join(lines)).said.rstrip("\n")


def test_platforms(jail: StandaloneJail) -> None:
    for name, files in [*SHOWN.items(), *(("", good) for good in GOOD)]:
        places = [jail.write(path, text) for path, text in files.items()]
        said = ask(jail, "force_platform=no", "if is_fit_platform; then echo fit; else echo $code $reason; fi")
        assert said == "platform {}".format(quirks.find_unfit(jail.root, "x86_64")) if name else said == "fit", files
        assert ask(jail, "force_platform=yes", ANSWER.format("is_fit_platform")) == "yes"
        for place in places:
            place.unlink()
    (jail.root / "bin/uname").unlink()
    jail.fake("uname", "echo aarch64")
    said = ask(jail, "force_platform=no", "if is_fit_platform; then echo fit; else echo $code $reason; fi")
    assert said == "platform {}".format(quirks.find_unfit(jail.root, "aarch64"))


def test_limits(jail: StandaloneJail) -> None:
    jail.write("proc/uptime", "{}.00 1.00\n".format(DAY + 10))
    for values, code in LIMITS:
        names: Dict[str, int] = {**UNLIMITED, **values}
        lines = ["{}={}".format(*pair) for pair in names.items()]
        assert ask(jail, *lines, "if is_limited; then echo $code; else echo no; fi") == code, values


def test_the_days_count_from_the_last_boot_through_firmware(jail: StandaloneJail) -> None:
    jail.write("proc/uptime", "10.00 1.00\n")
    lines = [
        "max_kexecs=0 kexecs=0 max_days=2 trial=0 total=0 firmware=$(($(date +%s) - {}))",
        ANSWER.format("is_limited"),
    ]
    assert ask(jail, lines[0].format(2 * DAY - 60), lines[1]) == "no"
    assert ask(jail, lines[0].format(2 * DAY), lines[1]) == "yes"


def test_who_watches(jail: StandaloneJail) -> None:
    for text, answer in FLAGS.items():
        jail.write("run/kexec-initd/attended", text)
        assert ask(jail, "uptime=5000", ANSWER.format("is_attended")) == answer, text
    assert not (jail.root / "x").exists()


def test_nobody_watches_by_a_flag_that_others_can_write(jail: StandaloneJail) -> None:
    jail.write("run/kexec-initd/attended", "5000\n").chmod(0o666)
    assert ask(jail, "uptime=5000", ANSWER.format("is_attended")) == "no"


def test_default_routes(jail: StandaloneJail) -> None:
    for four, six, there in TABLES:
        jail.write("proc/net/route", four)
        jail.write("proc/net/ipv6_route", six)
        assert health.has_default_route(jail.root) is there
        assert ask(jail, ANSWER.format("has_default_route")) == ("yes" if there else "no"), (four, six)


def test_an_arrival_is_good_when_each_of_its_programs_says_so(jail: StandaloneJail) -> None:
    judge = ("check_route=no", "if is_good; then echo good; else echo $reason; fi")
    programs = "/" + health.PROGRAMS
    assert ask(jail, *judge) == "good"
    jail.write(health.PROGRAMS + "/first", "#!/bin/sh\necho called >>/called\n", 0o755)
    jail.write(health.PROGRAMS + "/second", "#!/bin/sh\nexit 4\n", 0o755)
    assert ask(jail, *judge) == programs + "/second failed with exit code 4"
    assert (jail.root / "called").read_text() == "called\n"
    for mode in (0o644, 0o757, 0o775):
        (jail.root / health.PROGRAMS / "second").chmod(mode)
        assert ask(jail, *judge) == "good", oct(mode)
    (jail.root / health.PROGRAMS / "second").rename(jail.root / health.PROGRAMS / "second.off")
    (jail.root / health.PROGRAMS / "second.off").chmod(0o755)
    assert ask(jail, *judge) == "good"
    place = jail.root / health.PROGRAMS
    jail.write(health.PROGRAMS + "/second", "#!/bin/sh\nexit 4\n", 0o755)
    for directory in (place, place.parent):
        directory.chmod(0o777)
        assert ask(jail, *judge) == "good", "it is not root's alone, and runs nothing"
        directory.chmod(0o755)
    (place / "second").unlink()
    assert ask(jail, "check_route=yes", judge[1]) == "there is no default route"
    jail.write("proc/net/route", DEFAULT)
    assert ask(jail, "check_route=yes", judge[1]) == "good"


def test_an_arrival_is_checked_until_its_time_is_over(jail: StandaloneJail) -> None:
    jail.write("proc/uptime", "100.00 1.00\n")
    lines = (
        "read_settings () { check_seconds=8; }; read_record () { last='under-way aaaa 0 x y'; seen=old; }",
        "find_boot () { boot=new; shown=' kexec_initd.attempt=aaaa '; }",
        "sleep () { echo 108.00 1.00 >/proc/uptime; echo slept; }; is_good () { reason='no disk'; return 1; }",
    )
    assert ask(jail, *lines, 'check_arrival; echo "$failure"') == "slept\nno disk"
    assert ask(jail, *lines, 'find_boot () { boot=old; shown=; }; check_arrival; echo "[$failure]"') == "[]"
