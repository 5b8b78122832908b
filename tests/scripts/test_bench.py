"""What the benchmark makes of its time stamps, and how its command and the demonstration's take what they are given."""

import subprocess
from pathlib import Path
from typing import Dict, List

import pytest

from tests.bench.__main__ import choose_ways
from tests.bench.guests import (
    COLD,
    DEBIAN,
    OURS,
    PRELOADED,
    SHELL,
    UNPACKED,
    WAYS,
    Memory,
    Run,
    Way,
    WrongWay,
    find_memory,
    split,
)
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


# Seconds until the old system ends, with which every gate is passed.
GOOD = {"ours": 1.0, "unpacked": 0.7, "debian": 6.2, "shell": 1.0, "preloaded": 1.2, "cold": 2.1}


def test_medians_decide() -> None:
    report = summarize(three_each(GOOD), {"a part": 0.25}, Memory("python3", 11.5))
    assert [(row.minimum, row.median, row.maximum) for row in report.rows[:1]] == [pytest.approx((3.9, 4.0, 4.1))]
    values = [4 / 9.2, 1.0, 4 / 4.2, 3.7 / 4.2, 4 / 5.1, -1.1, -0.2, 11.5]
    assert [gate.value for gate in report.gates] == pytest.approx(values)
    assert report.passed
    text = render(report)
    assert "FAIL" not in text and "| a part | 0.250 |" in text
    assert "peak of the last step (python3) | 11.50 | 12.00 | PASS |" in text


@pytest.mark.parametrize(
    "way, leave, failures",
    [(DEBIAN, 6.0, 1), (COLD, 1.9, 1), (SHELL, 0.7, 1), (UNPACKED, 0.9, 1), (COLD, 0.4, 2), (PRELOADED, 1.05, 3)],
)  # fmt: skip
def test_each_gate_can_fail(way: Way, leave: float, failures: int) -> None:
    report = summarize(three_each({**GOOD, way.name: leave}), {})
    assert not report.passed
    assert render(report).count("FAIL") == failures, render(report)


def test_the_kernel_has_to_be_entered_sooner_not_only_to_be_quicker() -> None:
    runs = [
        run._replace(jump=2.2) if run.way == "preloaded" else run for run in three_each({**GOOD, "preloaded": 1.09})
    ]
    failed = [gate for gate in summarize(runs, {}).gates if not gate.passed]
    (gate,) = failed
    assert gate.label == "seconds until the kernel's entry, kexec-initd - preloaded shell"
    assert gate.value == pytest.approx(-0.09)


def test_memory_has_a_gate() -> None:
    assert not summarize(three_each(GOOD), {}, Memory("python3", 12.1)).passed


def test_the_start_of_the_runtime_has_a_gate() -> None:
    assert summarize(three_each(GOOD), {}, None, 0.07).passed
    assert not summarize(three_each(GOOD), {}, None, 0.071).passed


def test_a_reboot_that_has_not_passed_the_peers_own_script_is_another_way() -> None:
    text = "@begin 1000000000\n{}@kexec-e 1250000000\n@init 3000000000\n@login 4500000000\n"
    assert split(PRELOADED, parse(text.format("@umount-a 1200000000\n")), 9.0).leave == pytest.approx(0.25)
    with pytest.raises(WrongWay):
        split(PRELOADED, parse(text.format("")), 9.0)


def test_a_way_that_was_not_measured_has_no_gate() -> None:
    few = [run for run in three_each(GOOD) if run.way in ("unpacked", "preloaded")]
    report = summarize(few, {})
    assert [row.way for row in report.rows] == ["unpacked", "preloaded"]
    assert [gate.label for gate in report.gates] == ["kexec-initd, initrd unpacked / preloaded shell"]
    assert "ours adds" not in render(report)


def test_ways_are_chosen_by_name_in_their_order() -> None:
    assert choose_ways("cold,ours") == [OURS, COLD]
    assert choose_ways(",".join(reversed([way.name for way in WAYS]))) == list(WAYS)


def test_peak_memory_is_stamped_with_its_program() -> None:
    stamps = parse("@begin 1\n@kexec-e 2\n@memory=python3=11264 3\n@init 4\n@memory=sh=1 5\n")
    assert find_memory(stamps) == Memory("python3", 11.0)
    with pytest.raises(MissingStamp):
        find_memory(stamps[:2])


@pytest.mark.parametrize(
    "name, arguments",
    [("bench", ["--runs", "0"]), ("bench", ["now"]), ("bench", ["--ways", "ours,warm"]), ("demo", ["--gif"])],
)
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
