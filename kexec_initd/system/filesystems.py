"""What is mounted, and what of it a kexec must not leave writable: everything but the types that are known to be harmless.

/proc/mounts (proc(5)) has a row for each, its words parted by single spaces; what would end a word is written as a backslash
and three octal digits. Any other byte may be part of a name. Plain shell has the same tables (templates/common/mounts.sh).
"""

import os
import re
from typing import List, NamedTuple, Optional

from kexec_initd.errors import Error

# The file systems that the kernel makes up, with nothing behind them that could be left unclean: those that need no device
# (/proc/filesystems) and can be mounted, older names included.
PSEUDO = (
    "autofs", "binder", "binfmt_misc", "bpf", "capifs", "cgroup", "cgroup2", "configfs", "cpuset", "debugfs", "devfs", "devpts",
    "devtmpfs", "efivarfs", "functionfs", "fusectl", "gadgetfs", "hugetlbfs", "ibmasmfs", "ipathfs", "mqueue", "nfsd", "nsfs",
    "openpromfs", "oprofilefs", "pidfs", "proc", "pstore", "ramfs", "resctrl", "rootfs", "rpc_pipefs", "securityfs", "selinuxfs",
    "smackfs", "spufs", "sysfs", "tmpfs", "tracefs", "usbdevfs", "usbfs", "xenfs",
)  # fmt: skip
# Those that a server, the host of a guest or a process keeps, wherever its disk is.
REMOTE = (
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse", "hostfs", "lustre", "ncpfs", "nfs", "nfs4", "orangefs", "pvfs2",
    "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
)  # fmt: skip
ESCAPE = re.compile(rb"\\([0-7]{3})")


class Unreadable(Error):
    """Nobody can tell what is mounted."""


class Mount(NamedTuple):
    """One row, as it is written; a row that is cut has empty words."""

    source: bytes
    where: bytes
    kind: str
    options: bytes

    def __str__(self) -> str:
        return "{} on {}".format(os.fsdecode(self.source), os.fsdecode(self.where))

    @property
    def path(self) -> str:
        """Where it is mounted."""
        return os.fsdecode(ESCAPE.sub(lambda match: bytes([int(match.group(1), 8) & 0xFF]), self.where))

    @property
    def is_remote(self) -> bool:
        """Whether it is that of a server or a process, and on no disk of this machine."""
        served = self.kind in REMOTE or self.kind.startswith("fuse.")
        return served and not self.source.startswith(b"/dev/")

    @property
    def is_writable_disk(self) -> bool:
        """Whether it is writable, and not known to leave nothing unclean; the kernel writes rw or ro first."""
        return self.options.split(b",")[0] != b"ro" and self.kind not in PSEUDO and not self.is_remote


def parse_mounts(data: Optional[bytes]) -> List[Mount]:
    """Return what is mounted, in order. Raises Unreadable where there is no list, or none with a root file system."""
    rows = [(row.split(b" ") + [b""] * 4)[:4] for row in (data or b"").split(b"\n") if row]
    mounts = [Mount(source, where, os.fsdecode(kind), options) for source, where, kind, options in rows]
    if not any(mount.where == b"/" for mount in mounts):
        raise Unreadable("/proc/mounts cannot be read")
    return mounts
