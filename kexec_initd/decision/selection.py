"""The entry to load, with its command line as the settings change it: the loader's default, or what the admin names."""

import os
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple, Union

from kexec_initd.boot_entry import BootEntry
from kexec_initd.bootloader import LoaderWrite, Menu
from kexec_initd.bootloader.installed_kernels import entry_for
from kexec_initd.bootloader.target import LoaderReading, read_target
from kexec_initd.cmdline.edit import check_one_off, edited
from kexec_initd.cmdline.words import has_own_words
from kexec_initd.codes import Code
from kexec_initd.errors import Error, UsageError
from kexec_initd.history import attempts
from kexec_initd.kexec import stamp
from kexec_initd.kexec.stamp import Choice, Chosen, ChosenEntry
from kexec_initd.settings.reader import Settings
from kexec_initd.system.encoding import decode, name_of
from kexec_initd.system.host import Host

MOST_WATCHED = 300  # files whose identity the early step compares; with more it asks Python
CHANGING = "the boot loader's configuration is being changed just now"


class Selected(NamedTuple):
    """The entry to load, the stamp's lines of what it was chosen by, its name, and how it was chosen.

    `changes` are what the boot loader would write on its way. `menu` is the boot loader's, as it was read for this.
    """

    entry: BootEntry
    config: Tuple[str, ...]
    name: str
    changes: Tuple[LoaderWrite, ...] = ()
    chosen: Choice = Chosen.BY_LOADER
    menu: Optional[Menu] = None


class NoTarget(NamedTuple):
    """Why there is nothing to be loaded, with its code, and the stamp's lines of what says so.

    A code of its own has that the firmware is asked for something, or that an update is on trial. It counts for what the admin
    has named, too: a reboot would put off what he, or another, has asked for before.
    """

    problem: str
    config: Tuple[str, ...] = ()
    code: Code = Code.NO_TARGET
    menu: Optional[Menu] = None


Selection = Union[Selected, NoTarget]


def find_next(host: Host, settings: Settings) -> Selection:
    """Return what the boot loader would boot; where it would write something, the stamp never fits, so that Python does.

    Raises Error for what cannot be read at all.
    """
    reading, config = _read(host)
    return (
        NoTarget(CHANGING) if reading is None else _find_default(reading, config, settings)._replace(menu=reading.menu)
    )


def _find_default(reading: LoaderReading, config: Tuple[str, ...], settings: Settings) -> Selection:
    target = reading.target
    if reading.pending is not None:
        return _pending(reading.pending, config)
    if isinstance(target.boots, str):
        return NoTarget(target.boots, config)
    if target.changes:
        config = (stamp.UNSEEN,)
    try:
        entry = _edited(target.boots, settings, "")
    except Error as error:
        return NoTarget(str(error), config)
    return Selected(entry, config, target.name, target.changes)


def find_named(host: Host, settings: Settings, name: str, file: bool = False) -> Selection:
    """Return the entry of the boot loader that is called `name`, or with `file` the kernel of that path, too.

    Nothing of the loader's records is to be written: its own choice is still to come. Raises UsageError, Error.
    """
    from kexec_initd.bootloader.find_entry import HINT, select

    if file and name.startswith(("/", ".")):
        return _find_file(host, settings, name)
    reading, config = _read(host)
    if reading is None:
        raise Error(CHANGING)
    entry = select(reading.menu, name)
    if entry is None:
        if file and os.path.exists(name_of(name)):
            return _find_file(host, settings, name)
        raise UsageError('the boot loader has no entry "{}"'.format(name), HINT)
    return _unless_pending(_chosen(entry, settings, config), reading)


def find_again(host: Host, settings: Settings, loaded: stamp.Loaded) -> Selection:
    """Return what `loaded` is, as it is now; what the loader would boot, where the admin had named nothing.

    Raises Error where what he had named is gone or is something else now.
    """
    if loaded.chosen is Chosen.BY_LOADER:
        return find_next(host, settings)
    if loaded.chosen is Chosen.AS_FILE:
        return _find_file(host, settings, loaded.kernel)
    reading, config = _read(host)
    if reading is None:
        return NoTarget(CHANGING)
    from kexec_initd.bootloader.find_entry import require_same

    entry = require_same(reading.menu, loaded.chosen.title, loaded.kernel, loaded.initrds, loaded.chosen.cmdline)
    return _unless_pending(_chosen(entry, settings, config), reading)


def find_copied(menu: Menu) -> List[str]:
    """Return a warning for each entry of the boot loader whose command line was copied from that of a kexec."""
    entries = [offered.entry for offered in menu.offered if offered.entry is not None]
    copied = [entry.title for entry in entries if not entry.running and has_own_words(entry.cmdline)]
    told = 'the boot loader\'s entry "{}" has words of kexec-initd on its command line, copied from a running system: remove them'
    return [told.format(title) for title in copied]


def _read(host: Host) -> Tuple[Optional[LoaderReading], Tuple[str, ...]]:
    """Read the boot loader's files, twice, so that the stamp's lines belong to what was read; None where it changes."""
    mark = stamp.lines_for(host.root, [stamp.mark_file(host.root)])  # as it was before anything was read
    since = attempts.firmware_began(host)
    reading = read_target(host.tree.again(), since)
    config = mark + stamp.lines_for(host.root, reading.files)
    if reading.hidden or len(config) > MOST_WATCHED:
        config = [stamp.UNSEEN]
    return reading if read_target(host.tree.later(), since) == reading else None, tuple(config)


def _find_file(host: Host, settings: Settings, path: str) -> Selection:
    entry = entry_for(host, Path(decode(os.path.abspath(name_of(path)))))
    reading = read_target(host.tree.again(), attempts.firmware_began(host))
    default = reading.target.entry
    vouched = default.cmdline if default is not None and not default.running else ""
    edited_entry = _edited(entry, settings, vouched)
    return _unless_pending(Selected(edited_entry, (), "the kernel that was named", (), Chosen.AS_FILE), reading)


def _chosen(entry: BootEntry, settings: Settings, config: Tuple[str, ...]) -> Selected:
    name = "{} (chosen for one boot)".format(entry.title)
    return Selected(_edited(entry, settings, ""), config, name, (), ChosenEntry(entry.title, entry.cmdline))


def _unless_pending(selected: Selected, reading: LoaderReading) -> Selection:
    selection = selected if reading.pending is None else _pending(reading.pending, selected.config)
    return selection._replace(menu=reading.menu)


def _pending(pending: Tuple[Code, str], config: Tuple[str, ...]) -> NoTarget:
    code, reason = pending
    return NoTarget(reason, config, code)


def _edited(entry: BootEntry, settings: Settings, vouched: str) -> BootEntry:
    """Return `entry` with its command line as the settings change it.

    Raises Refused where the running one has something for one boot only that nothing vouches for.
    """
    if entry.running:
        check_one_off(edited(entry.cmdline, "", settings.cmdline_remove), settings.cmdline_append + " " + vouched)
    return entry._replace(cmdline=edited(entry.cmdline, settings.cmdline_append, settings.cmdline_remove))
