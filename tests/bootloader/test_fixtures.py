"""Every directory beside this file is a host: what is found below its `root` is what `expected.json` says.

A new directory is a new test; one without `expected.json` fails and prints what was found, for a person to check.
"""

import json
import os
from pathlib import Path
from typing import Dict

import pytest

from kexec_initd.bootloader import Menu
from kexec_initd.bootloader.menu import find_menu
from kexec_initd.bootloader.output import as_json

HERE = Path(__file__).parent
HOSTS = sorted(path.parent.name for path in HERE.glob("*/root"))


def summary(menu: Menu) -> Dict[str, object]:
    """Return all that a menu says, as JSON has it."""
    return {
        "problem": menu.problem,
        "source": [str(menu.source.path), menu.source.line] if menu.source else None,
        "one_shot": menu.one_shot,
        "places": [offered.path for offered in menu.offered],
        "sources": ["{}:{}".format(*offered.source) for offered in menu.offered],
        "entries": json.loads(as_json(menu)),
    }


@pytest.mark.parametrize("host", HOSTS)
def test_host(host: str) -> None:
    found = summary(find_menu(HERE / host / "root"))
    expected = HERE / host / "expected.json"
    assert expected.exists(), json.dumps(found, indent=2)
    assert found == json.loads(expected.read_text(encoding="utf-8"))


@pytest.mark.parametrize("host", HOSTS)
def test_listed_files_are_there(host: str) -> None:
    root = HERE / host / "root"
    for offered in find_menu(root).offered:
        assert (offered.entry is None) != (offered.obstacle is None)
        for path in (offered.entry.kernel,) + offered.entry.initrds if offered.entry else ():
            assert os.path.isfile(str(root / path.relative_to("/")))
