"""Every directory in `grub2` is a host whose GRUB 2 is read: the menu, and what GRUB would write on its way.

A new directory is a new test; one without `expected.json` fails and prints what was found, for a person to check.
"""

import json
import os
from pathlib import Path
from typing import Dict

import pytest

from kexec_initd.bootloader.grub2 import GrubReading, read
from kexec_initd.bootloader.output import as_json
from kexec_initd.system.sysroot import Tree

HERE = Path(__file__).parent / "grub2"
HOSTS = sorted(path.parent.name for path in HERE.glob("*/root"))


def summary(reading: GrubReading) -> Dict[str, object]:
    """Return all that a reading says, as JSON has it."""
    menu = reading.menu
    return {
        "default": menu.offered[menu.default].path if menu.default is not None else None,
        "problem": menu.problem,
        "source": "{}:{}".format(*menu.source) if menu.source else None,
        "one_shot": menu.one_shot,
        "writes": ["{}: {}={}".format(*write) for write in reading.writes],
        "places": [offered.path for offered in menu.offered],
        "sources": ["{}:{}".format(*offered.source) for offered in menu.offered],
        "entries": json.loads(as_json(menu)),
    }


@pytest.mark.parametrize("host", HOSTS)
def test_host(host: str) -> None:
    reading = read(Tree(HERE / host / "root"))
    assert reading is not None
    found = summary(reading)
    expected = HERE / host / "expected.json"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    assert expected.exists(), json.dumps(found, indent=2)
    assert found == json.loads(expected.read_text(encoding="utf-8"))


@pytest.mark.once
@pytest.mark.parametrize("host", HOSTS)
def test_listed_files_are_there(host: str) -> None:
    root = HERE / host / "root"
    reading = read(Tree(root))
    for offered in reading.menu.offered if reading else ():
        assert (offered.entry is None) != (offered.obstacle is None)
        for path in (offered.entry.kernel,) + offered.entry.initrds if offered.entry else ():
            assert os.path.isfile(str(root / path.relative_to("/")))
