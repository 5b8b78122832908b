"""The programs of the last step: started with no fork of ours, no thread and no module that takes long to import.

`process` is the door for everything else. By both a program gets a fixed environment, an empty standard input, a session of
its own and a time limit; when that is over it is killed with all that it has started, and what cannot die is left behind.
posix_spawn(3) is there from Python 3.8 on; before, and where the C library cannot start a session, subprocess does the same.
"""

import os
import select
import time

from kexec_initd import sentences
from kexec_initd.errors import Error
from kexec_initd.system.encoding import encode

TYPE_CHECKING = False  # as in typing, whose import takes longer than all that the last step imports
if TYPE_CHECKING:
    import subprocess
    from typing import Optional, Sequence, Tuple, Union

SEARCH = ("sbin", "usr/sbin", "bin", "usr/bin")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "LANG": "C"}
GRACE = 2.0
STEP = 5  # milliseconds until a look at a process whose outputs have not ended
KEPT = 4096
CHUNK = 65536  # what a pipe holds
SIGKILL, IGNORED = 9, (13, 25)  # those that Python ignores, SIGPIPE and SIGXFSZ; the module signal takes long to import


class CommandError(Error):
    """A command is missing, failed, died from a signal or outlived its time limit.

    `code` is set where it ended by itself with an exit code outside what was asked for; `said` is all of its stderr.
    """

    def __init__(self, message: str, hint: str = "", code: "Optional[int]" = None, said: str = "") -> None:
        super().__init__(message, hint)
        self.code = code
        self.said = said


def find(root: str, name: str) -> "Optional[str]":
    """Return the program `name` in the system directories of the running host, whose root is `root`, or None."""
    places = (os.path.join(root, directory, name) for directory in SEARCH)
    return next((path for path in places if os.path.isfile(path) and os.stat(path).st_mode & 0o111), None)


def require(root: str, name: str) -> str:
    """Return the program `name`; raise CommandError where there is none."""
    path = find(root, name)
    if path is None:
        raise missing(name)
    return path


def missing(name: str) -> CommandError:
    """Return the error for a program that is not there."""
    return CommandError("the program {} is missing".format(name), "install the package that brings it")


def run(argv: "Sequence[str]", timeout: float) -> None:
    """Run `argv` (argv[0] an absolute path) for at most `timeout` seconds.

    Raises CommandError when it cannot start, ends with a code other than 0, dies from a signal or takes too long.
    """
    deadline = time.monotonic() + timeout
    (stdin, unused), (out, stdout), (err, stderr) = os.pipe(), os.pipe(), os.pipe()
    os.close(unused)
    try:
        child = _start(argv, (stdin, stdout, stderr))
    except OSError as error:
        _close(out, err)
        raise CommandError("cannot start {}: {}".format(argv[0], error.strerror))
    finally:
        _close(stdin, stdout, stderr)
    try:
        code, said = _attend(child, out, err, deadline)
    except BaseException:
        _kill(child)
        raise
    finally:
        _close(out, err)
    if code is None:
        _kill(child)
        raise CommandError("{} did not end within {:g} s and was killed".format(argv[0], timeout))
    if code != 0:
        raise CommandError("{} {}".format(argv[0], failure(code, said)), code=code if code >= 0 else None, said=said)


def failure(code: int, stderr: str) -> str:
    """Say how a command failed, with the last line that it wrote to standard error."""
    what = "died from signal {}".format(-code) if code < 0 else sentences.FAILED.format(code)
    said = last_line(stderr)
    return "{}: {}".format(what, said) if said else what


def last_line(text: str) -> str:
    """Return the last line that is not blank, or nothing."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


class _Spawned:
    """A process that was started, with what is used of subprocess.Popen."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> "Optional[int]":
        """Return the exit code, or minus the signal that ended it; None while it runs. It is not asked again after that."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _start(argv: "Sequence[str]", files: "Tuple[int, int, int]") -> "Union[_Spawned, subprocess.Popen[bytes]]":
    """Start a program with these as its standard files; nothing else is inherited (PEP 446). Raises OSError."""
    words = [encode(word) for word in argv]
    if hasattr(os, "posix_spawn"):
        moves = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(files)]  # novermin
        try:
            pid = os.posix_spawn(  # novermin
                words[0], words, ENVIRONMENT, file_actions=moves, setsid=True, setsigmask=(), setsigdef=IGNORED
            )
        except NotImplementedError:
            pass
        else:
            return _Spawned(pid)
    import subprocess

    stdin, stdout, stderr = files
    return subprocess.Popen(
        words, stdin=stdin, stdout=stdout, stderr=stderr, env=ENVIRONMENT, start_new_session=True, close_fds=False
    )


def _attend(
    child: "Union[_Spawned, subprocess.Popen[bytes]]", out: int, err: int, deadline: float
) -> "Tuple[Optional[int], str]":
    """Return the exit code, None where it still runs at `deadline`, and the end of what it wrote to standard error.

    Its outputs are read so that it never waits for us. They end with it, which ends the waiting, too; what it leaves behind,
    and may still write to them, is not waited for.
    """
    poller = select.poll()
    poller.register(out, select.POLLIN)
    poller.register(err, select.POLLIN)
    said, step = b"", STEP
    code = child.poll()
    while code is None and time.monotonic() < deadline:
        for fd, _ in poller.poll(step):
            data = os.read(fd, CHUNK)
            said = (said + data)[-KEPT:] if fd == err else said
            if not data:
                poller.unregister(fd)
                step = 1
        code = child.poll()
    if (err, select.POLLIN) in [(fd, event & select.POLLIN) for fd, event in poller.poll(0)]:
        said = (said + os.read(err, CHUNK))[-KEPT:]
    return code, said.decode("utf-8", "replace")


def _kill(child: "Union[_Spawned, subprocess.Popen[bytes]]") -> None:
    """Kill a process and all that it has started, and give it a moment to go."""
    try:
        os.killpg(child.pid, SIGKILL)
    except ProcessLookupError:
        pass
    end = time.monotonic() + GRACE
    while child.poll() is None and time.monotonic() < end:
        time.sleep(STEP / 1000)


def _close(*fds: int) -> None:
    for fd in fds:
        os.close(fd)
