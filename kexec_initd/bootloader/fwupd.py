"""The updates that fwupd has staged: a table in SQLite's format; some of them are carried out by the next cold boot.

Columns and states are those of fwupd's fu-history.c and of its enumeration FwupdUpdateState. The file is opened as one that
never changes (https://www.sqlite.org/uri.html, "immutable"): no lock is taken, and nothing is written beside it.
"""

from typing import Iterator, Optional

from kexec_initd.system.sysroot import Tree

HISTORY = "/var/lib/fwupd/pending.db"
JOURNALS = (HISTORY + "-journal", HISTORY + "-wal")
# FWUPD_UPDATE_STATE_PENDING, FWUPD_UPDATE_STATE_NEEDS_REBOOT
QUERY = "SELECT display_name FROM history WHERE update_state IN (1, 4) LIMIT 1"
SECTOR = 512  # a file of SQLite's has pages of a multiple of this
LIMIT = 16 << 20
STEPS = 1000000  # instructions of SQLite's machine, far more than a table of some hundred rows takes
MARGIN = 86400  # seconds by which a clock may have been wrong at the start of the boot
NAME_LENGTH = 60


def find_pending(tree: Tree, since: int) -> Optional[str]:
    """Say what fwupd has staged; None for nothing.

    `since` is when the last firmware boot began, in seconds since 1970, 0 where nobody knows: with that boot all
    was done that had been asked for before, also where fwupd has not looked since. What has changed later and cannot be
    read may ask for something.
    """
    times = [tree.modified(path) for path in (HISTORY, *JOURNALS)]
    changed = max(time or 0 for time in times)
    if times[0] is None or (since and changed < since - MARGIN):
        return None
    if any(tree.size(path) for path in JOURNALS):
        return "an update of fwupd may wait: a change of {} is not complete".format(HISTORY)
    size = tree.size(HISTORY) or 0
    if size > LIMIT or size % SECTOR:
        return "an update of fwupd may wait: {} has {} bytes".format(HISTORY, size)
    return next(_waiting(tree), None) if size else None


def _waiting(tree: Tree) -> Iterator[str]:
    from urllib.parse import quote

    try:
        import sqlite3  # a Python may come without it
    except ImportError:
        yield "an update of fwupd may wait: this Python cannot read {} (it has no module sqlite3)".format(HISTORY)
        return
    try:
        found = sqlite3.connect("file:{}?immutable=1".format(quote(tree.real(HISTORY))), timeout=0, uri=True)
        try:
            found.text_factory = bytes
            found.set_progress_handler(lambda: 1, STEPS)
            for (name,) in found.execute(QUERY):
                text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else "a device"
                yield "a firmware update of fwupd waits for a reboot: {}".format(text[:NAME_LENGTH])
        finally:
            found.close()
    except sqlite3.Error as error:
        yield "an update of fwupd may wait: {} cannot be read: {}".format(HISTORY, error)
