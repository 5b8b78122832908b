"""Every host of `hosts/grub2` has a GRUB 2, whose menu and what it would write on its way are what its file of JSON says.

A new host is a new test; one without that file fails and prints what was found, for a person to check.
"""

import json
import os
from typing import Dict

import pytest

from kexec_initd.bootloader.grub2.menu import GrubReading, read
from kexec_initd.bootloader.output import as_json
from kexec_initd.system.sysroot import Tree
from tests.bootloader.hosts import check_expected, names, root_of

HOSTS = names("grub2")


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
    reading = read(Tree(root_of(host)))
    assert reading is not None
    check_expected(host, summary(reading))


@pytest.mark.once
@pytest.mark.parametrize("host", HOSTS)
def test_listed_files_are_there(host: str) -> None:
    root = root_of(host)
    reading = read(Tree(root))
    for offered in reading.menu.offered if reading else ():
        assert (offered.entry is None) != (offered.obstacle is None)
        for path in (offered.entry.kernel,) + offered.entry.initrds if offered.entry else ():
            assert os.path.isfile(str(root / path.relative_to("/")))
