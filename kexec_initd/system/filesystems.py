"""The mounted file systems, and which a kexec must not leave writable: all but the types that are known to be harmless.

/proc/mounts (proc(5)) has a row for each, its words parted by single spaces; what would end a word is written as a backslash
and three octal digits. Any other byte may be part of a name. Plain shell has the same tables (templates/common/mounts.sh).
"""

from kexec_initd import sentences
from kexec_initd.errors import Error
from kexec_initd.system.encoding import decode

TYPE_CHECKING = False  # as in typing, whose import takes longer than all that the last step imports
if TYPE_CHECKING:
    from typing import List, Optional

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
OCTAL = frozenset(b"01234567")


class Unreadable(Error):
    """Nobody can tell what is mounted."""


class Mount:
    """One row, as it is written; a row that is cut has empty words."""

    def __init__(self, source: bytes, where: bytes, kind: bytes, options: bytes) -> None:
        self.source = source
        self.where = where
        self.kind = decode(kind)
        self.options = options

    def __str__(self) -> str:
        return "{} on {}".format(decode(self.source), decode(self.where))

    @property
    def path(self) -> str:
        """Where it is mounted."""
        start, *parts = self.where.split(b"\\")
        return decode(start + b"".join(_unescaped(part) for part in parts))

    @property
    def is_remote(self) -> bool:
        """Whether it is that of a server or a process, and on no disk of this machine."""
        served = self.kind in REMOTE or self.kind.startswith("fuse.")
        return served and not self.source.startswith(b"/dev/")

    @property
    def is_writable_disk(self) -> bool:
        """Whether it is writable, and not known to leave nothing unclean; the kernel writes rw or ro first."""
        return self.options.split(b",")[0] != b"ro" and self.kind not in PSEUDO and not self.is_remote


def _unescaped(part: bytes) -> bytes:
    """Return what stands for a backslash and what follows it."""
    digits = part[:3]
    if len(digits) == 3 and OCTAL.issuperset(digits):
        return bytes([int(digits, 8) & 0xFF]) + part[3:]
    return b"\\" + part


def parse_mounts(data: "Optional[bytes]") -> "List[Mount]":
    """Return what is mounted, in order. Raises Unreadable where there is no list, or none with a root file system."""
    mounts = [Mount(*(row.split(b" ") + [b""] * 4)[:4]) for row in (data or b"").split(b"\n") if row]
    if not any(mount.where == b"/" for mount in mounts):
        raise Unreadable(sentences.NO_MOUNTS)
    return mounts
