"""One archive for a report of a bug: what the command says, our files, the boot loader's, the kernel's log; secrets masked.

It is listed before it is written, no file is overwritten, and nothing in it is larger, or takes longer, than the limits below.
"""

import argparse
import contextlib
import functools
import io
import os
import platform
import signal
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from kexec_initd import __version__
from kexec_initd.bootloader.target import read_target
from kexec_initd.errors import Error, Refused, describe_error, one_line
from kexec_initd.history import attempts
from kexec_initd.install.manifest import read_manifest
from kexec_initd.settings import reader
from kexec_initd.state import store
from kexec_initd.system import process
from kexec_initd.system.encoding import encode, name_of
from kexec_initd.system.host import Host
from kexec_initd.system.stdio import emit
from kexec_initd.verbs.common import require_root
from kexec_initd.verbs.masking import mask

FILE_LIMIT = 256 << 10  # bytes of each file
SIZE_LIMIT = 8 << 20  # of all
MOST_FILES = 400
STEP_SECONDS = 15.0
TOTAL_SECONDS = 90.0
# A verb that this version does not have is left out.
VERBS = (
    "status",
    "status --json",
    "check",
    "check --json",
    "history",
    "history --json",
    "settings",
    "entries",
    "target",
)
DIRECTORIES = ("/etc/kexec-initd/pre-jump.d", "/etc/kexec-initd/arrival.d")
LEFT_OUT = ("/sys/", "/proc/", "/dev/")

Call = Callable[[Sequence[str]], Tuple[int, str]]


class ReportFile(NamedTuple):
    """One file of the archive, its secrets masked."""

    name: str
    data: bytes


class OutOfTime(Error):
    """A part of the report took too long."""


def run_report(args: argparse.Namespace, host: Host) -> None:
    """Collect a report, list what is in it, and write it."""
    if host.root == Path("/"):
        require_root()
    target = Path(args.file or time.strftime("kexec-initd-report-%Y%m%d-%H%M%S.tar.xz", time.gmtime()))
    if not args.list and os.path.lexists(name_of(target)):
        raise Refused("{} is there already".format(target), "name another file")
    items = collect(host, args.call)
    for item in items:
        emit("{:>8}  {}".format(len(item.data), one_line(item.name)))
    if args.list:
        return
    write_new(target, pack(items))
    emit(
        "written: {}; secrets are masked as far as they show as such, so look at it before you pass it on".format(
            target
        )
    )


def collect(host: Host, call: Call) -> List[ReportFile]:
    """Return what goes into the archive, as far as it can be had in the time and the space there is."""
    found: Dict[str, ReportFile] = {}
    end, room = time.monotonic() + TOTAL_SECONDS, SIZE_LIMIT
    for name, take in _plan(host, call):
        try:
            with _limited(min(STEP_SECONDS, end - time.monotonic())):
                text = take()
        except (Error, OSError) as error:
            text = "cannot be had: {}\n".format(describe_error(error))
        data = encode(mask(text))[:FILE_LIMIT] if text else b""
        if data and len(found) < MOST_FILES and len(data) <= room:
            room -= len(data)
            found[name] = ReportFile(name, data)
    return list(found.values())


def _plan(host: Host, call: Call) -> Iterator[Tuple[str, Callable[[], str]]]:
    """Yield the name of each file, and what makes its text."""
    yield "versions.txt", lambda: _describe_versions(host)
    for line in VERBS:
        words = [*line.split(), "--root", str(host.root)] if host.root != Path("/") else line.split()
        name = "{}.{}".format(words[0], "json" if "--json" in words else "txt")
        yield name, functools.partial(_call_verb, call, words)
    if host.root == Path("/"):
        yield "dmesg.txt", lambda: process.ask([str(process.require(host.root, "dmesg"))], STEP_SECONDS)
    try:
        with _limited(STEP_SECONDS):
            paths = _list_files(host)
    except OutOfTime:
        paths = []
    for path in paths:
        yield "files" + path, functools.partial(_read_file, host, path)


def _describe_versions(host: Host) -> str:
    kexec = process.find(host.root, "kexec") if host.root == Path("/") else None
    lines = (
        "kexec-initd {}".format(__version__),
        "Python {} on {}".format(platform.python_version(), platform.machine()),
        "kernel {}".format(host.kernel_release),
        "{} {}, {}".format(host.distribution, host.release, host.init.value),
        "command line: {}".format(host.cmdline),
        process.ask([str(kexec), "--version"], STEP_SECONDS) if kexec else "no kexec",
    )
    return "\n".join(lines) + "\n"


def _call_verb(call: Call, words: Sequence[str]) -> str:
    """Return what a verb prints, and its exit code where it has failed; nothing for one that is not there."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code, error = call(words)
    if code == 2:
        return ""
    told = "" if code == 0 or "--json" in words else "exit code {} {}\n".format(code, error)
    return out.getvalue() + ("" if "--json" in words else err.getvalue()) + told


def _list_files(host: Host) -> List[str]:
    """Return the files of ours, and those of the boot loader that were read, each once."""
    settings = "/" + str(reader.path_for(host.root, host.family).relative_to(host.root))
    found = [settings, *_list_directory(host, settings + ".d")]
    with contextlib.suppress(Error):
        manifest = read_manifest(host.root)
        found += [entry.path for entry in manifest.entries] if manifest else []
    for directory in (store.LASTING, host.tree.real("/run/kexec-initd"), *DIRECTORIES):
        found += _list_directory(host, "/" + str(directory).lstrip("/"))
    with contextlib.suppress(Error):
        tree = host.tree.again()
        read_target(tree, attempts.firmware_began(host))
        found += [path for path in tree.asked if not path.startswith(LEFT_OUT)]
    return list(dict.fromkeys(found))


def _list_directory(host: Host, directory: str) -> List[str]:
    with contextlib.suppress(Error):
        return ["{}/{}".format(directory, name) for name in host.tree.names(directory)]
    return []


def _read_file(host: Host, path: str) -> str:
    """Return the text of a regular file; nothing for any other, and for what is no text."""
    if (host.tree.size(path) or 0) > FILE_LIMIT:
        return ""
    text: Optional[str] = host.tree.read_text(path, FILE_LIMIT)
    return "" if text is None or "\0" in text else text


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise OutOfTime when that many seconds have passed."""

    def end(*_: object) -> None:
        raise OutOfTime("there was no time left for it")

    if seconds <= 0:
        end()
    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def pack(items: Sequence[ReportFile]) -> bytes:
    """Return the archive. Raises Error where this Python cannot compress it."""
    import tarfile

    packed = io.BytesIO()
    try:
        with tarfile.open(fileobj=packed, mode="w:xz", format=tarfile.PAX_FORMAT) as archive:
            for item in items:
                member = tarfile.TarInfo("kexec-initd-report/" + item.name)
                member.size, member.mode, member.mtime = len(item.data), 0o600, int(time.time())
                archive.addfile(member, io.BytesIO(item.data))
    except tarfile.CompressionError as error:
        raise Error("this Python has no xz: {}".format(error), "install its module lzma")
    return packed.getvalue()


def write_new(path: Path, data: bytes) -> None:
    """Write a file that was not there, for its owner only, whole or not at all. Raises Refused, OSError."""
    fd, staged = tempfile.mkstemp(prefix=b".kexec-initd-report.", dir=name_of(path.parent))
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(staged, name_of(path))
    except FileExistsError:
        raise Refused("{} is there already".format(path), "name another file")
    finally:
        os.unlink(staged)
