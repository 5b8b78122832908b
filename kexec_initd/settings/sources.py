"""Which files hold the settings: the file, and behind it the drop-ins beside it, in the order of their names.

A drop-in is named NAME.conf, of letters, digits and _.@+- alone. Any other name in the directory may have been meant for one, and
so may hold KEXEC=no: that makes every reboot go cold, unless it is one that editors and package managers leave behind, or switch
a file off by (`system.hooks`). Plain shell goes by the same rules (templates/standalone/settings.sh, common/setting.sh).
"""

import re
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional

from kexec_initd import sentences
from kexec_initd.errors import Refused
from kexec_initd.system.encoding import encode, list_names
from kexec_initd.system.files import identity, is_there
from kexec_initd.system.hooks import is_leftover
from kexec_initd.system.host import Family
from kexec_initd.system.safe_path import below, locate

MOST = 100  # drop-ins; each is read in a shutdown
SUFFIX = ".conf"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*\.conf\Z")


class SettingsFile(NamedTuple):
    """A file of settings, to be read in its turn; `flaw` says why it, or the directory, cannot be."""

    path: Path
    flaw: Optional[str] = None


def path_for(root: Path, family: Family) -> Path:
    """Return where a host of `family` below `root` keeps the settings."""
    return root / ("etc/sysconfig" if family is Family.RHEL else "etc/default") / "kexec-initd"


def directory_for(root: Path, family: Family) -> Path:
    """Return where the drop-ins beside the settings are."""
    return path_for(root, family).with_name("kexec-initd.d")


def find_sources(root: Path, family: Family) -> Iterator[SettingsFile]:
    """Yield what is there of the settings, the later ones of which count."""
    path, directory = path_for(root, family), directory_for(root, family)
    if is_there(path):
        yield SettingsFile(path)
    if not is_there(directory):
        return
    try:
        names = sorted(list_names(locate(root, "/{}/any".format(directory.relative_to(root))).parent), key=encode)
    except (Refused, OSError):
        yield SettingsFile(directory, sentences.NO_DROP_INS.format(directory))
        return
    if len([name for name in names if _is_meant(name)]) > MOST:
        yield SettingsFile(directory, sentences.TOO_MANY.format(directory, MOST))
        return
    for name in names:
        if _NAME.match(name):
            yield SettingsFile(directory / name)
        elif _is_meant(name) or not is_leftover(name):
            yield SettingsFile(directory / name, sentences.LEFT_OUT.format(directory / name, sentences.NO_DROP_IN))


def watched(root: Path, family: Family) -> List[Path]:
    """Return the paths on the host whose change may change the settings: the file, the directory, and the drop-ins."""
    path, directory = path_for(Path("/"), family), directory_for(Path("/"), family)
    try:
        names = sorted((name for name in list_names(below(root, str(directory))) if _is_meant(name)), key=encode)
    except OSError:
        names = []
    return [path, directory, *(directory / name for name in names if len(names) <= MOST)]


def identify(root: Path, family: Family) -> str:
    """Return what changes when any of them does, on one line: the `files.identity` of all that are there, or "-"."""
    found = (identity(below(root, str(path))) for path in watched(root, family))
    return " ".join(each for each in found if each != "-") or "-"


def _is_meant(name: str) -> bool:
    """Tell whether a shell's *.conf finds that name."""
    return name.endswith(SUFFIX) and not name.startswith(".")
