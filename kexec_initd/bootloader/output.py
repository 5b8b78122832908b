"""A boot loader's menu for people and for programs."""

import json
import re
from typing import Dict, List, Optional, Union

from kexec_initd.boot_entry import BootEntry
from kexec_initd.bootloader import Menu, Offered
from kexec_initd.errors import one_line, shortened

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:,@%/-]{0,200}\Z")

Value = Union[str, List[str], bool, int, None]


def as_json(menu: Menu) -> str:
    """Return the entries as a JSON list, in the loader's order; one that cannot be loaded has an obstacle."""
    return json.dumps([_as_object(menu, number) for number in range(len(menu.offered))], indent=2)


def _as_object(menu: Menu, number: int) -> Dict[str, Value]:
    offered = menu.offered[number]
    entry = offered.entry
    found: Dict[str, Value] = {
        "title": offered.title,
        "id": offered.id,
        **describe_entry(entry),
        "loader": menu.loader,
        "default": number == menu.default,
    }
    if entry is None:
        found["obstacle"] = offered.obstacle
    return found


def describe_entry(entry: Optional[BootEntry]) -> Dict[str, Value]:
    """Return what is started, as JSON has it; nothing where that cannot be loaded."""
    return {
        "kernel": str(entry.kernel) if entry else None,
        "initrds": [str(path) for path in entry.initrds] if entry else [],
        "cmdline": entry.cmdline if entry else None,
    }


def as_text(menu: Menu) -> str:
    """Return a line for each entry: a star for the default, its position, its title, its kernel or what is wrong."""
    if not menu.offered:
        return "{}: no entries".format(menu.loader)
    width = max(len(position(offered)) for offered in menu.offered)
    return "\n".join(_as_line(menu, number, width) for number in range(len(menu.offered)))


def position(offered: Offered) -> str:
    """Return the position of an entry in a form that no shell takes for a redirection: "1/2" for GRUB's "1>2".

    It can be no version of a kernel, which is part of the name of a file.
    """
    return offered.path.replace(">", "/")


def _as_line(menu: Menu, number: int, width: int) -> str:
    offered: Offered = menu.offered[number]
    mark = "*" if number == menu.default else " "
    what = str(offered.entry.kernel) if offered.entry else "cannot be loaded: {}".format(offered.obstacle)
    return one_line("{} {:<{}}  {} ({})".format(mark, position(offered), width, shortened(offered.title), what))


def as_names(menu: Menu) -> str:
    """Return the words that name an entry which can be loaded, a line each, behind a tab its title: what a shell completes.

    Those that a shell would have to quote are left out: the position always does.
    """
    from kexec_initd.images.consistency import named_release

    lines = []
    for offered in menu.offered:
        if offered.entry is not None:
            release = named_release(offered.entry.kernel) or ""
            names = [position(offered), *(name for name in (offered.id, release) if PLAIN.match(name))]
            lines += ["{}\t{}".format(name, one_line(shortened(offered.title, 60))) for name in names]
    return "\n".join(lines)
