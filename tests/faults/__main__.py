"""$(scripts/venv) -m tests.faults [-n N]: run every test that the table names, and write docs/faults.md from all results so far.

`--write` only writes. Needs what tests/vm and tests/install need, root among it; exit status: that of the tests.
"""

import argparse
import sys
from pathlib import Path

import pytest

from tests.faults.results import CHECKOUT, NAMED, RESULTS, read, render

DOCUMENT = CHECKOUT / "docs" / "faults.md"


def main() -> int:
    """Run, write, say where."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Run the table of faults.")
    parser.add_argument(
        "--write", action="store_true", help="run nothing: write docs/faults.md from what was seen so far"
    )
    parser.add_argument("-n", default="1", metavar="N", help="how many tests run at a time (default: %(default)s)")
    options = parser.parse_args()
    code = 0 if options.write else run(options.n)
    write(DOCUMENT)
    return code


def run(processes: str) -> int:
    """Run the tests of the table; return pytest's exit status."""
    tests = sorted(str(CHECKOUT / "tests" / name) for name in NAMED)
    return int(pytest.main(["-p", "no:cacheprovider", "-n", processes, "--faults", "--rootdir", str(CHECKOUT), *tests]))


def write(document: Path) -> None:
    """Write the document from what was seen so far."""
    document.write_text(render(read(RESULTS)), encoding="utf-8")
    sys.stderr.write("written: {}\n".format(document.relative_to(CHECKOUT)))


if __name__ == "__main__":
    sys.exit(main())
