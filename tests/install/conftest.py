"""What every test of an installation shares."""

import subprocess
from pathlib import Path
from typing import Iterator

import pytest


@pytest.fixture(name="tmp_path")
def _tmp_path(tmp_path: Path) -> Iterator[Path]:
    """Return a directory that is gone after the test: hundreds of hosts would fill the memory in which they lie."""
    yield tmp_path
    subprocess.run(["rm", "-rf", "--one-file-system", "--", str(tmp_path)], check=False, stderr=subprocess.DEVNULL)
