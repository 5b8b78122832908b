"""What a soak makes of a guest's answers, that each of its gates can fail, and how its command takes what it is given."""

import subprocess
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest

from tests.soak.report import GATES, as_json, render, summarize
from tests.soak.samples import Sample, parse_sample

SOAK = Path(__file__).resolve().parents[2] / "scripts/soak"
ANSWER = """meminfo
MemTotal:         738548 kB
MemFree:          600000 kB
MemAvailable:     520816 kB
iomem
00000000-00000fff : Reserved
00001000-0009fbff : System RAM
feffc000-feffffff : PCI
  feffc000-feffffff : Reserved
memory
Memory: 700000K/785876K available (16384K kernel code, 2000K rwdata, 61240K reserved, 0K cma-reserved)
e820
7
cmdline
root=/dev/vda1 kexec_initd.attempt=abc
var
d 4096 /var/lib/kexec-initd
f 120 /var/lib/kexec-initd/attempts
run
d 80 /run/kexec-initd
f 30 /run/kexec-initd/stamp
kernel
[    0.104000] ACPI: something odd at 0xfed00000, 12 times
"""
SOUND = parse_sample(ANSWER, 4.5, 50.0)


def test_an_answer_is_read() -> None:
    warnings = frozenset(["ACPI: something odd at ,  times"])
    assert parse_sample(ANSWER, 4.5, 50.0) == Sample(4.5, 50.0, 738548, 600000, 61240, 20, 7, 38, 4, 150, warnings)


@pytest.mark.parametrize(
    "missing", ["MemTotal", "MemFree", "61240K reserved", ": Reserved", "e820", "meminfo", "kernel\n"]
)
def test_an_answer_that_is_not_whole_is_none(missing: str) -> None:
    with pytest.raises(ValueError):
        parse_sample(ANSWER.replace(missing, "-"), 4.5, 50.0)


def test_a_warning_is_the_same_in_another_boot() -> None:
    later = ANSWER.replace("0.104000", "0.205001").replace("0xfed00000", "0xfec00000").replace("12 times", "13 times")
    assert parse_sample(later, 4.5, 50.0).warnings == SOUND.warnings


def test_what_stays_as_it_is_passes() -> None:
    report = summarize([SOUND] * 20)
    assert report.passed and as_json(report)["passed"] is True
    assert render(report).startswith("20 reboots through kexec in a row") and "FAIL" not in render(report)


@pytest.mark.parametrize(
    "changed",
    [
        {"uptime": 5.0},
        {"total": 737000},
        {"free": 510000},
        {"reserved": 62000},
        {"iomem": 24},
        {"ranges": 8},
        {"cmdline_bytes": 70},
        {"files": 5},
        {"files_bytes": 170},
    ],
)
def test_each_gate_can_fail(changed: Dict[str, Any]) -> None:
    report = summarize([SOUND] * 10 + [SOUND._replace(**changed)] * 5)
    assert not report.passed
    assert render(report).count("FAIL") == 1
    assert len([row for row in report.rows if not row.passed]) == 1 and len(report.rows) == len(GATES)


def test_one_boot_with_a_new_warning_fails() -> None:
    report = summarize([SOUND, SOUND._replace(warnings=SOUND.warnings | {"soft lockup"}), SOUND])
    assert not report.passed and report.warnings == ["soft lockup"]


@pytest.mark.parametrize("arguments", [("--reboots", "1"), ("--reboots", "many"), ("now",)])
def test_wrong_usage_is_told(arguments: Tuple[str, ...]) -> None:
    done = subprocess.run(
        [str(SOAK), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 2
    assert "usage: scripts/soak" in done.stderr and "Traceback" not in done.stderr


def test_the_help_names_every_option() -> None:
    done = subprocess.run([str(SOAK), "-h"], capture_output=True, text=True, check=True)
    assert all(option in done.stdout for option in ("--reboots", "--minutes", "--json"))
