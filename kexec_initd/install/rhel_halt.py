"""RHEL's /etc/rc.d/init.d/halt, the last script of a shutdown: what does the host's own do?

Not its version decides, but what it contains: from RHEL 5 on it executes a loaded kernel by itself, before that it knows
nothing of kexec. See halt in initscripts.
"""

import re

from kexec_initd.errors import Refused
from kexec_initd.install.file_copy import observe
from kexec_initd.install.layout import FINAL_EXEC, HALT, RHEL_HALT_EXECUTES, RHEL_HALT_WITHOUT_KEXEC, Integration
from kexec_initd.install.managed_block import find_last_command, remove_block
from kexec_initd.install.rc_local import find_unfitness
from kexec_initd.system.host import Host

EXECUTES = rb"(?m)^[^#\n]*kexec\S*\s[^#\n]*-e\b"
CALLS_HALT_LOCAL = rb"(?m)^[^#\n]*/sbin/halt\.local\b"
HINT = "reinstall initscripts, or go on rebooting through firmware on this host"


def require_integration(host: Host) -> Integration:
    """Return the record that fits the host's halt. Raises Refused for an unrecognised one."""
    found = observe(host.root, HALT)
    if found is None:
        raise Refused("{} is missing".format(HALT), "reinstall initscripts")
    unfit = find_unfitness(found.data, found.mode)
    if unfit:
        raise Refused("{} {}".format(HALT, unfit), HINT)
    text = remove_block(found.data)
    if re.search(EXECUTES, text):
        if not re.search(CALLS_HALT_LOCAL, text):
            raise Refused("{} executes a loaded kernel without asking /sbin/halt.local".format(HALT), HINT)
        return RHEL_HALT_EXECUTES
    if find_last_command(text, FINAL_EXEC) is None:
        raise Refused("{} does not end in a plain `exec $command`".format(HALT), HINT)
    return RHEL_HALT_WITHOUT_KEXEC
