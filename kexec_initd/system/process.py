"""The door through which commands run, on top of `sh`; the last step, which has no time for that, has its own, `spawn`.

A command is an argument list, never a shell line. It gets a fixed environment and working directory, an empty
standard input and a time limit, and it is reported once when it fails. `sh` is 1.14 in distributions and 2.x on
PyPI: only what both understand is used. No terminal is asked for, since /dev/pts can be gone at shutdown.

`sh` is imported when the first command runs: it takes longer than all else that `status` or an early step does without one;
so are threads and signals.
It forks, and reads what a command writes in threads. None of them is left behind, so that it never forks beside one; but for
those of a process that could not be killed.
"""

import contextlib
import io
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Dict, Optional, Sequence

from kexec_initd.system.encoding import decode, encode
from kexec_initd.system.safe_path import below
from kexec_initd.system.spawn import CHUNK, GRACE, SEARCH, failure, last_line, missing
from kexec_initd.system.spawn import ENVIRONMENT as ENVIRONMENT
from kexec_initd.system.spawn import CommandError as CommandError

if TYPE_CHECKING:
    import sh

OUTPUT_LIMIT = 1 << 20
ENDING = 0.1  # seconds for a thread that has nothing more to do


def find(root: Path, name: str) -> Optional[Path]:
    """Return the program `name` in the system directories below `root`, or None."""
    for directory in SEARCH:
        path = below(root, "{}/{}".format(directory, name))
        if path.is_file() and path.stat().st_mode & 0o111:
            return path
    return None


def require(root: Path, name: str) -> Path:
    """Return the program `name` below `root`; raise CommandError where there is none."""
    path = find(root, name)
    if path is None:
        raise missing(name)
    return path


def run(
    argv: Sequence[str],
    timeout: float,
    ok: Sequence[int] = (0,),
    pass_fds: Sequence[int] = (),
    env: Optional[Dict[str, str]] = None,
) -> str:
    """Run `argv` (argv[0] an absolute path) for at most `timeout` seconds and return its standard output, the first MiB of it.

    Raises CommandError when it cannot start, ends with a code outside `ok`, dies from a signal or takes too long.
    A process that cannot be killed (state D) is left behind, not waited for.
    """
    out, err = _Beginning(), _Beginning()
    code = _wait(argv, _Waiter(_start(argv, out, err, pass_fds, dict(ENVIRONMENT, **(env or {})))), timeout)
    if code not in ok:
        said = err.getvalue().decode("utf-8", "replace")
        raise CommandError("{} {}".format(argv[0], failure(code, said)), code=code if code >= 0 else None, said=said)
    return decode(out.getvalue())


def ask(argv: Sequence[str], timeout: float) -> str:
    """Run `argv` and return all that it writes, to whichever output and with whichever exit code.

    Raises CommandError when it cannot start, dies from a signal or takes too long.
    """
    said = _Beginning()
    code = _wait(argv, _Waiter(_start(argv, said, said, (), ENVIRONMENT)), timeout)
    text = decode(said.getvalue())
    if code < 0:
        raise CommandError("{} {}".format(argv[0], failure(code, text)))
    return text


def _wait(argv: Sequence[str], waiter: "_Waiter", timeout: float) -> int:
    """Return the exit code of a process that has ended; one that takes too long is killed, as is one when we are interrupted."""
    try:
        code = waiter.wait(timeout)
    except BaseException:
        waiter.kill()
        raise
    if code is None:
        waiter.kill()
        raise CommandError("{} did not end within {:g} s and was killed".format(argv[0], timeout))
    return code


def _start(
    argv: Sequence[str], out: io.BytesIO, err: io.BytesIO, pass_fds: Sequence[int], env: Dict[str, str]
) -> "sh.RunningCommand":
    """Start `argv` in a session of its own; raise CommandError where that is impossible."""
    import sh

    for fd in pass_fds:
        os.set_inheritable(fd, True)
    try:
        with _empty_input() as nothing:
            process = sh.Command(argv[0])(
                *[_Argument(encode(arg)) for arg in argv[1:]],
                _in=nothing,
                _out=out,
                _err=err,
                _out_bufsize=CHUNK,  # else sh waits for the end of each line, and keeps one that never ends
                _err_bufsize=CHUNK,
                _tty_in=False,
                _tty_out=False,
                _cwd="/",
                _env=env,
                _encoding=_Argument.ENCODING,
                # Only what was made inheritable is inherited (PEP 446); sh would list /dev/fd, which needs /proc.
                _close_fds=False,
                _new_session=True,
                _bg=True,
                _bg_exc=False,
            )  # type: sh.RunningCommand
    except (sh.CommandNotFound, sh.ForkException, OSError) as error:
        raise CommandError("cannot start {}: {}".format(argv[0], last_line(str(error))))
    return process


class _Beginning(io.BytesIO):
    """Keeps the beginning of what is written to it: a program that floods its output takes no memory of ours."""

    def write(self, data: bytes) -> int:  # type: ignore[override]  # what is written here are chunks that were read
        """Keep what there is room for."""
        super().write(data[: max(OUTPUT_LIMIT - self.tell(), 0)])
        return len(data)


class _Argument(bytes):
    """An argument that reaches the program byte for byte: sh 1.14 passes bytes on, 2.x encodes what str() gives."""

    ENCODING = "latin-1"

    def __str__(self) -> str:
        return self.decode(self.ENCODING)


def _empty_input() -> BinaryIO:
    """Return a file that is at its end; a pipe, since /dev/null can be missing."""
    read_end, write_end = os.pipe()
    os.close(write_end)
    return os.fdopen(read_end, "rb")


class _Waiter:
    """Waits for a process in a thread: `sh` itself notices the end of a background process up to a second late."""

    def __init__(self, process: "sh.RunningCommand") -> None:
        import threading

        self._process = process
        self._code = None  # type: Optional[int]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        import sh

        try:
            self._process.wait()
            self._code = int(self._process.exit_code)
        except sh.ErrorReturnCode as error:
            self._code = int(error.exit_code)

    def wait(self, timeout: float) -> Optional[int]:
        """Return the exit code (minus the signal that ended it), or None when it still runs after `timeout` seconds."""
        self._thread.join(timeout)
        if not self._thread.is_alive():
            _join_timers()
            _await_ends()
        return self._code

    def kill(self) -> None:
        """Kill the process and all that it started, and give it a moment to go."""
        import signal

        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.wait(GRACE)


def _join_timers() -> None:
    """Wait for the end of the timers that `sh` has called off: they need no time any more, but to be noticed."""
    import threading

    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer) and thread.finished.is_set():
            thread.join()


def _await_ends() -> None:
    """Give threads that have ended for Python a moment to end for the kernel, which is what fork(2) looks at."""
    import threading

    end = time.monotonic() + ENDING
    with contextlib.suppress(OSError):  # without /proc nobody counts them
        while len(os.listdir("/proc/self/task")) > threading.active_count() and time.monotonic() < end:
            time.sleep(0.0005)
