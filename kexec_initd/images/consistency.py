"""Do a kernel, the name of its file, its modules and its initrd belong together?

Each may be whole and the machine still come up without disks or network: a kernel loads modules of its own release only.
"""

import re
from pathlib import Path
from typing import FrozenSet, Optional

from kexec_initd import sentences
from kexec_initd.errors import Refused
from kexec_initd.system.files import exists, read_text
from kexec_initd.system.safe_path import below

MODULES = ("lib/modules", "usr/lib/modules")
TABLES = ("modules.dep", "modules.dep.bin")

_RELEASE = re.compile(r"[0-9]+\.[0-9]")
_NAMED = re.compile(r"(?:vmlinu[xz]|kernel|[bz]?Image)-([0-9]+\.[0-9].*)\Z", re.DOTALL)
# What installers append to the name of a kernel that they keep or have signed.
_SUFFIXES = ("", ".old", ".efi", ".signed", ".efi.signed")


def named_release(path: Path) -> Optional[str]:
    """Return the release in the name of a kernel's file, or in that of its directory; None where neither has one.

    So are they installed: /boot/vmlinuz-RELEASE, /boot/MACHINE-ID/RELEASE/linux, /usr/lib/modules/RELEASE/vmlinuz.
    """
    found = _NAMED.match(path.name)
    if found:
        return found.group(1)
    return path.parent.name if _RELEASE.match(path.parent.name) else None


def check_name(path: Path, release: str) -> None:
    """Raise Refused where the file is named for another release than the kernel in it has."""
    named = named_release(path)
    if named is not None and named not in [release + suffix for suffix in _SUFFIXES]:
        raise Refused(sentences.MISNAMED.format(release, named))


def check_modules(root: Path, release: str, running: Optional[str]) -> None:
    """Raise Refused where the modules of the kernel `release` are not installed.

    None are asked for where the kernel's configuration says that it takes none, and where the `running` kernel has none
    either: there the host does without, or keeps them elsewhere.
    """
    if _has_modules(root, release) or _takes_no_modules(root, release):
        return
    if running is None or _has_modules(root, running):
        where = "/{}/{}".format(MODULES[0], release)
        raise Refused("the modules of kernel {} are missing: {} has no {}".format(release, where, TABLES[0]))


def check_initrd_release(found: FrozenSet[str], release: str) -> None:
    """Raise Refused where an initrd holds modules, of the kernel releases `found`, but none of the kernel `release`."""
    if found and release not in found:
        raise Refused(sentences.FOREIGN_MODULES.format(", ".join(sorted(found)), release))


def _has_modules(root: Path, release: str) -> bool:
    return any(
        exists(below(root, "{}/{}/{}".format(directory, release, table))) for directory in MODULES for table in TABLES
    )


def _takes_no_modules(root: Path, release: str) -> bool:
    text = read_text(below(root, "boot/config-{}".format(release)), limit=1 << 20)
    return text is not None and "CONFIG_MODULES=y" not in text.splitlines()
