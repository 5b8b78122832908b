"""Was the preload of this boot called? That needs no reading of /etc/rc.local: the step that is called there leaves a mark.

The mark is the boot's id, and the uptime, in the volatile state (templates/common/early.sh).
"""

import contextlib
import time
from typing import Optional

from kexec_initd.errors import Error, Refused
from kexec_initd.history.running_boot import find_id, read_uptime
from kexec_initd.state import store
from kexec_initd.state.store import Lasting, Volatile
from kexec_initd.system.host import SYSTEMD_UNIT, Family, Host, InitSystem, find_unhooked

# A boot may still be under way: its last script waits for whatever it likes to.
PATIENCE = 600.0


def was_preload_called(host: Host) -> bool:
    """Tell whether the preload was called in the boot that runs."""
    with contextlib.suppress(Error):
        boot = find_id(host)
        mark = store.read(host.root, Volatile.PRELOADED)
        return bool(boot) and mark is not None and mark.decode("ascii", "replace").split()[:1] == [boot]
    return False


def find_missed_preload(host: Host) -> Optional[str]:
    """Say that the preload was not called in this boot although it should have been, and where to look; else None."""
    if find_unhooked(host) is not None or was_preload_called(host):
        return None
    uptime = read_uptime(host.root)
    try:
        since = time.time() - store.modified(host.root, Lasting.MANIFEST)
    except OSError:
        return None
    if uptime < PATIENCE or since < uptime:
        return None
    return "the preload was not called in this boot, so a reboot takes longer: {}".format(_find_cause(host))


def _find_cause(host: Host) -> str:
    """Return what keeps the file that calls the preload from doing so, or that nothing has run it."""
    if host.init is InitSystem.SYSTEMD:
        return "nothing has started /{} (systemctl status kexec-initd)".format(SYSTEMD_UNIT)
    if host.init is InitSystem.OPENRC and host.family is Family.GENTOO:
        return "OpenRC has not started kexec-initd (rc-service kexec-initd status)"
    # With jinja2, for which the decision of a shutdown, which asks none of this, shall not wait.
    from kexec_initd.install.integrations import find_integration
    from kexec_initd.install.layout import Purpose
    from kexec_initd.install.render import find_obstacle

    path = "/etc/rc.local"
    with contextlib.suppress(Refused):
        for block in find_integration(host).blocks:
            if block.purpose is Purpose.PRELOAD:
                path = block.path
                obstacle = find_obstacle(host, block)
                if obstacle:
                    return obstacle
    return "nothing has run {}, or its block is gone (kexec-initd install --dry-run)".format(path)
