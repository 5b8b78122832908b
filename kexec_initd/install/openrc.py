"""OpenRC: by which of its two ways a host reboots. Debian's rc ends in /etc/init.d/reboot, others in init(8) itself."""

from kexec_initd.errors import Refused
from kexec_initd.install.layout import DEBIAN_OPENRC, OPENRC, Integration
from kexec_initd.system.files import exists
from kexec_initd.system.host import Family, Host, is_openrc_alone
from kexec_initd.system.safe_path import below

RUN = "sbin/openrc-run"


def require_integration(host: Host) -> Integration:
    """Return the record for a host of OpenRC's that is there to be looked at. Raises Refused for one that is too old, too."""
    record = find_integration(host)
    if record is OPENRC and not exists(below(host.root, RUN)):
        raise Refused(
            "there is no /{}: this OpenRC is older than 0.13".format(RUN),
            "update it; our services are written for that",
        )
    return record


def find_integration(host: Host) -> Integration:
    """Return the record for a host of OpenRC's. Raises Refused for one that has none."""
    if host.family is Family.DEBIAN and not is_openrc_alone(host.root):
        return DEBIAN_OPENRC
    if host.family is Family.GENTOO:
        return OPENRC
    raise Refused(
        "this host is {} (family {}) with OpenRC".format(host.distribution, host.family.value),
        "there it can be installed on Debian with sysvinit, on Gentoo and on Artix; busybox's init, which Alpine has, calls "
        "it alike for a reboot and a poweroff",
    )
