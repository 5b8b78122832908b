"""A real terminal as the console of a jail; its output can be stopped, as by Ctrl-S or a serial line whose far end is gone."""

import os
import pty
import select
import shutil
import subprocess
import termios
import time
from types import TracebackType
from typing import Optional, Type

from tests.scripts.jail import Jail, Run

# The console is there for the script alone: this machine's own mounts stay as they are.
BIND = 'mount --bind "$1" "$2/dev/console" && shift && exec chroot "$@"'


class Terminal:
    """A terminal; what is written to it can be read while its output goes on."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        os.close(self.theirs)
        os.close(self.ours)

    def stop(self) -> None:
        """Take no output any more."""
        termios.tcflow(self.theirs, termios.TCOOFF)

    def read(self) -> str:
        """Return what has arrived."""
        text = b""
        while select.select([self.ours], [], [], 0)[0]:
            text += os.read(self.ours, 65536)
        return text.decode("utf-8", "replace").replace("\r\n", "\n")

    def run(
        self, jail: Jail, script: str, *args: str, console: bool = True, kept: bool = False, limit: float = 30.0
    ) -> Run:
        """Run a script as init does, which gives it the console; it may be missing below /dev, what is printed may be kept."""
        command = [shutil.which("chroot") or "/usr/sbin/chroot", str(jail.root)]
        if console:
            jail.write("dev/console", "")
            command = ["unshare", "-m", "sh", "-c", BIND, "sh", os.ttyname(self.theirs), str(jail.root)]
        output = subprocess.DEVNULL if kept else self.theirs
        began = time.monotonic()
        done = subprocess.run(
            [*command, "/bin/sh", "/etc/init.d/" + script, *args],
            stdin=self.theirs, stdout=output, stderr=output, check=False, timeout=limit,
            env={"RUNLEVEL": "6", "PATH": "/bin:/usr/bin:/sbin:/usr/sbin"},
        )  # fmt: skip
        return Run("", done.returncode, time.monotonic() - began)
