"""Fixtures that several unit tests share."""

from pathlib import Path

import pytest

from tests.unit.fake_host import FakeHost


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path / "root")
