"""The guest's serial console: a log file, the prompts, and a shell that answers with output and exit status."""

import base64
import shlex
import socket
import time
from pathlib import Path
from typing import List, NamedTuple, Pattern, Union

import pexpect
from pexpect.fdpexpect import fdspawn

# The guest logs root in by itself; this is the last word of a boot, rc.local is over by then.
LOGIN = r"login: root \(automatic login\)"
PROMPT = "guest-prompt> "
# What a person would have to come for: a guest that shows one of these will not go on by itself.
STRANDED = (
    r"Give root password for maintenance|Press Enter for maintenance|\(initramfs\) |grub rescue>|grub> "
    r"|INIT: no more processes left in this runlevel"
)
HALTED = r"reboot: System halted"
LINE_MAX = 3800


class Result(NamedTuple):
    """What a command in the guest said, both streams together, and its exit status."""

    output: str
    status: int


class ConsoleError(RuntimeError):
    """The guest's shell did not answer in time."""


class Console:
    """A conversation over the connected socket of the serial port; everything read goes to `log`."""

    def __init__(self, connection: socket.socket, log: Path) -> None:
        self.stream = open(log, "a", encoding="utf-8", errors="replace")
        self.connection = connection  # owns the descriptor that pexpect reads
        self.spawn = fdspawn(connection, encoding="utf-8", codec_errors="replace", maxread=65536)
        self.spawn.logfile_read = self.stream
        self.spawn.delaybeforesend = None

    def close(self) -> None:
        """Take in what is left and close the log."""
        self.look([], 0.1)
        self.stream.close()
        self.connection.close()

    def look(self, patterns: List[Union[str, Pattern[str]]], limit: float) -> int:
        """Return the index of the pattern that came within `limit` seconds, or -1; reads on in any case."""
        started = time.monotonic()
        found: int = self.spawn.expect([*patterns, pexpect.TIMEOUT, pexpect.EOF], timeout=limit)
        self.stream.flush()
        if found > len(patterns):
            time.sleep(max(0.0, min(limit, 0.2) - (time.monotonic() - started)))
        return found if found < len(patterns) else -1

    def send(self, line: str) -> None:
        """Type `line` and Enter."""
        if len(line) > LINE_MAX:
            raise ValueError("the guest's terminal takes no line longer than 4095 characters")
        self.type(line + "\n")

    def type(self, keys: str) -> None:
        """Type `keys` as they are."""
        self.spawn.send(keys)

    def greet(self, limit: float) -> None:
        """Bring a fresh login shell (or one that has just been restored) to the known prompt, without an echo."""
        deadline = time.monotonic() + limit
        setup = "stty -echo cols 500; PS1='guest-''prompt> '; PS2=; export HISTFILE="
        while time.monotonic() < deadline:
            self.send(setup)
            if self.look([PROMPT], 5.0) == 0:
                self.drain()
                return
        raise ConsoleError("no shell prompt on the console")

    def drain(self) -> None:
        """Drop what the shell still has to say of earlier lines."""
        self.run("true", 120.0)

    def run(self, command: str, limit: float) -> Result:
        """Run `command` (shell text) and wait for its end; `limit` in seconds."""
        self.send("{ " + command + "\n} 2>&1; printf '\\n@%s %d@\\n' guest-end $?")
        if self.look([r"\n@guest-end \d+@\r?\n"], limit) != 0:
            raise ConsoleError(f"no answer within {limit:.0f} s to: {command}")
        output, status = str(self.spawn.before), int(str(self.spawn.after).strip("\r\n@").split()[1])
        self.look([PROMPT], 5.0)
        return Result(output.replace("\r\n", "\n").replace(PROMPT, "").strip("\r\n"), status)

    def put(self, path: str, data: bytes, mode: int) -> None:
        """Write a small file in the guest; larger ones come on the payload disk."""
        quoted = shlex.quote(path)
        text = base64.b64encode(data).decode("ascii")
        self.run(f": >{quoted}.b64", 30.0)
        for start in range(0, len(text), 3000):
            self.run(f"printf %s {text[start:start + 3000]} >>{quoted}.b64", 30.0)
        done = self.run(f"base64 -d {quoted}.b64 >{quoted} && rm {quoted}.b64 && chmod {mode:o} {quoted}", 30.0)
        if done.status != 0:
            raise ConsoleError(f"{path}: {done.output}")
