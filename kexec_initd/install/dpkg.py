"""dpkg's view of a path: diversions (dpkg-divert(1)) and overrides (dpkg-statoverride(1)), on the running host only.

Diverted files are moved by us: with `--rename` dpkg-divert leaves no file at all for a moment.
"""

import re
from pathlib import Path
from typing import NamedTuple, Optional

from kexec_initd.errors import Refused
from kexec_initd.install.layout import NAME
from kexec_initd.system import process

TIMEOUT = 60.0
LINE = r"(?P<local>local )?diversion of (?P<path>.+) to (?P<target>.+?)(?: by (?P<package>\S+))?\n?"


class Diversion(NamedTuple):
    """A path that dpkg writes elsewhere. `package` is None for a local diversion, the admin's own."""

    target: str
    package: Optional[str]


def find_tool(root: Path) -> Optional[Path]:
    """Return dpkg-divert where `root` is the running host and dpkg manages it, else None."""
    if root != Path("/") or not Path("/var/lib/dpkg/status").exists():
        return None
    return process.find(root, "dpkg-divert")


def find_diversion(tool: Path, path: str) -> Optional[Diversion]:
    """Return the diversion of `path`, or None."""
    said = process.run([str(tool), "--list", path], TIMEOUT)
    for line in said.splitlines():
        match = re.fullmatch(LINE, line)
        if match and match.group("path") == path:
            return Diversion(match.group("target"), match.group("package"))
    return None


def is_ours(found: Optional[Diversion]) -> bool:
    """Say whether this is a diversion that we made."""
    return found is not None and found.package == NAME


def check_free(tool: Path, path: str, target: str) -> bool:
    """Return whether `path` is already diverted by us to `target`. Raises Refused where another has a say in it."""
    found = find_diversion(tool, path)
    if found is not None and (found.package != NAME or found.target != target):
        owner = "the package " + found.package if found.package else "a local diversion"
        raise Refused("{} is diverted to {} by {}".format(path, found.target, owner), "remove that diversion first")
    override = tool.parent / "dpkg-statoverride"
    if override.exists() and process.run([str(override), "--list", path], TIMEOUT, ok=(0, 1)).strip():
        raise Refused("{} has a dpkg-statoverride".format(path), "remove it with dpkg-statoverride --remove")
    return found is not None


def divert(tool: Path, path: str, target: str) -> None:
    """Tell dpkg to write `target` instead of `path` from now on; nothing is moved. Done twice it is done once."""
    if not is_ours(find_diversion(tool, path)):
        _call(tool, "--add", "--divert", target, path)


def undivert(tool: Path, path: str) -> None:
    """Take our diversion of `path` back, if there is one; nothing is moved."""
    found = find_diversion(tool, path)
    if found is not None and is_ours(found):
        _call(tool, "--remove", "--divert", found.target, path)


def _call(tool: Path, *arguments: str) -> None:
    process.run([str(tool), "--quiet", "--package", NAME, "--no-rename"] + list(arguments), TIMEOUT)
