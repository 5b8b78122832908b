"""Why nothing may be loaded before a shutdown under an old systemd: it then refuses every reboot that is asked for in advance.

With a kernel loaded, `shutdown -r` asks logind for a kexec at that time, a word that it takes from 249 on
(method_schedule_shutdown in src/login/logind-dbus.c): before, `shutdown -r +5` and Ansible's `shutdown -r 0 MESSAGE` do nothing.
"""

import re
from pathlib import Path
from typing import Optional

from kexec_initd.errors import Error
from kexec_initd.system import process
from kexec_initd.system.host import Host, InitSystem

FIRST = 249
TIMEOUT = 10.0
VERSION = re.compile(r"systemd ([0-9]+)")


def find_refusal(host: Host) -> Optional[str]:
    """Say why a kernel must not be loaded before the shutdown; None where it may."""
    if host.init is not InitSystem.SYSTEMD:
        return None
    version = find_version(host.root)
    if version is not None and version >= FIRST:
        return None
    name = "systemd, whose version is unknown," if version is None else "systemd {}".format(version)
    return "with a kernel loaded, {} may refuse `shutdown -r +5`".format(name)


def find_version(root: Path) -> Optional[int]:
    """Return the version of systemd, as systemctl(1) tells it; None for unknown."""
    try:
        said = process.run([str(process.require(root, "systemctl")), "--version"], TIMEOUT)
    except Error:
        return None
    found = VERSION.match(said)
    return int(found.group(1)) if found else None
