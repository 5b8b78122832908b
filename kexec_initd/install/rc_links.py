"""The links in /etc/rc?.d that make init run a script: by update-rc.d(8), whose work insserv(8) orders."""

import re
from pathlib import Path
from typing import List

from kexec_initd.install.file_copy import remove
from kexec_initd.system import process
from kexec_initd.system.safe_path import locate

LINK_NAME = r"[SK][0-9]{{2}}{}"
RUNLEVELS = "0123456S"
TIMEOUT = 120.0


def find_links(root: Path, service: str) -> List[Path]:
    """Return the runlevel links of a service, as update-rc.d makes them."""
    pattern = re.compile(LINK_NAME.format(re.escape(service)))
    found: List[Path] = []
    for level in RUNLEVELS:
        directory = locate(root, "/etc/rc{}.d/x".format(level)).parent
        if directory.is_dir():
            found.extend(path for path in sorted(directory.iterdir()) if pattern.fullmatch(path.name))
    return found


def add_links(root: Path, service: str) -> None:
    """Add the links that the script's LSB header asks for; those that are there stay."""
    process.run([str(process.require(root, "update-rc.d")), service, "defaults"], TIMEOUT)


def remove_links(root: Path, service: str) -> None:
    """Remove the links of a script that is gone, also where update-rc.d itself has gone meanwhile."""
    tool = process.find(root, "update-rc.d")
    if tool is not None:
        process.run([str(tool), service, "remove"], TIMEOUT)
    for path in find_links(root, service):
        remove(path)
