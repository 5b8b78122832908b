"""What we have loaded, in /run/kexec-initd: for the early shutdown script, and for `status`.

`stamp` has a line for every file that the choice was made from, so that plain shell can see that nothing has changed:
"DEVICE INODE SIZE MTIME CTIME PATH", or "- PATH" for one that is not there; its last line is "end". `loaded.json` says
the rest. Both are gone with the next boot, as is the loaded kernel.
"""

import json
from pathlib import Path
from typing import NamedTuple, Optional, Sequence

from kexec_initd.files import identity, read_text, write_atomic

DIRECTORY = "run/kexec-initd"


class Loaded(NamedTuple):
    """What was loaded: the kernel's release, its files, command line, attempt id; `chosen` when the admin named it."""

    release: str
    kernel: str
    initrd: Optional[str]
    cmdline: str
    attempt: str
    checks: bool
    chosen: bool


def state_dir(root: Path) -> Path:
    """Return the directory of what lasts until the next boot, made with mode 0700 where it is missing."""
    directory = root / DIRECTORY
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def text_for(root: Path, paths: Sequence[Path]) -> str:
    """Return the stamp of `paths` (absolute, on the host) as they are now."""
    lines = ["{} {}".format(identity(root / path.relative_to("/")), path) for path in paths]
    return "\n".join(lines + ["end", ""])


def write(root: Path, text: str, loaded: Loaded) -> None:
    """Record what was loaded and the stamp `text` that was taken before it was read."""
    directory = state_dir(root)
    write_atomic(directory / "loaded.json", json.dumps(loaded._asdict(), indent=1).encode("ascii"), 0o600)
    write_atomic(directory / "stamp", text.encode("utf-8", "surrogateescape"), 0o600)


def remove(root: Path) -> None:
    """Forget what was loaded."""
    for name in ("stamp", "loaded.json"):
        try:
            (root / DIRECTORY / name).unlink()
        except FileNotFoundError:
            pass


def exists(root: Path) -> bool:
    """Tell whether what is loaded, if anything, was loaded by us."""
    return (root / DIRECTORY / "stamp").exists()


def is_fresh(root: Path, paths: Sequence[Path]) -> bool:
    """Tell whether the recorded stamp is that of `paths` now."""
    return read_text(root / DIRECTORY / "stamp") == text_for(root, paths)[:-1]


def read_loaded(root: Path) -> Optional[Loaded]:
    """Return what was loaded; None where there is no record, or none that can be read."""
    text = read_text(root / DIRECTORY / "loaded.json")
    if text is None:
        return None
    try:
        return Loaded(**json.loads(text))
    except (ValueError, TypeError):
        return None
