"""Bytes through a program: the streaming side of `process`, for output too large to be held in memory."""

import os
import selectors
import signal
import subprocess
import time
from typing import Iterator, Sequence

from kexec_initd.system.process import ENVIRONMENT, CommandError

_CHUNK = 1 << 20
_STDERR_KEPT = 4096
_GRACE = 2.0


def pipe(argv: Sequence[str], source: Iterator[bytes], deadline: float) -> Iterator[bytes]:
    """Run `argv` (argv[0] an absolute path), feed it `source` and yield what it prints, in blocks.

    Raises CommandError when it cannot start, ends with an exit code other than 0, or still runs at `deadline` (of
    time.monotonic()); it is killed then, and also when the generator is closed early.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
        )
    except OSError as error:
        raise CommandError("cannot start {}: {}".format(argv[0], error.strerror))
    pump = _Pump(process, source)
    try:
        yield from pump.run(deadline)
        code = process.wait(max(deadline - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        raise CommandError("{} did not end in time and was killed".format(argv[0]))
    finally:
        _end(process)
    if code != 0:
        said = pump.stderr.decode("utf-8", "replace").strip().splitlines()
        raise CommandError("{} failed with {}: {}".format(argv[0], code, said[-1] if said else "no message"))


class _Pump:
    """Writes and reads the pipes of one process, never blocking on one of them alone."""

    def __init__(self, process: "subprocess.Popen[bytes]", source: Iterator[bytes]) -> None:
        self._process = process
        self._source = source
        self._pending = memoryview(b"")
        self._reading = 2
        self.stderr = b""

    def run(self, deadline: float) -> Iterator[bytes]:
        """Yield the standard output until that and standard error end; raise TimeoutExpired at `deadline`."""
        with selectors.DefaultSelector() as selector:
            for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
                if stream is not None:
                    os.set_blocking(stream.fileno(), False)
                    selector.register(stream, selectors.EVENT_WRITE if stream.writable() else selectors.EVENT_READ)
            while self._reading:
                left = deadline - time.monotonic()
                ready = selector.select(left) if left > 0 else []
                if not ready:
                    raise subprocess.TimeoutExpired(self._process.args, left)
                for key, _ in ready:
                    if key.fd in selector.get_map():
                        yield from self._move_block(selector, key)

    def _move_block(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> Iterator[bytes]:
        """Move one block over one pipe, and yield it if it is standard output."""
        if key.fileobj is self._process.stdin:
            if not self._feed(key.fd):
                self._stop_feeding(selector)
            return
        block = os.read(key.fd, _CHUNK)
        if not block:
            selector.unregister(key.fileobj)
            self._reading -= 1
            # zstd closes its output after an error, and still waits in a thread for input.
            self._stop_feeding(selector)
        elif key.fileobj is self._process.stdout:
            yield block
        else:
            self.stderr = (self.stderr + block)[-_STDERR_KEPT:]

    def _stop_feeding(self, selector: selectors.BaseSelector) -> None:
        """Close standard input, unless it is closed."""
        stdin = self._process.stdin
        if stdin is not None and not stdin.closed:
            selector.unregister(stdin)
            stdin.close()

    def _feed(self, fd: int) -> bool:
        """Write what the pipe takes; return False when there is no more to write, or nobody who reads it."""
        if not self._pending:
            self._pending = memoryview(next(self._source, b""))
        if not self._pending:
            return False
        try:
            self._pending = self._pending[os.write(fd, self._pending) :]
        except BrokenPipeError:
            return False
        return True


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill what still runs of the process, and close the pipes; one that cannot be killed (state D) is left behind."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None and not stream.closed:
            stream.close()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        pass
