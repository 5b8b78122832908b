"""An entry of the boot loader's menu by what a person calls it: its position, id, title or kernel version."""

from typing import List, Optional, Sequence, Tuple

from kexec_initd.boot_entry import BootEntry
from kexec_initd.bootloader import Menu, Offered, output
from kexec_initd.cmdline.edit import find_one_off
from kexec_initd.errors import Refused, UsageError
from kexec_initd.images.consistency import named_release

HINT = "see kexec-initd entries"


def select(menu: Menu, name: str) -> Optional[BootEntry]:
    """Return the entry of `menu` that is called `name`; None where none is.

    The first of position, id, title and kernel version counts by which there is any. Raises UsageError for a name of
    several entries that differ in what they boot, Refused for one that cannot be loaded.
    """
    for fits in (_by_position, _by_id, _by_title, _by_version):
        found = [offered for offered in menu.offered if fits(offered, name)]
        if found:
            return _only(found if fits is not _by_version else _usual(found), name)
    return None


def require_same(menu: Menu, title: str, kernel: str, initrds: Sequence[str], cmdline: str) -> BootEntry:
    """Return the entry that was chosen before, from the menu as it is now. Raises Refused where it is not there."""
    wanted = (title, kernel, list(initrds), cmdline)
    for entry in [offered.entry for offered in menu.offered if offered.entry is not None]:
        if (entry.title, str(entry.kernel), [str(path) for path in entry.initrds], entry.cmdline) == wanted:
            return entry
    changed = any(offered.title == title or offered.entry and offered.entry.title == title for offered in menu.offered)
    what = "has changed since" if changed else "is gone from the boot loader's menu"
    raise Refused('the entry "{}" that was chosen {}'.format(title, what))


def _only(found: List[Offered], name: str) -> BootEntry:
    """Return the one entry that `found` are, or are alike."""
    if len({_what(offered) for offered in found}) > 1:
        places = ", ".join('{} "{}"'.format(output.position(offered), offered.title) for offered in found[:5])
        more = " and {} more".format(len(found) - 5) if len(found) > 5 else ""
        raise UsageError('"{}" is the name of several entries: {}{}'.format(name, places, more), HINT)
    boots = found[0].boots
    if isinstance(boots, str):
        raise Refused('the entry "{}" cannot be loaded: {}'.format(found[0].title, boots))
    return boots


def _what(offered: Offered) -> Tuple[object, ...]:
    """Return what the entry boots; those that cannot be loaded are not known to be alike."""
    entry = offered.entry
    return (offered.path,) if entry is None else (entry.kernel, entry.initrds, entry.cmdline)


def _usual(found: List[Offered]) -> List[Offered]:
    """Leave out the entries for a rescue where there are others: a version alone does not ask for them."""
    usual = [offered for offered in found if offered.entry and find_one_off(offered.entry.cmdline, "") is None]
    return usual or found


def _by_position(offered: Offered, name: str) -> bool:
    return name in (offered.path, output.position(offered))


def _by_id(offered: Offered, name: str) -> bool:
    return name in (offered.id, offered.entry.id if offered.entry else None)


def _by_title(offered: Offered, name: str) -> bool:
    return name in (offered.title, offered.entry.title if offered.entry else None)


def _by_version(offered: Offered, name: str) -> bool:
    return offered.entry is not None and named_release(offered.entry.kernel) == name
