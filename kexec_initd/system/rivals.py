"""Units of others that load a kernel while systemd stops the machine: it would come over the one that we have checked.

kexec.target wants that of Arch's wiki (kexec-load@KERNEL.service), of SUSE (kexec-load.service) and of NixOS
(prepare-kexec.service). What wants them, and where, is for others to change: systemd.unit(5). Scripts in /etc/init.d are units
too, by systemd-sysv-generator(8), as Debian's kexec-load is.

Generators make their directories anew with each `systemctl daemon-reload`, so that these would be others whatever is in them: of
them the stamp has the units that were looked at, and the early step looks for others (templates/systemd/generated.sh).
"""

import os
import re
from pathlib import Path
from typing import Iterator, List, Optional, Sequence

from kexec_initd.system.files import read_bytes
from kexec_initd.system.host import MARK, Host, InitSystem
from kexec_initd.system.safe_path import below, real

ADMINS = "etc/systemd/system"
PLACES = (ADMINS, "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
GENERATED = ("run/systemd/generator.early", "run/systemd/generator", "run/systemd/generator.late")
LOOKED_AT = "= {}"  # a line of the stamp
LIMIT = 65536
WANTING = re.compile(r".+\.(wants|requires|upholds)")
LOADING = re.compile(r"(?!kexec-initd\.|kexec-initd-load@|systemd-kexec\.).*kexec.*\.service")


def find_rival(host: Host) -> Optional[str]:
    """Say which unit loads a kernel of its own, and what to do; None where none does."""
    if host.init is not InitSystem.SYSTEMD:
        return None
    for unit in _find_loading(host.root, PLACES + GENERATED):
        if not _is_masked(host.root, unit.name) and not _is_set_aside(host.root, unit.name):
            return "the unit {0} loads a kernel of its own; `systemctl disable {0}` ends that".format(unit.name)
    return None


def watched(host: Host) -> List[Path]:
    """Return the directories, as the host sees them, whose change may bring such a unit."""
    if host.init is not InitSystem.SYSTEMD:
        return []
    return [Path("/", path.relative_to(host.root)) for path in (host.root / ADMINS, *_find_wanting(host.root, PLACES))]


def list_generated(host: Host) -> List[str]:
    """Return the stamp's lines of generators' units that were looked at."""
    if host.init is not InitSystem.SYSTEMD:
        return []
    units = _find_loading(host.root, GENERATED)
    return [LOOKED_AT.format(Path("/", unit.relative_to(host.root))) for unit in units]


def _find_loading(root: Path, places: Sequence[str]) -> Iterator[Path]:
    """Yield what some target wants of others' units that may load a kernel."""
    for directory in _find_wanting(root, places):
        yield from (directory / name for name in _names(directory) if LOADING.fullmatch(name))


def _find_wanting(root: Path, places: Sequence[str]) -> Iterator[Path]:
    # Where /lib leads to /usr/lib, both are one.
    for place in dict.fromkeys(str(real(root, "/" + place)) for place in places):
        directory = root / place[1:]
        yield from (directory / name for name in _names(directory) if WANTING.fullmatch(name))


def _names(directory: Path) -> List[str]:
    try:
        return sorted(os.listdir(str(directory)))
    except OSError:
        return []


def _is_masked(root: Path, name: str) -> bool:
    place = below(root, ADMINS + "/" + name, follow=False)
    return place.is_symlink() and os.readlink(str(place)) == "/dev/null"


def _is_set_aside(root: Path, name: str) -> bool:
    """Tell whether the unit is a script in whose place is one of ours, which does nothing."""
    script = below(root, "etc/init.d/" + name.rpartition(".")[0])
    return MARK in (read_bytes(script, LIMIT) or b"")
