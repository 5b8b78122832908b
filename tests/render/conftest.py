"""Has the golden files written anew where that is asked for."""

import os
from pathlib import Path

import pytest

from tests.render import golden


@pytest.fixture(scope="session", autouse=True)
def updated(tmp_path_factory: "pytest.TempPathFactory") -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        golden.update(Path(str(tmp_path_factory.mktemp("golden"))))
