"""A host in a directory for the standalone installer: real tools of this machine or busybox, dpkg's and insserv's as fakes.

Everything runs in a chroot; what the installer may change lies below etc, sbin and var, which can be put back quickly.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Dict

from kexec_initd.install.offline import render_for
from kexec_initd.install.standalone import write_standalone
from tests.install.chroot import Done
from tests.scripts.jail import Jail
from tests.trees import make_tree, put, snapshot

TOOLS = (
    *(
        "awk",
        "cat",
        "chmod",
        "chown",
        "cmp",
        "cp",
        "date",
        "diff",
        "dirname",
        "grep",
        "head",
        "id",
        "ln",
        "ls",
        "md5sum",
        "mkdir",
        "mv",
        "od",
    ),
    *("readlink", "rm", "rmdir", "sed", "sort", "stat", "tail", "tr", "uname", "wc"),
)
CHANGING = ("chmod", "cp", "ln", "mkdir", "mv", "rm", "rmdir", "sync", "dpkg-divert", "update-rc.d")
CHANGED = ("etc", "sbin", "var")
DIVERT = """#!/bin/sh
case " $* " in
*" --help "*) echo "  --rename  move the file  --no-rename  do not" ;;
*" --list "*) cat /var/lib/dpkg/diversions 2>/dev/null ;;
*" --no-rename --package kexec-initd --add --divert "*)
    while [ $# -gt 2 ]; do shift; done
    echo "diversion of $2 to $1 by kexec-initd" >>/var/lib/dpkg/diversions
    ;;
*" --no-rename --package kexec-initd --remove --divert "*)
    while [ $# -gt 2 ]; do shift; done
    rest=$(grep -v -x "diversion of $2 to $1 by kexec-initd" /var/lib/dpkg/diversions)
    printf '%s' "${rest:+$rest
}" >/var/lib/dpkg/diversions
    ;;
*) exit 2 ;;
esac
"""
UPDATE_RC_D = """#!/bin/sh
PATH=/real:/bin
case $2 in
defaults) ln -s ../init.d/"$1" /etc/rc6.d/K01"$1" ;;
remove) rm -f /etc/rc6.d/K01"$1" ;;
esac
"""
# Counts the calls of changing programs, and does to the one with the number in /limit what /harm says.
WRAPPER = """#!/bin/sh
read -r count </count
count=$((count + 1))
echo "$count" >/count
read -r limit </limit
read -r harm </harm
if [ "$count" = "$limit" ]; then
    case $harm in
    before) kill -KILL "$PPID" ;;
    after) /real/{0} "$@"; kill -KILL "$PPID" ;;
    fail) echo {0}: No space left on device >&2; exit 1 ;;
    esac
else
    exec /real/{0} "$@"
fi
"""
RHEL_HALT = """#!/bin/bash
case "$0" in *halt) command="/sbin/halt" ;; *reboot) command="/sbin/reboot"; kexec_command="/sbin/kexec" ;; esac
{}
HALTARGS="-d"
exec $command $HALTARGS
"""
NEW_KERNEL_PKG = b"#!/bin/bash\nfor hook in /etc/kernel/postinst.d/* /etc/kernel/prerm.d/*; do $hook $version; done\n"
EXECUTES = """[ -x /sbin/halt.local ] && /sbin/halt.local "$command"
[ -n "$kexec_command" ] && $kexec_command -e -x >& /dev/null"""


class Site:
    """A host of the distribution `target` with the directory that was generated for it in /root/kit."""

    def __init__(self, directory: Path, shell: str, target: str = "debian:12") -> None:
        self.jail = Jail(directory / "host", shell)
        self.root = self.jail.root
        self.pristine = directory / "pristine"
        for tool in TOOLS:
            self.add_tool(tool, shell)
        self.jail.write("bin/sync", "#!/bin/sh\n", 0o755)
        self.jail.write("run/utmp", "")
        (self.make_debian if target.startswith("debian") else self.make_rhel)()
        if target == "rhel:6":
            put(self.root / "etc/init/rcS.conf", b"", 0o644)
            put(self.root / "sbin/new-kernel-pkg", NEW_KERNEL_PKG)
        elif target == "rhel:4":
            put(self.root / "etc/rc.d/init.d/halt", RHEL_HALT.format("# no kexec").encode())
        write_standalone(render_for(target, None, True), self.root / "root/kit")
        self.keep()

    def add_tool(self, tool: str, shell: str) -> None:
        """Provide a tool: the one of busybox where that is the shell, too."""
        place = self.root / "bin" / tool
        if shell.endswith("busybox"):
            place.unlink(missing_ok=True)
            place.symlink_to("busybox")
        elif not place.exists():
            self.jail.copy(shutil.which(tool) or tool)

    def make_debian(self) -> None:
        """Make a Debian with dpkg and insserv."""
        shutil.copytree(str(make_tree(self.pristine)), str(self.root), symlinks=True, dirs_exist_ok=True)
        put(self.root / "etc/debian_version", b"12.5\n", 0o644)
        put(self.root / "var/lib/dpkg/status", b"", 0o644)
        put(self.root / "var/lib/dpkg/diversions", b"", 0o644)
        put(self.root / "etc/init.d/.depend.stop", b"", 0o644)
        put(self.root / "bin/dpkg-divert", DIVERT.encode())
        put(self.root / "bin/update-rc.d", UPDATE_RC_D.encode())

    def make_rhel(self) -> None:
        """Make a RHEL whose halt executes a loaded kernel."""
        for level in "0123456":
            (self.root / "etc/rc.d/rc{}.d".format(level)).mkdir(parents=True)
        put(self.root / "etc/redhat-release", b"Red Hat Enterprise Linux\n", 0o644)
        put(self.root / "etc/inittab", b"id:3:initdefault:\nl6:6:wait:/etc/rc.d/rc 6\n", 0o644)
        put(self.root / "sbin/init", b"")
        put(self.root / "etc/rc.d/init.d/halt", RHEL_HALT.format(EXECUTES).encode())
        put(self.root / "etc/rc.d/rc.local", b"#!/bin/sh\ntouch /var/lock/subsys/local\n")
        (self.root / "var/lib").mkdir(parents=True)
        (self.root / "etc/rc.local").symlink_to("rc.d/rc.local")
        (self.root / "etc/init.d").rmdir()
        (self.root / "etc/init.d").symlink_to("rc.d/init.d")

    def keep(self) -> None:
        """Take the host as it is for what `reset` and `check_old` mean."""
        shutil.rmtree(str(self.pristine), ignore_errors=True)
        for name in CHANGED:
            copy(self.root / name, self.pristine / name)
        self.before = self.facts()

    def reset(self, source: Path) -> None:
        """Put what can be changed back to a copy of it."""
        for name in CHANGED:
            shutil.rmtree(str(self.root / name), ignore_errors=True)
            copy(source / name, self.root / name)

    def facts(self) -> Dict[str, str]:
        """Return what stands for each path that can be changed."""
        found = {name + "/" + path: fact for name in CHANGED for path, fact in snapshot(self.root / name).items()}
        if found.pop("var/lib/dpkg/diversions", None) is not None:
            found["diversions"] = (self.root / "var/lib/dpkg/diversions").read_text()
        return found

    def run(self, script: str, *args: str) -> Done:
        """Run a script of the kit."""
        done = subprocess.run(
            [shutil.which("chroot") or "/usr/sbin/chroot", str(self.root), "/bin/sh", script, *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={"PATH": "/bin"},
            check=False, timeout=120,
        )  # fmt: skip
        return Done(done.returncode, done.stdout.decode("utf-8", "backslashreplace"))

    def install(self, *args: str) -> Done:
        """Run install.sh."""
        return self.run("/root/kit/install.sh", *args)

    def uninstall(self, *args: str) -> Done:
        """Run uninstall.sh, the one that is on the host if there is one."""
        kept = "/var/lib/kexec-initd/standalone/uninstall.sh"
        return self.run(kept if (self.root / kept[1:]).exists() else "/root/kit/uninstall.sh", *args)

    def must(self, done: Done) -> str:
        """Return what a run said that has to succeed."""
        assert done.code == 0, done.said
        return done.said

    def check_old(self) -> None:
        """Fail unless everything is as it was."""
        assert self.facts() == self.before

    def wrap(self) -> None:
        """Let the changing programs count themselves."""
        (self.root / "real").mkdir()
        for name in CHANGING:
            place = self.root / "bin" / name
            if place.exists() or place.is_symlink():
                if place.is_symlink():
                    (self.root / "real" / name).symlink_to("/bin/busybox")
                else:
                    place.rename(self.root / "real" / name)
                self.jail.write("usr/sbin/" + name, WRAPPER.format(name), 0o755)
        self.harm(0, "before")

    def harm(self, limit: int, harm: str) -> None:
        """Do `harm` to the changing program with the number `limit` of the next run; 0: to none."""
        for name, value in (("count", "0"), ("limit", str(limit)), ("harm", harm)):
            self.jail.write(name, value + "\n")


def copy(source: Path, target: Path) -> None:
    """Copy a tree with modes and times; owners are root's anyway."""
    shutil.copytree(str(source), str(target), symlinks=True)
