"""A chroot that holds a shell, a few real tools and fakes: rendered scripts run there as on a host that shuts down.

There is no /proc and no /dev of this machine in it, no kexec and no reboot but the fakes: nothing can get out.
Needs root, for chroot(2).
"""

import atexit
import functools
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import List, NamedTuple

from kexec_initd.settings import for_shell, reader
from kexec_initd.state import checksum
from kexec_initd.state.checksum import seal
from kexec_initd.system.host import Family

TOOLS = (
    "sleep",
    "head",
    "stat",
    "mkdir",
    "rm",
    "cat",
    "nice",
    "setsid",
    "dirname",
    "cp",
    "mv",
    "grep",
    "ls",
    "gzip",
    "tail",
    "od",
    "readlink",
    "dd",
    "sed",
)
# A record of attempts, as plain shell knows it from one that is cut.
WHOLE = seal(b"kexec-initd attempts 1\nboot x\n").decode()
FAKE = """#!/bin/sh
printf '%s' "${{0##*/}}" >>/calls
for arg in "$@"; do printf ' %s' "$arg" >>/calls; done
printf '\\n' >>/calls
{body}
"""

MOUNTS = "/dev/vda1 / ext4 rw,relatime 0 0\ntmpfs /run tmpfs rw 0 0\n"
ROOT_READ_ONLY = """if [ "$1" = -a ]; then
    sed 's|^/dev/vda1 / ext4 rw|/dev/vda1 / ext4 ro|' /proc/mounts >/tmp/mounts
    cat /tmp/mounts >/proc/mounts
fi"""


class Run(NamedTuple):
    """What a script said, its exit code and its seconds."""

    said: str
    code: int
    seconds: float


@functools.lru_cache(maxsize=None)
def libraries(program: str) -> List[str]:
    """Return the paths of the libraries that a program of this machine needs, found once for all jails."""
    listing = subprocess.run(
        ["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
    )
    found = re.findall(r"/\S+", listing.stdout if listing.returncode == 0 else "")
    return [library.rstrip(":") for library in found]


@functools.lru_cache(maxsize=None)
def shelf() -> Path:
    """Return a directory, on the file system of the tests' own, for one copy of each program and library."""
    path = tempfile.mkdtemp(prefix="jail-tools.")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


@functools.lru_cache(maxsize=None)
def shelve(program: str) -> Path:
    """Return a copy of a program or library to make hard links to, for nobody to write to."""
    copy = shelf() / program.strip("/").replace("/", "%")
    shutil.copy(program, copy)
    return copy


class Jail:
    """The chroot below `root`; its programs log their calls."""

    family = Family.DEBIAN
    state = "run/kexec-initd"

    def __init__(self, root: Path, shell: str) -> None:
        self.root = root
        for directory in ("bin", "etc/init.d", "etc/default", "run", "proc", "sys/kernel", "dev", "tmp"):
            (root / directory).mkdir(parents=True)
        (root / "dev/null").write_text("")
        for tool in TOOLS:
            self.copy(shutil.which(tool) or tool)
        # The pauses between the last keys to sysrq are no subject here, nor is who resets when the last script is killed; a
        # time limit sleeps for longer than those pauses, and really does.
        (root / "bin/sleep").rename(root / "bin/real-sleep")
        self.write("bin/sleep", '#!/bin/sh\ncase $1 in 1) ;; 300) exit 1 ;; *) exec real-sleep "$@" ;; esac\n', 0o755)
        # The early step's sync runs beside it, so that its call could come anywhere among the others; a test of its own has it.
        (root / "bin/setsid").rename(root / "bin/real-setsid")
        self.write("bin/setsid", '#!/bin/sh\ncase $1 in sync) ;; *) exec real-setsid "$@" ;; esac\n', 0o755)
        self.copy(shell)
        self.has_no_programs_of_its_own(shell)
        (root / "bin/sh").symlink_to(Path(shell).name)
        for name in ("sync", "reboot"):
            self.fake(name)
        # The root, which is busy, becomes read-only; what a test has mounted does what the test has it do.
        self.fake("umount", ROOT_READ_ONLY)
        self.fake("kexec", 'case "$1" in -u) echo 0 >/sys/kernel/kexec_loaded ;; -e) exit 1 ;; esac')
        self.write("proc/mounts", MOUNTS)
        self.write("proc/sysrq-trigger", "")
        self.write("sys/kernel/kexec_loaded", "1\n")

    def has_no_programs_of_its_own(self, shell: str) -> None:
        """Fail for a shell that would rather reboot by itself than call the fake, as that of busybox-static does."""
        applets = subprocess.run(
            ["sh", "-c", "type reboot"], executable=shell, env={"PATH": "/bin/none"}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if applets.returncode == 0:
            raise RuntimeError(shell + " has a reboot of its own: install the package busybox, not busybox-static")

    def copy(self, program: str) -> None:
        """Copy a program of this machine with the libraries that it needs."""
        places = {library: self.root / library.lstrip("/") for library in libraries(program)}
        places[program] = self.root / "bin" / Path(program).name
        for source, target in places.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                os.link(shelve(source), target)

    def write(self, path: str, text: str, mode: int = 0o644) -> Path:
        """Write a file into the jail."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file() and target.stat().st_nlink > 1:
            target.unlink()  # what it is a link to is every jail's
        target.write_text(text)
        target.chmod(mode)
        return target

    def settings(self, text: str, noted: bool = True) -> None:
        """Have these settings, and what plain shell needs of them written down, as after a load."""
        self.write(str(reader.path_for(self.root, self.family).relative_to(self.root)), text)
        if noted:
            found = for_shell.text_for(reader.read(self.root, self.family)[0])
            self.write(self.state + "/settings", checksum.double_lines(found).decode())

    def functions(self, script: str) -> str:
        """Return the functions of /etc/init.d/`script`, without what calls them."""
        text = (self.root / "etc/init.d" / script).read_text()
        found = re.search(r'^(case "\$1" in|main "\$@"|# all)$', text, re.MULTILINE)
        assert found, script
        return text[: found.start()]

    def fake(self, name: str, body: str = "") -> None:
        """Put a program that logs its call and runs `body`."""
        self.write("bin/" + name, FAKE.format(body=body), 0o755)

    def run(self, script: str, *args: str, runlevel: str = "6", limit: float = 60.0) -> Run:
        """Run /etc/init.d/`script` with `args` as init's rc would."""
        began = time.monotonic()
        done = subprocess.run(
            [shutil.which("chroot") or "/usr/sbin/chroot", str(self.root), "/bin/sh", "/etc/init.d/" + script, *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            timeout=limit, env={"RUNLEVEL": runlevel, "PATH": "/bin"},
        )  # fmt: skip
        return Run(done.stdout, done.returncode, time.monotonic() - began)

    def calls(self) -> List[str]:
        """Return the calls of fakes so far, each a line."""
        log = self.root / "calls"
        return log.read_text().splitlines() if log.exists() else []

    def sysrq(self) -> str:
        """Return the last key that went to sysrq."""
        return (self.root / "proc/sysrq-trigger").read_text()[-1:]
