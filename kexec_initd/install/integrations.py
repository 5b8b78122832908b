"""Which record of the layout a host gets, by its init system first: none is chosen where nothing would call ours."""

from typing import List

from kexec_initd.errors import Refused
from kexec_initd.install import openrc
from kexec_initd.install.layout import (
    DEBIAN_SYSTEMD,
    DEBIAN_SYSTEMD_DIR,
    DEBIAN_SYSVINIT,
    SYSTEMD,
    SYSTEMD_DIR,
    Block,
    Integration,
    Purpose,
)
from kexec_initd.install.rhel_halt import require_integration
from kexec_initd.system.files import exists
from kexec_initd.system.host import HOOKED, Family, Host, InitSystem
from kexec_initd.system.safe_path import locate

HINTS = {
    InitSystem.SYSTEMD: "under systemd it needs systemd-shutdown, which calls it, in {} ({} on Debian)".format(
        SYSTEMD_DIR, DEBIAN_SYSTEMD_DIR
    ),
}
ELSEWHERE = (
    "it can be installed where SysV scripts end a reboot, on Debian and RHEL; runit executes what is loaded by itself"
)


def find_integration(host: Host) -> Integration:
    """Return the record for this host. Raises Refused for a family, an init system or a halt that has none."""
    if host.init is InitSystem.SYSTEMD and exists(locate(host.root, find_systemd(host) + "/systemd-shutdown")):
        return find_systemd_integration(host)
    if host.init is InitSystem.OPENRC:
        return openrc.require_integration(host)
    if host.init in HOOKED:
        if host.family is Family.DEBIAN:
            return DEBIAN_SYSVINIT
        if host.family is Family.RHEL:
            return require_integration(host)
    raise Refused(
        "this host is {} (family {}) with the init system {}".format(
            host.distribution, host.family.value, host.init.value
        ),
        HINTS.get(host.init, ELSEWHERE),
    )


def find_systemd(host: Host) -> str:
    """Return the directory of systemd's own programs."""
    return DEBIAN_SYSTEMD_DIR if host.family is Family.DEBIAN else SYSTEMD_DIR


def find_systemd_integration(host: Host) -> Integration:
    """Return the record for a host under systemd, whatever its family: the boot loader names what boots."""
    return DEBIAN_SYSTEMD if host.family is Family.DEBIAN else SYSTEMD


def find_blocks(host: Host, record: Integration) -> List[Block]:
    """Return the blocks of `record` that this host's init system has a use for."""
    return [
        block for block in record.blocks if block.purpose is not Purpose.DEAD_MAN or host.init is not InitSystem.UPSTART
    ]
