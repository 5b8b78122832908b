"""Which files are installed where, one record for each family and init system. Data only, no behaviour.

Paths are those that the host itself sees, whatever root it is found under. Sources: Debian Policy 9.3 (init
scripts), insserv(8) (LSB headers and links), the packages initscripts and kexec-tools of Debian and of RHEL.
"""

import enum
import re
from typing import NamedTuple, Tuple

from kexec_initd.state.store import LASTING, ORIGINALS
from kexec_initd.system.host import OPENRC_LAST, OPENRC_OFF, SYSTEMD_UNIT

NAME = "kexec-initd"
CONFIG_DIR = "/etc/kexec-initd"
ORIGINALS_DIR = ORIGINALS
STAGING_DIR = CONFIG_DIR + "/staging"
STATE_DIR = LASTING
BACKUP_DIR = "/var/backups/kexec-initd"
PYTHON = "/usr/bin/python3"
PACKAGE = "/usr/lib/python3/dist-packages/kexec_initd"  # of the .deb; the last step of the .rpm is plain shell
LAUNCHER = "/usr/sbin/kexec-initd"
HALT = "/etc/rc.d/init.d/halt"
INITTAB = "/etc/inittab"
FINAL_EXEC = re.compile(rb"\s*exec\s+\"?\$\{?command\b.*")
UNIT_SUFFIX = ".service"
OPENRC_TEMPLATE = "openrc/kexec-initd"
OPENRC_RUN = b"#!/sbin/openrc-run\n"


class Presence(enum.Enum):
    """The meaning of a host without a script of that path."""

    REQUIRED = "required"
    REPLACED_IF_THERE = "replaced if there"
    WRAPPED = "replaced if there, else made; the host's own is called by ours"
    OURS = "ours"


class OwnScript(NamedTuple):
    """One script of ours, or a unit: its path, the template that makes it, and the LSB header where the host's own is unusable.

    Where `caller` is given, a script of the host, ours is left out unless that names the directory of ours.
    """

    path: str
    template: str
    presence: Presence
    default_header: str = ""
    caller: str = ""
    mode: int = 0o755

    @property
    def is_started(self) -> bool:
        """Say whether only what runs is called in a shutdown: a unit of systemd's, a service of OpenRC's in `default`."""
        return is_started_unit(self.path) or self.template == OPENRC_TEMPLATE


def is_started_unit(path: str) -> bool:
    """Tell whether it is a unit that runs on each host; one with an @ is a template, of which the admin starts what he names."""
    return path.endswith(UNIT_SUFFIX) and "@" not in path


class Purpose(enum.Enum):
    """The purpose of a block, which tells where in its file it belongs. The words are those of the standalone list."""

    PRELOAD = "preload"  # before the first command of a script, or in a new one
    DEAD_MAN = "dead-man"  # before the first entry of /etc/inittab that init waits for in runlevel 6
    JUMP = "last"  # before the last command of a script


class Block(NamedTuple):
    """Lines of ours in a file of the host. But for the jump it is left out of a file that is not fit: with what `loss`?"""

    path: str
    template: str
    purpose: Purpose
    loss: str = ""

    @property
    def optional(self) -> bool:
        """Say whether a reboot through kexec is possible without."""
        return self.purpose is not Purpose.JUMP


class Integration(NamedTuple):
    """All that one family under one init system gets.

    With `debian_tools` dpkg-divert and, of a `service`, update-rc.d have their say on the running host, else `links` are made by
    hand.
    """

    scripts: Tuple[OwnScript, ...]
    blocks: Tuple[Block, ...]
    service: str
    links: Tuple[Tuple[str, str], ...]
    debian_tools: bool


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


def _hooks(directories: Tuple[str, ...], caller: str = "") -> Tuple[OwnScript, ...]:
    """Return the hooks that make a stamp stale. run-parts(8) takes their name, and sorts it after zz-update-grub."""
    return tuple(
        OwnScript(directory + "/zzz-kexec-initd", "common/kernel-changed", Presence.OURS, caller=caller)
        for directory in directories
    )


# The maintainer scripts of kernel packages run the first two (Debian Linux Kernel Handbook, "Kernel hooks"), and
# update-initramfs of initramfs-tools the third after it has written an initramfs (its function run_bootloader).
DEBIAN_HOOKS = _hooks(("/etc/kernel/postinst.d", "/etc/kernel/postrm.d", "/etc/initramfs/post-update.d"))
# grubby's new-kernel-pkg, which RHEL 6 and Amazon Linux 1 have, runs the first when a kernel is installed and all else is
# done (--rpmposttrans), and the second before it takes a kernel out of the loader's configuration (--remove). That
# of mkinitrd, which RHEL 4 and 5 came with, runs nothing. mkinitrd and dracut themselves never do.
RHEL_HOOKS = _hooks(("/etc/kernel/postinst.d", "/etc/kernel/prerm.d"), "/sbin/new-kernel-pkg")

# Only sysvinit reads that file.
DEAD_MAN = Block(INITTAB, "common/inittab", Purpose.DEAD_MAN, "no dead-man before rc calls our script")
NO_PRELOAD = "no preload at boot"

DEBIAN_SET_ASIDE = (
    OwnScript("/etc/init.d/kexec", "debian/set-aside", Presence.REPLACED_IF_THERE, KEXEC_HEADER),
    OwnScript("/etc/init.d/kexec-load", "debian/set-aside", Presence.REPLACED_IF_THERE, KEXEC_LOAD_HEADER),
)

# The distribution's reboot comes last in place: until then a reboot is the distribution's own, cold.
DEBIAN_SYSVINIT = Integration(
    scripts=(
        OwnScript("/etc/init.d/kexec-initd", "debian/kexec-initd", Presence.OURS),
        *DEBIAN_HOOKS,
        *DEBIAN_SET_ASIDE,
        OwnScript("/etc/init.d/reboot", "debian/reboot", Presence.REQUIRED, REBOOT_HEADER),
    ),
    blocks=(Block("/etc/rc.local", "common/rc.local", Purpose.PRELOAD, NO_PRELOAD), DEAD_MAN),
    service=NAME,
    links=(("/etc/rc6.d/K01kexec-initd", "../init.d/kexec-initd"),),
    debian_tools=True,
)

# The directory in which systemd was built: in Debian's /lib leads to /usr/lib where that is the place.
DEBIAN_SYSTEMD_DIR, SYSTEMD_DIR = "/lib/systemd", "/usr/lib/systemd"
SYSTEMD_PROGRAM = "/system-shutdown/kexec-initd"
LOAD_UNIT = "/etc/systemd/system/kexec-initd-load@.service"


def _systemd(directory: str, others: Tuple[OwnScript, ...], debian_tools: bool) -> Integration:
    """Return what a host under systemd gets: systemd-shutdown(8) runs what is in a directory beside it."""
    unit = OwnScript("/" + SYSTEMD_UNIT, "systemd/kexec-initd.service", Presence.OURS, mode=0o644)
    load = OwnScript(LOAD_UNIT, "systemd/kexec-initd-load@.service", Presence.OURS, mode=0o644)
    return Integration(
        scripts=(OwnScript(directory + SYSTEMD_PROGRAM, "systemd/kexec-initd", Presence.OURS), *others, load, unit),
        blocks=(),
        service="",
        links=(("/etc/systemd/system/multi-user.target.wants/kexec-initd.service", unit.path),),
        debian_tools=debian_tools,
    )


# The scripts of Debian's kexec-tools execute what is loaded when systemd stops them, at a poweroff, too, with all file systems
# mounted.
DEBIAN_SYSTEMD = _systemd(DEBIAN_SYSTEMD_DIR, (*DEBIAN_HOOKS, *DEBIAN_SET_ASIDE), debian_tools=True)

# update-rc.d(8) adds the script to OpenRC's runlevel `off`, too, whose services Debian's rc has stopped once the others are.
DEBIAN_OPENRC = DEBIAN_SYSVINIT._replace(
    links=(*DEBIAN_SYSVINIT.links, ("/" + OPENRC_OFF, "/etc/init.d/kexec-initd")),
)

# OpenRC takes no name for a service that ends in .sh. The service `kexec` of Gentoo's kexec-tools loads a kernel of its own.
OPENRC_SERVICE = "/etc/init.d/kexec-initd"
OPENRC = Integration(
    scripts=(
        OwnScript(OPENRC_SERVICE + ".sh", "openrc/kexec-initd.sh", Presence.OURS),
        OwnScript("/etc/init.d/kexec", "openrc/set-aside", Presence.REPLACED_IF_THERE),
        OwnScript(OPENRC_SERVICE + "-last", "openrc/kexec-initd-last", Presence.OURS),
        OwnScript(OPENRC_SERVICE, OPENRC_TEMPLATE, Presence.OURS),
    ),
    blocks=(),
    service="",
    links=(
        ("/" + OPENRC_LAST, OPENRC_SERVICE + "-last"),
        ("/etc/runlevels/default/kexec-initd", OPENRC_SERVICE),
    ),
    debian_tools=False,
)

RHEL_SCRIPT = OwnScript("/etc/rc.d/init.d/kexec-initd", "rhel/kexec-initd", Presence.OURS)
RHEL_PRELOAD = Block("/etc/rc.d/rc.local", "common/rc.local", Purpose.PRELOAD, NO_PRELOAD)
RHEL_LINKS = tuple(
    ("/etc/rc.d/rc{}.d/{}kexec-initd".format(level, place), "../init.d/kexec-initd")
    for level, place in (("0", "K01"), ("2", "S99"), ("3", "S99"), ("4", "S99"), ("5", "S99"), ("6", "K01"))
)

RHEL_HALT_EXECUTES = Integration(
    scripts=(RHEL_SCRIPT, *RHEL_HOOKS, OwnScript("/sbin/halt.local", "rhel/halt.local", Presence.WRAPPED)),
    blocks=(RHEL_PRELOAD, DEAD_MAN),
    service=NAME,
    links=RHEL_LINKS,
    debian_tools=False,
)
RHEL_HALT_WITHOUT_KEXEC = Integration(
    scripts=(RHEL_SCRIPT, *RHEL_HOOKS),
    blocks=(Block(HALT, "rhel/halt", Purpose.JUMP), RHEL_PRELOAD, DEAD_MAN),
    service=NAME,
    links=RHEL_LINKS,
    debian_tools=False,
)

# RHEL from 7 on, Fedora, SUSE, Arch and whoever else has systemd. RHEL 7 has new-kernel-pkg; of later ones the .rpm brings a
# plug-in for kernel-install(8).
SYSTEMD = _systemd(SYSTEMD_DIR, RHEL_HOOKS, debian_tools=False)

INTEGRATIONS = (
    *(DEBIAN_SYSVINIT, DEBIAN_OPENRC, DEBIAN_SYSTEMD, OPENRC),
    *(RHEL_HALT_EXECUTES, RHEL_HALT_WITHOUT_KEXEC, SYSTEMD),
)
