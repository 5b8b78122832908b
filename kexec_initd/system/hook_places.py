"""Where the admin's programs are, and whether there is certainly none, which the last step sees without the rules of `hooks`."""

import os
import stat

TYPE_CHECKING = False  # as in typing, whose import takes longer than all that the last step imports
if TYPE_CHECKING:
    from kexec_initd.system.encoding import Name

PRE_JUMP = "etc/kexec-initd/pre-jump.d"
ARRIVAL = "etc/kexec-initd/arrival.d"
CHANGED_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def has_none(root: "Name", directory: str) -> bool:
    """Tell whether a directory that only root can change, as those above it, is empty or not there.

    Whatever else it may be is for `hooks.find` to judge.
    """
    place = os.fspath(root)
    try:
        for name in ("", *directory.split("/")):
            place = os.path.join(place, name)
            found = os.lstat(place.rstrip("/") or "/")
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, os.geteuid()):
                return False
            if found.st_mode & CHANGED_BY_OTHERS:
                return False
        return not os.listdir(place)
    except FileNotFoundError:
        return True
    except OSError:
        return False
