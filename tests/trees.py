"""Host trees for the tests of the installer, and what a tree must be compared by."""

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import struct
from pathlib import Path
from typing import Dict, Iterator, Mapping, Tuple

import pytest

from kexec_initd.install.apply import execute
from kexec_initd.install.plan_install import plan_install
from kexec_initd.install.plan_uninstall import plan_uninstall
from kexec_initd.install.steps import describe
from kexec_initd.system.host import gather

FS_IOC_SETFLAGS = 0x40086602  # linux/fs.h
IMMUTABLE = 0x10

REBOOT = """#! /bin/sh
### BEGIN INIT INFO
# Provides:          reboot
# Required-Start:
# Required-Stop:
# Default-Start:
# Default-Stop:      6
# Short-Description: Execute the reboot command.
# Description:
### END INIT INFO

echo the reboot of the distribution
"""
KEXEC = """#! /bin/sh
### BEGIN INIT INFO
# Provides:\t\tkexec
# Required-Start:
# Required-Stop:   \treboot
# X-Stop-After:\t\tumountroot
# Default-Start:\t2 3 4 5
# Default-Stop:\t\t6
# Short-Description: Start a loaded kernel
### END INIT INFO

echo the kexec of the distribution
"""
KEXEC_LOAD = KEXEC.replace("kexec\n", "kexec-load\n", 1)
RC_LOCAL = "#!/bin/sh -e\n#\n# rc.local\n\nfoo || :\n\nexit 0\n"
INITTAB = "# The default runlevel.\nid:2:initdefault:\n\nl6:6:wait:/etc/init.d/rc 6\nz6:6:respawn:/sbin/sulogin\n"
OS_RELEASE = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'


def make_tree(root: Path) -> Path:
    """Make a small Debian 12 under SysV init with kexec-tools' scripts below `root`, and return `root`."""
    files = {
        "etc/os-release": (OS_RELEASE, 0o644),
        "etc/inittab": (INITTAB, 0o644),
        "sbin/init": ("", 0o755),
        "etc/init.d/reboot": (REBOOT, 0o755),
        "etc/init.d/kexec": (KEXEC, 0o755),
        "etc/init.d/kexec-load": (KEXEC_LOAD, 0o755),
        "etc/rc.local": (RC_LOCAL, 0o755),
    }
    for directory in ("etc/rc6.d", "var/lib", "var/backups", "run"):
        (root / directory).mkdir(parents=True, mode=0o755)
    for name, (text, mode) in files.items():
        put(root / name, text.encode(), mode)
    for directory_path in root.rglob("*"):
        if directory_path.is_dir():
            directory_path.chmod(0o755)
    (root / "etc/rc6.d/K08reboot").symlink_to("../init.d/reboot")
    return root


def install(root: Path) -> str:
    """Hook the host below `root`, and return what the plan says."""
    plan = plan_install(gather(root))
    execute(plan)
    return describe(plan)


def uninstall(root: Path) -> str:
    """Restore the host below `root` as it was, and return what the plan says."""
    plan = plan_uninstall(gather(root))
    execute(plan)
    return describe(plan)


def put(path: Path, data: bytes, mode: int = 0o755) -> None:
    """Write a file with its mode and a time stamp of long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    os.utime(str(path), (1000000000, 1000000000))


def dpkg_status(root: Path, packages: Mapping[str, Tuple[str, Mapping[str, bytes]]], flag: str = "") -> None:
    """Write dpkg's status file: each package with its state and the content of its conffiles, which may have a flag."""
    lines = []
    for name, (state, conffiles) in packages.items():
        lines += ["Package: " + name, "Status: install ok " + state, "Version: 1", "Conffiles:"]
        lines += [" {} {}{}".format(path, hashlib.md5(data).hexdigest(), flag) for path, data in conffiles.items()]
        lines += ["Description: some package", " that says nothing of /etc/init.d/reboot 0", ""]
    put(root / "var/lib/dpkg/status", ("\n".join(lines) + "\n").encode(), 0o644)


@contextlib.contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Let nothing change the file at `path` for a while, as chattr +i does."""
    fd = os.open(str(path), os.O_RDONLY)
    try:
        try:
            fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("l", IMMUTABLE))
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTTY, errno.EOPNOTSUPP):
                raise
            pytest.skip("this file system or user has no immutable flag")
        try:
            yield
        finally:
            fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("l", 0))
    finally:
        os.close(fd)


def snapshot(root: Path, times: bool = True) -> Dict[str, str]:
    """Return what stands for each path below `root`: type, mode, owner, times of files, content or link target."""
    found = {}
    for path in sorted(root.rglob("*")):
        state = path.lstat()
        facts = [stat.filemode(state.st_mode), str(state.st_uid), str(state.st_gid)]
        if path.is_symlink():
            facts.append(os.readlink(str(path)))
        elif path.is_file():
            facts.append(str(state.st_mtime_ns) if times else "")
            facts.append(hashlib.sha256(path.read_bytes()).hexdigest())
        found[str(path.relative_to(root))] = " ".join(facts)
    return found
