"""dpkg's records, read from its files: which installed package brings a configuration file, and which paths are diverted.

Their form is in deb-conffiles(5), dpkg-query(1) and dpkg-divert(1). Read without dpkg's programs they can be asked about
another root as well, and cost next to nothing.
"""

import re
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Tuple

from kexec_initd.errors import Refused
from kexec_initd.system.files import read_bytes
from kexec_initd.system.safe_path import below, locate

STATUS = "/var/lib/dpkg/status"
UPDATES = "/var/lib/dpkg/updates"
DIVERSIONS = "/var/lib/dpkg/diversions"
LIMIT = 1 << 27
GONE = (b"not-installed", b"config-files")
PACKAGE = re.compile(rb"^Package: (\S+)$", re.MULTILINE)
STATE = re.compile(rb"^Status: \S+ \S+ (\S+)$", re.MULTILINE)


class Conffile(NamedTuple):
    """The installed package that brings a file, and the MD5 of the file as the package has it."""

    package: str
    md5: str


def has_records(root: Path) -> bool:
    """Tell whether dpkg manages the host below `root`, so that a file which nobody brings is nobody's."""
    return _read(root, STATUS) is not None


def find_conffile(root: Path, path: str) -> Optional[Conffile]:
    """Return which installed package brings the configuration file `path`; None where none does, or does no longer."""
    data = _read_status(root)
    # Behind the digest may stand "obsolete" or "remove-on-upgrade": the package does not bring it any more.
    for line in re.finditer(rb"^ " + re.escape(path.encode()) + rb" (\S+)$", data, re.MULTILINE):
        head = data[data.rfind(b"\n\n", 0, line.start()) + 1 : line.start()]
        package, state = PACKAGE.search(head), STATE.search(head)
        if package and state and state.group(1) not in GONE:
            return Conffile(package.group(1).decode("ascii", "replace"), line.group(1).decode("ascii", "replace"))
    return None


def digest_of(data: bytes) -> str:
    """Return the digest that dpkg keeps of a configuration file."""
    import hashlib

    return hashlib.new("md5", data).hexdigest()


def find_digest(root: Path, path: str) -> Optional[str]:
    """Return the MD5 of the configuration file `path` as a package brought it last, be it dropped since; else None."""
    data = _read_status(root)
    found = re.search(rb"^ " + re.escape(path.encode()) + rb" ([0-9a-f]{32})\b", data, re.MULTILINE)
    return found.group(1).decode("ascii") if found else None


def is_diverted(root: Path, path: str, target: str, package: str) -> bool:
    """Tell whether `package` has diverted `path` to `target`."""
    return (path, target, package) in _parse_diversions(_read(root, DIVERSIONS) or b"")


def _parse_diversions(data: bytes) -> Iterator[Tuple[str, ...]]:
    """Return each diversion: the path, where dpkg writes it, the package that wanted it (":" for the admin)."""
    lines: List[str] = data.decode("utf-8", "surrogateescape").split("\n")
    return zip(lines[0::3], lines[1::3], lines[2::3])


def _read_status(root: Path) -> bytes:
    """Return the stanzas of all packages as they are now: while dpkg runs, as for a trigger, newer ones lie beside."""
    data = _read(root, STATUS) or b""
    for place in sorted(below(root, UPDATES).glob("[0-9]*")):
        update = _read(root, "{}/{}".format(UPDATES, place.name)) or b""
        package = PACKAGE.search(update)
        if package:
            older = re.compile(rb"^" + re.escape(package.group(0)) + rb"\n.*?(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)
            data = older.sub(b"", data).rstrip(b"\n") + b"\n\n" + update.rstrip(b"\n") + b"\n\n"
    return data


def _read(root: Path, path: str) -> Optional[bytes]:
    try:
        return read_bytes(locate(root, path, follow=True), LIMIT)
    except (Refused, OSError):
        return None
