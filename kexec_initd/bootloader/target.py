"""The target: the entry that a cold boot would take next, or why that cannot be said or cannot be loaded."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Dict, NamedTuple, Optional, Tuple, Union

from kexec_initd.boot_entry import BootEntry
from kexec_initd.bootloader import LoaderWrite, Menu, Source
from kexec_initd.bootloader.ab_slots import find_trial
from kexec_initd.bootloader.efivars import DIRECTORY as EFI_VARIABLES
from kexec_initd.bootloader.efivars import OLD_DIRECTORY as OLD_EFI_VARIABLES
from kexec_initd.bootloader.firmware import find_pending
from kexec_initd.bootloader.menu import find_menu
from kexec_initd.bootloader.output import Value, describe_entry
from kexec_initd.codes import Code
from kexec_initd.errors import one_line, shortened
from kexec_initd.system.sysroot import Tree

# What the running kernel makes up for each reader: it tells nothing by its time or its size, and stays as it is.
MADE_UP = ("/proc/", "/sys/")
# EFI variables of which only this boot's loader or firmware changes the value, or whose being there says everything.
SHOWING = ("LoaderInfo", "LoaderImageIdentifier", "LoaderDevicePartUUID", "BootCurrent", "BootNext", "Mok")
# Those of the firmware's menu, which efibootmgr writes: efivarfs gives them a new time from Linux 5.8 on.
FIRMWARE_MENU = re.compile(r"Boot(Order|[0-9A-F]{4})-")
TIMES_SINCE = (5, 8)
RELEASE = re.compile(r"([0-9]+)\.([0-9]+)")


class Target(NamedTuple):
    """The entry that the boot loader would boot, or why there is none. `title` where an entry is known.

    `source` is where the choice comes from, None when from no file. `changes` are what the loader would write when it
    boots the entry: to be carried out when a reboot goes around it, and not before.
    """

    loader: str
    title: Optional[str]
    boots: Union[BootEntry, str]
    source: Optional[Source]
    one_shot: bool
    changes: Tuple[LoaderWrite, ...] = ()

    @property
    def entry(self) -> Optional[BootEntry]:
        """Return the entry; None where there is a problem."""
        return self.boots if isinstance(self.boots, BootEntry) else None

    @property
    def problem(self) -> Optional[str]:
        """Return why there is no entry; None where there is one."""
        return None if isinstance(self.boots, BootEntry) else self.boots

    @property
    def name(self) -> str:
        """Return the entry's title and who has chosen it, for people."""
        return "{} ({})".format(shortened(self.title or ""), self.chooser)

    @property
    def chooser(self) -> str:
        """Return the loader, and whether the choice is for one boot only."""
        return self.loader + (", for one boot only" if self.one_shot else "")


class LoaderReading(NamedTuple):
    """The menu, the target in it and what they were found from: `files` that show by their identity when they change.

    With `hidden` there is also something whose change does not show, an EFI variable, and only another reading tells.
    `pending` says, with its code, what keeps the loader from going its usual way, or counts how often it does; the target
    has that as its problem, too.
    """

    menu: Menu
    target: Target
    files: Tuple[Path, ...]
    hidden: bool
    pending: Optional[Tuple[Code, str]]


def find_target(tree: Tree, since: int = 0) -> Target:
    """Return the target of the host. Raises Error for what cannot be read at all."""
    return read_target(tree, since).target


def read_target(tree: Tree, since: int = 0) -> LoaderReading:
    """Return the target of the host, and what decides. Raises Error for what cannot be read at all.

    `tree` was asked for nothing before. `since` is when the last firmware boot began, 0 where nobody knows.
    """
    menu = find_menu(tree)
    target = target_of(menu)
    asked = [(Code.FIRMWARE, find_pending(tree, since)), (Code.UPDATE, find_trial(tree))]
    pending = next(((code, reason) for code, reason in asked if reason is not None), None)
    if pending is not None:
        target = target._replace(boots=pending[1], changes=())
    variables = [path for path in tree.asked if path.startswith(EFI_VARIABLES)]
    files = [path for path in tree.asked if not path.startswith(MADE_UP)] + variables
    showing = partial(_shows, shows_writes(tree))
    old = [path for path in tree.asked if path.startswith(OLD_EFI_VARIABLES) and tree.is_file(path)]
    hidden = bool(old) or any(not showing(path[len(EFI_VARIABLES) :]) and tree.is_file(path) for path in variables)
    return LoaderReading(menu, target, tuple(map(Path, files)), hidden, pending)


def shows_writes(tree: Tree) -> bool:
    """Tell whether the running kernel gives a file of efivarfs a new time when it is written."""
    found = RELEASE.match(tree.read_text("/proc/sys/kernel/osrelease") or "")
    return found is not None and tuple(map(int, found.groups())) >= TIMES_SINCE


def _shows(times: bool, name: str) -> bool:
    """Tell whether a change of an EFI variable shows by its file."""
    return name.startswith(SHOWING) or (times and FIRMWARE_MENU.match(name) is not None)


def target_of(menu: Menu) -> Target:
    """Return the target that `menu` has; in doubt, and for a wish that nobody here can take back, there is none."""
    if isinstance(menu.boots, str):
        return Target(menu.loader, None, menu.boots, menu.source, menu.one_shot)
    offered = menu.offered[menu.boots]
    boots, title = offered.boots, shortened(offered.title)
    if isinstance(boots, str):
        boots = 'the next entry, "{}", cannot be loaded: {}'.format(title, boots)
    elif menu.one_shot and not menu.changes:
        boots = 'the boot loader has a wish for one boot only, "{}"'.format(title)
    changes = menu.changes if isinstance(boots, BootEntry) else ()
    return Target(menu.loader, offered.title, boots, menu.source or offered.source, menu.one_shot, changes)


def as_json(target: Target) -> str:
    """Return the target as one JSON object; `kernel` is null where there is a problem."""
    found: Dict[str, Value] = {
        "loader": target.loader,
        "title": target.title,
        **describe_entry(target.entry),
        "one_shot": target.one_shot,
        "changes": [change.text for change in target.changes],
        "file": str(target.source.path) if target.source else None,
        "line": target.source.line if target.source else None,
        "problem": target.problem,
    }
    return json.dumps(found, indent=2)


def as_text(target: Target) -> str:
    """Return the target for a person, a line for each thing."""
    entry = target.entry
    lines = [
        "target:     {}".format(shortened(target.title or "") if entry else "undecided: {}".format(target.problem))
    ]
    if entry is not None:
        lines.append("kernel:     {}".format(entry.kernel))
        lines.append("initrds:    {}".format(", ".join(str(path) for path in entry.initrds) or "none"))
        lines.append("cmdline:    {}".format(entry.cmdline))
    lines.append("loader:     {}".format(target.chooser))
    lines += ["writes:     {}".format(change.text) for change in target.changes]
    if target.source is not None:
        line = ":{}".format(target.source.line) if target.source.line else ""
        lines.append("chosen by:  {}{}".format(target.source.path, line))
    return "\n".join(one_line(line) for line in lines)
