"""What is installed where, one record for each family and init system. Data only, no behaviour.

Paths are those that the host itself sees, whatever root it is found under. Sources: Debian Policy 9.3 (init
scripts), insserv(8) (LSB headers and links), the packages initscripts and kexec-tools.
"""

import enum
from typing import Dict, NamedTuple, Tuple

from kexec_initd.host import Family, InitSystem

NAME = "kexec-initd"
CONFIG_DIR = "/etc/kexec-initd"
ORIGINALS_DIR = CONFIG_DIR + "/originals"
STAGING_DIR = CONFIG_DIR + "/staging"
STATE_DIR = "/var/lib/kexec-initd"
BACKUP_DIR = "/var/backups/kexec-initd"
PYTHON = "/usr/bin/python3"
MARK = b"\n# Written by kexec-initd"


class Presence(enum.Enum):
    """What it means when the host has no script of that path."""

    REQUIRED = "required"
    REPLACED_IF_THERE = "replaced if there"
    OURS = "ours"


class Script(NamedTuple):
    """One init script of ours: its path, the template that makes it, and the LSB header where the host's own is unusable."""

    path: str
    template: str
    presence: Presence
    default_header: str = ""


class Integration(NamedTuple):
    """All that one family under one init system gets. `links` stand in for update-rc.d where that cannot run."""

    scripts: Tuple[Script, ...]
    rc_local: str
    rc_local_template: str
    service: str
    links: Tuple[Tuple[str, str], ...]


def _header(provides: str, start: str, stop: str, default_start: str, extra: str, what: str) -> str:
    """Lay out an LSB header as insserv(8) reads it."""
    lines = (
        "### BEGIN INIT INFO",
        "# Provides:          " + provides,
        "# Required-Start:    " + start,
        "# Required-Stop:     " + stop,
        extra,
        "# Default-Start:     " + default_start,
        "# Default-Stop:      6",
        "# Short-Description: " + what,
        "### END INIT INFO",
    )
    return "".join(line.rstrip() + "\n" for line in lines if line)


REBOOT_HEADER = _header("reboot", "", "", "", "", "Execute the reboot command.")
KEXEC_HEADER = _header(
    "kexec", "", "reboot", "2 3 4 5", "# X-Stop-After:      umountroot", "Execute the kexec -e command to reboot system"
)
KEXEC_LOAD_HEADER = _header(
    "kexec-load",
    "$local_fs $remote_fs kexec",
    "$local_fs $remote_fs kexec",
    "2 3 4 5",
    "# Should-Stop:       autofs",
    "Load kernel image with kexec",
)

# The distribution's reboot comes last in place: until then a reboot is the distribution's own, cold.
DEBIAN_SYSVINIT = Integration(
    scripts=(
        Script("/etc/init.d/kexec-initd", "debian/kexec-initd", Presence.OURS),
        Script("/etc/init.d/kexec", "debian/set-aside", Presence.REPLACED_IF_THERE, KEXEC_HEADER),
        Script("/etc/init.d/kexec-load", "debian/set-aside", Presence.REPLACED_IF_THERE, KEXEC_LOAD_HEADER),
        Script("/etc/init.d/reboot", "debian/reboot", Presence.REQUIRED, REBOOT_HEADER),
    ),
    rc_local="/etc/rc.local",
    rc_local_template="common/rc.local",
    service=NAME,
    links=(("/etc/rc6.d/K01kexec-initd", "../init.d/kexec-initd"),),
)

INTEGRATIONS: Dict[Tuple[Family, InitSystem], Integration] = {
    (Family.DEBIAN, InitSystem.SYSVINIT): DEBIAN_SYSVINIT,
}
