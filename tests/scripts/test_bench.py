"""What the benchmark makes of its time stamps, and how its command and the demonstration's take what they are given."""

import subprocess
from pathlib import Path
from typing import Dict, List

import pytest

from tests.bench.guests import COLD, DEBIAN, OURS, SHELL, WAYS, Run, Way, split
from tests.bench.report import render, summarize
from tests.bench.stamps import MissingStamp, between, parse

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def three_each(leave: Dict[str, float]) -> List[Run]:
    """Return three runs of each way, of which the middle one takes 3 s and what is given until the old system ends."""
    return [Run(way.name, leave[way.name], 2.0, 1.0 + late, 60.0) for way in WAYS for late in (0.0, -0.1, 0.1)]


def test_stamps_are_found_between_what_others_say() -> None:
    stamps = parse("noise @begin 1000000000\n@kexec-e 1250000000\nGRUB@init 3000000000\n@login 4500000000\n")
    assert [stamp.tag for stamp in stamps] == ["begin", "kexec-e", "init", "login"]
    run = split(OURS, stamps, 9.0)
    assert (run.leave, run.jump, run.start, run.wall) == pytest.approx((0.25, 1.75, 1.5, 9.0))
    assert run.total == pytest.approx(3.5)


@pytest.mark.parametrize("text", ["", "@begin 1\n", "@login 5\n@begin 7\n", "@begin 1\n@login 5"])
def test_a_time_that_was_not_stamped_is_no_time(text: str) -> None:
    with pytest.raises(MissingStamp):
        between(parse(text), "begin", "login")


def test_medians_decide() -> None:
    report = summarize(three_each({"ours": 1.0, "debian": 6.0, "shell": 1.0, "cold": 2.0}), {"a part": 0.25})
    assert [(row.minimum, row.median, row.maximum) for row in report.rows[:1]] == [pytest.approx((3.9, 4.0, 4.1))]
    assert [row.ratio for row in report.rows] == pytest.approx([1.0, 4 / 9, 1.0, 0.8])
    assert report.passed
    assert "FAIL" not in render(report) and "| a part | 0.250 |" in render(report)


@pytest.mark.parametrize("way, leave, failures", [(DEBIAN, 4.9, 1), (COLD, 1.4, 1), (SHELL, 0.7, 1), (COLD, 0.4, 2)])
def test_each_gate_can_fail(way: Way, leave: float, failures: int) -> None:
    times = {"ours": 1.0, "debian": 6.0, "shell": 1.0, "cold": 2.0, way.name: leave}
    report = summarize(three_each(times), {})
    assert not report.passed
    assert render(report).count("FAIL") == failures


@pytest.mark.parametrize("name, arguments", [("bench", ["--runs", "0"]), ("bench", ["now"]), ("demo", ["--gif"])])
def test_wrong_usage_is_told(name: str, arguments: List[str]) -> None:
    done = subprocess.run(
        [str(SCRIPTS / name), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 2
    assert "usage: scripts/" + name in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["bench", "demo"])
def test_help_needs_nothing(name: str) -> None:
    done = subprocess.run(
        ["/bin/sh", str(SCRIPTS / name), "-h"], env={"PATH": "/bin"}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: scripts/" + name)
