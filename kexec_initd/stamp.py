"""What we have loaded, in a directory that lasts until the next boot: for the early shutdown script, and for `status`.

`stamp` has a line for every file that the choice was made from, so that plain shell can see that nothing has changed:
"DEVICE INODE SIZE MTIME CTIME PATH", or "- PATH" for one that is not there; its last line is "end". "? PATH" says that
a change would not show there, so that the choice has to be made again. `loaded.json` says the rest, and `attempt` is what
`attempts` keeps of a jump into this kernel, ready to be put in place by plain shell. All are gone with the next boot, as
is the loaded kernel.

`changed` grows by a byte whenever a kernel package or an initramfs has changed (templates/common/kernel-changed). It is
one of the files in the stamp, so that a stamp from before, even of a load that is under way, never matches again.
"""

import json
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence

from kexec_initd.files import identity, read_text, write_atomic
from kexec_initd.surroundings import find_state_directory

UNSEEN = "? /"
ATTEMPT = "attempt"


class Loaded(NamedTuple):
    """What was loaded: the kernel's release, its files, command line, attempt id.

    `chosen` is None for what the loader would boot. What the admin has named himself is a kernel file, (), or an entry
    of the loader's menu, with its title and its own command line.
    """

    release: str
    kernel: str
    initrds: List[str]
    cmdline: str
    attempt: str
    checks: bool
    chosen: Optional[Sequence[str]]


def state_dir(root: Path) -> Path:
    """Return the directory of what lasts until the next boot."""
    return root / find_state_directory(root).lstrip("/")


def make_state_dir(root: Path) -> Path:
    """Return the directory of what lasts until the next boot, made with mode 0700 where it is missing."""
    directory = state_dir(root)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def mark_file(root: Path) -> Path:
    """Return the file, as the host sees it, that grows with each change of a kernel package or an initramfs."""
    return Path(find_state_directory(root)) / "changed"


def is_overtaken(root: Path) -> bool:
    """Tell whether a kernel package or an initramfs has changed since the recorded stamp was taken."""
    recorded = (read_text(state_dir(root) / "stamp") or "").split("\n")
    (now,) = lines_for(root, [mark_file(root)])
    return not now.startswith("- ") and now not in recorded


def lines_for(root: Path, paths: Sequence[Path]) -> List[str]:
    """Return the lines of the stamp for `paths` (absolute, on the host) as they are now."""
    return ["{} {}".format(identity(root / path.relative_to("/")), path) for path in paths]


def text_for(root: Path, paths: Sequence[Path], config: Sequence[str] = ()) -> str:
    """Return the stamp of `paths` as they are now, and of what they were chosen by, which has its lines already."""
    return "\n".join([*lines_for(root, paths), *config, "end", ""])


def write(root: Path, text: str, loaded: Loaded, attempt: bytes) -> None:
    """Record what was loaded, the record of its attempt, and the stamp `text` that was taken before it was read."""
    directory = make_state_dir(root)
    write_atomic(directory / "loaded.json", json.dumps(loaded._asdict(), indent=1).encode("ascii"), 0o600)
    write_atomic(directory / ATTEMPT, attempt, 0o600)
    write_atomic(directory / "stamp", text.encode("utf-8", "surrogateescape"), 0o600)


def remove(root: Path) -> None:
    """Forget what was loaded."""
    for name in ("stamp", "loaded.json", ATTEMPT):
        try:
            (state_dir(root) / name).unlink()
        except FileNotFoundError:
            pass


def exists(root: Path) -> bool:
    """Tell whether what is loaded, if anything, was loaded by us."""
    return identity(state_dir(root) / "stamp") != "-"


def is_fresh(root: Path, paths: Sequence[Path]) -> bool:
    """Tell whether the recorded stamp begins with that of `paths` now. By what they were chosen may have changed."""
    recorded = (read_text(state_dir(root) / "stamp") or "").split("\n")
    return recorded[: len(paths)] == lines_for(root, paths)


def read_loaded(root: Path) -> Optional[Loaded]:
    """Return what was loaded; None where there is no record, or none of exactly this form."""
    text = read_text(state_dir(root) / "loaded.json")
    if text is None:
        return None
    try:
        loaded = Loaded(**json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return None
    return loaded if _is_sound(loaded) else None


def _is_sound(loaded: Loaded) -> bool:
    """Tell whether every field has its type: the record may come from another version of us."""
    texts = (loaded.release, loaded.kernel, loaded.cmdline, loaded.attempt)
    return (
        all(isinstance(text, str) for text in texts)
        and isinstance(loaded.initrds, list)
        and all(isinstance(path, str) for path in loaded.initrds)
        and isinstance(loaded.checks, bool)
        and _is_choice(loaded.chosen)
    )


def _is_choice(chosen: object) -> bool:
    if chosen is None:
        return True
    return isinstance(chosen, list) and len(chosen) in (0, 2) and all(isinstance(text, str) for text in chosen)
