"""Every host of `hosts` has a boot loader whose menu is what its file of JSON says.

A new host is a new test; one without that file fails and prints what was found, for a person to check.
"""

import json
import os
from typing import Dict

import pytest

from kexec_initd.bootloader import Menu
from kexec_initd.bootloader.menu import find_menu
from kexec_initd.bootloader.output import as_json
from kexec_initd.system.sysroot import Tree
from tests.bootloader.hosts import check_expected, names, root_of

HOSTS = names()


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
    check_expected(host, summary(find_menu(Tree(root_of(host)))))


@pytest.mark.parametrize("host", HOSTS)
def test_listed_files_are_there(host: str) -> None:
    root = root_of(host)
    for offered in find_menu(Tree(root)).offered:
        assert (offered.entry is None) != (offered.obstacle is None)
        for path in (offered.entry.kernel,) + offered.entry.initrds if offered.entry else ():
            assert os.path.isfile(str(root / path.relative_to("/")))
