"""The drop-in by which `on` and `off` set KEXEC: a file of our own, which no upgrade asks about and no template overwrites.

The settings file itself is a conffile: an edit of ours would make dpkg ask at each upgrade and rpm leave an .rpmnew beside it,
and who manages a fleet writes that file anew. A drop-in of the admin's with a later name still has the last word.
"""

import os
from pathlib import Path

from kexec_initd.settings.sources import directory_for
from kexec_initd.system.files import is_there, write_atomic
from kexec_initd.system.host import Family
from kexec_initd.system.safe_path import locate

NAME = "50-switch.conf"
TEXT = "# Written by `kexec-initd {0}`; `kexec-initd {1}` takes it back. See kexec-initd(8).\nKEXEC={2}\n"


def path_for(family: Family) -> Path:
    """Return where the drop-in is on a host."""
    return directory_for(Path("/"), family) / NAME


def write(root: Path, family: Family, kexec: bool) -> None:
    """Have KEXEC be yes or no, whole or as it was. Raises Refused where others may change the directory, OSError."""
    place = locate(root, str(path_for(family)))
    if not is_there(place.parent):
        place.parent.mkdir(parents=True)
        os.chmod(str(place.parent), 0o755)
    words = ("on", "off", "yes") if kexec else ("off", "on", "no")
    write_atomic(place, TEXT.format(*words).encode("ascii"), 0o644)
