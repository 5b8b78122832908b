"""From templates to the files of one host: which templates, filled with what, and where their lines belong.

What comes from outside reaches the templates in two forms only: quoted by the filter `sh`, or as an LSB header of which
every line is a comment.
"""

import re
import sys
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import kexec_initd
from kexec_initd import sentences
from kexec_initd.bootloader.installed_kernels import ANY_INITRD, INITRD_NAMES
from kexec_initd.errors import Error, Refused
from kexec_initd.history import attempts
from kexec_initd.install import inittab, rc_local
from kexec_initd.install.file_copy import observe
from kexec_initd.install.integrations import find_blocks, find_integration, find_systemd
from kexec_initd.install.layout import (
    FINAL_EXEC,
    LAUNCHER,
    PACKAGE,
    PYTHON,
    SYSTEMD_PROGRAM,
    Block,
    Integration,
    OwnScript,
    Presence,
    Purpose,
)
from kexec_initd.install.managed_block import add_block, read_block
from kexec_initd.install.manifest import ChangeKind, ManifestEntry
from kexec_initd.install.originals import find_original, kept_path
from kexec_initd.install.templates import Values, fill, recipe_of
from kexec_initd.settings import sources
from kexec_initd.settings.sources import path_for
from kexec_initd.system import filesystems, hooks, quirks
from kexec_initd.system.files import digest, read_text, write_atomic
from kexec_initd.system.host import MARK, Family, Host, InitSystem
from kexec_initd.system.safe_path import locate

SCRIPT_MODE = 0o755
HEADER_BEGIN = "### BEGIN INIT INFO"
HEADER_END = "### END INIT INFO"
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class RenderedFile(NamedTuple):
    """One whole file as install would write it, and the recipe of it. `path` is absolute, as the host sees it."""

    path: str
    mode: int
    content: bytes
    recipe: str = ""


def render_all(host: Host) -> List[RenderedFile]:
    """Return every file that install would write, whole, in the order of the record; a file that it leaves alone is left out."""
    record = find_integration(host)
    files = [file for file in (render_script(host, script) for script in record.scripts) if file is not None]
    for block in find_blocks(host, record):
        found = observe_block(host, block)
        if found is not None:
            files.append(RenderedFile(block.path, found.mode, found.after))
    return files


def as_listing(files: Sequence[RenderedFile]) -> str:
    """Return all files as one text, each under a header line with its path and mode; what is not UTF-8 is escaped."""
    parts = []
    for file in files:
        text = file.content.decode("utf-8", "backslashreplace")
        parts.append("==> {} {:04o} <==\n{}{}".format(file.path, file.mode, text, "" if text.endswith("\n") else "\n"))
    return "\n".join(parts)


def write_tree(files: Sequence[RenderedFile], out: Path) -> None:
    """Write all files below the directory `out`, which is made where it is missing. Raises OSError."""
    for file in files:
        place = out / file.path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(place, file.content, file.mode)


def render_script(host: Host, script: OwnScript, known: Optional[ManifestEntry] = None) -> Optional[RenderedFile]:
    """Return our script for one record; None where the host has none that it would replace, or none that would call it.

    What is `known` of it may spare the rendering, see `_find_made`. Raises Refused where a script that every such host has is
    missing.
    """
    if script.caller and not _is_called(host, script):
        return None
    header = ""
    if script.presence not in (Presence.OURS, Presence.WRAPPED):
        sources = [find_original(host.root, script.path), observe(host.root, script.path)]
        if sources == [None, None]:
            if script.presence is Presence.REQUIRED:
                raise Refused("{} is missing".format(script.path), "reinstall the package that brings it")
            return None
        headers = [parse_header(source.data) for source in sources if source is not None]
        header = next((found for found in headers if found), script.default_header.rstrip("\n"))
    return fill_script(host, script, header, known=known)


def _is_called(host: Host, script: OwnScript) -> bool:
    caller = read_text(locate(host.root, script.caller, follow=True)) or ""
    return script.path.rsplit("/", 1)[0] + "/" in caller


def fill_script(
    host: Host,
    script: OwnScript,
    header: str,
    standalone: Optional[Integration] = None,
    known: Optional[ManifestEntry] = None,
) -> RenderedFile:
    """Return our script with `header`; one of a `standalone` installation needs no Python on its host."""
    values = dict(_values(host, standalone), lsb_header=header, kept=kept_path(script.path))
    recipe = recipe_of(script.template, values)
    text = _find_made(host.root, known, recipe) or fill(script.template, values)
    if MARK not in text:
        raise Error("the template {} lacks the line that marks our scripts".format(script.template))
    return RenderedFile(script.path, script.mode, text, recipe)


def _find_made(root: Path, known: Optional[ManifestEntry], recipe: str) -> Optional[bytes]:
    """Return what an install has made by the same recipe, from where it has put it; None where it is not there as it was."""
    if known is None or known.recipe != recipe:
        return None
    seen = observe(root, known.path)
    if seen is None:
        return None
    text = read_block(seen.data) if known.kind is ChangeKind.BLOCK else seen.data
    return text if text is not None and digest(text) == known.ours[0] else None


def render_block(block: Block) -> bytes:
    """Return the lines of a block, its marker lines included."""
    return render_plain(block.template)


def render_plain(template: str) -> bytes:
    """Return a template that is the same for every host."""
    return fill(template, {"tables": {"tried": " | ".join(quirks.TRIED)}, "sentences": _sentences()})


class Edited(NamedTuple):
    """A file before and with our `block`; `before` is None where there is no file, and `mode` that of the new one."""

    before: Optional[bytes]
    after: bytes
    mode: int
    block: bytes
    recipe: str


def observe_block(host: Host, block: Block, known: Optional[ManifestEntry] = None) -> Optional[Edited]:
    """Return the file as it would become, or None where an optional block stays out; `find_obstacle` says why.

    What is `known` of the block may spare its rendering, see `_find_made`. Raises Refused for a damaged block.
    """
    if find_obstacle(host, block) is not None:
        return None
    found = observe(host.root, block.path)
    recipe = recipe_of(block.template, {})
    lines = _find_made(host.root, known, recipe) or render_block(block)
    if found is None:
        return Edited(None, add_block(rc_local.EMPTY, lines), SCRIPT_MODE, lines, recipe)
    last = FINAL_EXEC if block.purpose is Purpose.JUMP else None
    before = inittab.AWAITED if block.purpose is Purpose.DEAD_MAN else None
    return Edited(found.data, add_block(found.data, lines, last, before), found.mode, lines, recipe)


def find_obstacle(host: Host, block: Block) -> Optional[str]:
    """Say in a sentence why the file of an optional block is left alone, or return None.

    What is lost without it is no reason to refuse the whole installation, and none to follow a link into a file that
    something else manages.
    """
    if not block.optional:
        return None
    try:
        found = observe(host.root, block.path)
    except Refused as error:
        return str(error)
    reason = None
    if block.purpose is Purpose.DEAD_MAN:
        reason = "is missing" if found is None else inittab.find_unfitness(found.data)
    elif found is not None:
        reason = rc_local.find_unfitness(found.data, found.mode)
    return None if reason is None else "{} {}".format(block.path, reason)


def parse_header(script: bytes) -> Optional[str]:
    """Return the LSB header of an init script without final newline; None for one that is missing or not all comments."""
    lines = script.decode("utf-8", "surrogateescape").split("\n")
    stripped = [line.rstrip() for line in lines]
    if HEADER_BEGIN not in stripped or HEADER_END not in stripped:
        return None
    header = lines[stripped.index(HEADER_BEGIN) : stripped.index(HEADER_END) + 1]
    comments = all(line.startswith("#") and not CONTROL.search(line) for line in header)
    provides = any(line.startswith("# Provides:") for line in header)
    return "\n".join(header) if header and comments and provides else None


def find_python(root: Path) -> str:
    """Return the interpreter that the scripts call: the one that runs this, or the distribution's for another root."""
    if root != Path("/"):
        return PYTHON
    if not sys.executable.startswith("/"):
        raise Error("the path of the Python interpreter is unknown")
    return sys.executable


def find_package(root: Path) -> str:
    """Return the directory of the package that the scripts call: ours, or the distribution's for another root."""
    return PACKAGE if root != Path("/") else str(Path(kexec_initd.__file__).resolve().parent)


def find_program(host: Host) -> List[str]:
    """Return the words that start us on the host: the .rpm's launcher, which looks for the interpreter, or that itself."""
    if host.family is Family.RHEL and (host.root != Path("/") or Path(LAUNCHER).exists()):
        return [LAUNCHER]
    return [find_python(host.root), "-I", "-m", "kexec_initd"]


def _values(host: Host, standalone: Optional[Integration]) -> Values:
    """Return what the templates of init scripts are filled with."""
    by_systemd = host.init is InitSystem.SYSTEMD
    by_shell = standalone is not None or host.family is not Family.DEBIAN or by_systemd
    return {
        "state": host.state_dir,
        "attempts": str(attempts.PATH),
        "program": find_program(host),
        "runtime": [find_python(host.root), "-I", "-S", find_package(host.root) + "/stages/jump.py"],
        "loader": "standalone/load.sh" if standalone else "common/load.sh",
        "jump": "common/jump-shell.sh" if by_shell else "common/jump-program.sh",
        "level": "systemd/level.sh" if by_systemd else "common/level.sh",
        "shutdown_program": find_systemd(host) + SYSTEMD_PROGRAM,
        "initrds": [name.format("VERSION") for name in INITRD_NAMES.get(host.family, ANY_INITRD)],
        "pseudo": " ".join(filesystems.PSEUDO),
        "remote": " ".join(filesystems.REMOTE),
        "settings": str(path_for(Path("/"), host.family)),
        "steps": [] if standalone is None else _last_steps(standalone),
        "set_aside": [] if standalone is None else _paths(standalone, Presence.REPLACED_IF_THERE),
        "tables": {
            "leftovers": " | ".join(hooks.LEFTOVERS),
            "most_drop_ins": str(sources.MOST),
            **(_find_tables() if standalone else {}),
        },
        "sentences": _sentences(),
    }


def _sentences() -> Dict[str, str]:
    return {name: text for name, text in vars(sentences).items() if name.isupper()}


def _find_tables() -> Dict[str, Any]:
    from kexec_initd.install.shell_tables import find_tables  # of many rooms, and `status` renders nothing of it

    return find_tables()


def _last_steps(record: Integration) -> List[str]:
    """Return the scripts without which, ours or with our block in it, what is loaded is not started as decided."""
    service = [script.path for script in record.scripts if script.path.endswith("/" + record.service)]
    blocks = [block.path for block in record.blocks if not block.optional]
    return service + _paths(record, Presence.REQUIRED) + _paths(record, Presence.WRAPPED) + blocks


def _paths(record: Integration, presence: Presence) -> List[str]:
    return [script.path for script in record.scripts if script.presence is presence]
