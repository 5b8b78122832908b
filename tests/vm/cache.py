"""Where what is expensive to make is kept: images, saved states, under a digest of everything that made them."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Callable, Iterable

CHECKOUT = Path(__file__).resolve().parents[2]


def cache_dir() -> Path:
    """Return the directory for everything the virtual machines write, from KEXEC_INITD_CACHE or build/cache."""
    path = Path(os.environ.get("KEXEC_INITD_CACHE") or CHECKOUT / "build" / "cache").absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def logs_dir() -> Path:
    """Return the directory for the console logs, from KEXEC_INITD_VM_LOGS or build/vm-logs."""
    path = Path(os.environ.get("KEXEC_INITD_VM_LOGS") or CHECKOUT / "build" / "vm-logs").absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def digest(parts: Iterable[bytes]) -> str:
    """Return 16 hex digits that stand for `parts`; their boundaries count."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:16]


def digest_tree(directory: Path) -> str:
    """Return 16 hex digits for the names, modes and contents of the files below `directory`."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return digest(
        part
        for path in files
        for part in (str(path.relative_to(directory)).encode(), oct(path.stat().st_mode).encode(), path.read_bytes())
    )


def make_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return the cache's directory `name`; if it is not there, `make` fills one beside it that is then renamed.

    Several test processes may ask at once: one makes it, the others wait. A failed or killed make leaves nothing
    that a later one would take for whole.
    """
    final = cache_dir() / name
    with open(cache_dir() / (name + ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not final.is_dir():
            partial = cache_dir() / (name + ".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            os.rename(partial, final)
    return final


def make_run_dir() -> Path:
    """Return a new directory for one machine's disk; those of test runs that were killed are removed."""
    for stale in cache_dir().glob("run-*"):
        owner = stale.name.split("-")[1]
        if not Path("/proc", owner).exists():
            shutil.rmtree(stale, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"run-{os.getpid()}-", dir=cache_dir()))
