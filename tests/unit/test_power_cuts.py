"""The table of power cuts: enough moments, and a document that has each of them as it was seen."""

from pathlib import Path

import pytest

from tests.vm.moments import ARRIVED, EITHER, HELD, MOMENTS, NOTHING

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reports" / "power-cuts.md"
ROWS = [
    line.strip("| ").split(" | ") for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")
]


def test_there_are_forty_moments_and_most_of_them_leave_one_answer() -> None:
    assert len(MOMENTS) >= 40
    assert sum(moment.guard != EITHER for moment in MOMENTS.values()) >= 40
    assert {moment.guard for moment in MOMENTS.values()} == {NOTHING, HELD, EITHER, ARRIVED}


@pytest.mark.parametrize("name", MOMENTS)
def test_the_document_has_the_moment_as_it_was_seen(name: str) -> None:
    (row,) = [row for row in ROWS if row[1] == name]
    wanted = MOMENTS[name].guard
    assert row[2] == wanted
    assert row[3] in ((NOTHING, HELD) if wanted == EITHER else (wanted,)) or row[3] == "not run"


def test_forty_moments_have_been_seen() -> None:
    assert sum(row[3] in (NOTHING, HELD, ARRIVED) for row in ROWS) >= 40
