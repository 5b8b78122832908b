"""What a reboot waits for in scripts of init: the hardware clock, which is read and written to the full second."""

import re
from typing import Iterator

from kexec_initd.check.findings import Gathered, Origin
from kexec_initd.check.waits import Wait
from kexec_initd.system.sysroot import Tree

# The last K script of a shutdown, and the first S script of a boot.
CLOCK = re.compile(r"[SK][0-9][0-9](?:hwclock\.sh|hwclock|hwclockfirst\.sh|hwclock-save)\Z")
TIME_KEEPERS = re.compile(r"S[0-9][0-9](?:ntp|ntpd|ntpsec|openntpd|chrony|chronyd)\Z")
STOPPING, RUNNING = ("/etc/rc6.d", "/etc/rc.d/rc6.d"), ("/etc/rc2.d", "/etc/rc3.d", "/etc/rc.d/rc3.d")
AT_BOOT = "/sys/class/rtc/rtc0/hctosys"
SECOND = 1.0


def list_clock(gathered: Gathered) -> Iterator[Wait]:
    """Yield the scripts of hwclock(8) where nothing needs them: the kernel reads the clock, and a daemon keeps it."""
    tree = gathered.host.tree
    if (tree.read_text(AT_BOOT) or "").strip() != "1" or not _is_kept(tree):
        return
    for directory in STOPPING:
        for name in tree.names(directory):
            if CLOCK.match(name):
                fact = "{} writes the hardware clock, for which it waits up to a second".format(name)
                advice = "not needed where the kernel sets the time at boot and an NTP daemon keeps it: update-rc.d or chkconfig"
                yield Wait("hwclock", SECOND, fact, Origin("{}/{}".format(directory, name)), advice)


def _is_kept(tree: Tree) -> bool:
    return any(TIME_KEEPERS.match(name) for directory in RUNNING for name in tree.names(directory))
