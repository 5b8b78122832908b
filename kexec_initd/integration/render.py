"""From templates to the files of one host.

Templates are valid shell with few placeholders. What comes from outside reaches them in two forms only: quoted by
the filter `sh`, or as an LSB header of which every line is a comment.
"""

import re
import shlex
import sys
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence

import jinja2

import kexec_initd
from kexec_initd.errors import Error, Refused
from kexec_initd.files import write_atomic
from kexec_initd.host import Host
from kexec_initd.integration import rc_local
from kexec_initd.integration.originals import find_original
from kexec_initd.integration.records import INTEGRATIONS, MARK, PYTHON, Integration, Presence, Script
from kexec_initd.integration.tree import observe

SCRIPT_MODE = 0o755
HEADER_BEGIN = "### BEGIN INIT INFO"
HEADER_END = "### END INIT INFO"
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class RenderedFile(NamedTuple):
    """One whole file as install would write it. `path` is absolute, as the host sees it."""

    path: str
    mode: int
    content: bytes


def find_integration(host: Host) -> Integration:
    """Return the record for this host. Raises Refused for a family or an init system that has none."""
    found = INTEGRATIONS.get((host.family, host.init))
    if found is None:
        known = ", ".join("{} with {}".format(family.value, init.value) for family, init in INTEGRATIONS)
        raise Refused(
            "this host is {} (family {}) with the init system {}".format(
                host.distribution, host.family.value, host.init.value
            ),
            "kexec-initd can be installed on: {}".format(known),
        )
    return found


def render_all(host: Host) -> List[RenderedFile]:
    """Return every file that install would write, whole, in the order of the record; a file that it leaves alone is left out."""
    record = find_integration(host)
    files = [file for file in (render_script(host, script) for script in record.scripts) if file is not None]
    found = observe_rc_local(host, record)
    if found is not None:
        files.append(RenderedFile(record.rc_local, found.mode, found.after))
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


def render_script(host: Host, script: Script) -> Optional[RenderedFile]:
    """Return our script for one record; None where the host has none that it would replace.

    Raises Refused where a script that every such host has is missing.
    """
    header = ""
    if script.presence is not Presence.OURS:
        source = find_original(host.root, script.path) or observe(host.root, script.path)
        if source is None:
            if script.presence is Presence.REQUIRED:
                raise Refused("{} is missing".format(script.path), "reinstall the package that brings it")
            return None
        header = parse_header(source.data) or script.default_header.rstrip("\n")
    text = _render(script.template, python=find_python(host.root), lsb_header=header)
    if MARK not in text:
        raise Error("the template {} lacks the line that marks our scripts".format(script.template))
    return RenderedFile(script.path, SCRIPT_MODE, text)


def render_block(record: Integration) -> bytes:
    """Return the block for rc.local, its marker lines included."""
    return _render(record.rc_local_template)


class RcLocal(NamedTuple):
    """rc.local before and with the block; `before` is None where there is no file, and `mode` that of the new one."""

    before: Optional[bytes]
    after: bytes
    mode: int


def observe_rc_local(host: Host, record: Integration) -> Optional[RcLocal]:
    """Return rc.local as it would become, or None where the block must not go in; `find_rc_local_obstacle` says why.

    Raises Refused for a damaged block.
    """
    if find_rc_local_obstacle(host, record) is not None:
        return None
    found = observe(host.root, record.rc_local)
    block = render_block(record)
    if found is None:
        return RcLocal(None, rc_local.add_block(rc_local.EMPTY, block), SCRIPT_MODE)
    return RcLocal(found.data, rc_local.add_block(found.data, block), found.mode)


def find_rc_local_obstacle(host: Host, record: Integration) -> Optional[str]:
    """Say in a sentence why rc.local is left alone, or return None.

    Without the block the kernel is loaded at shutdown instead: slower, but no reason to refuse the whole
    installation, and none to follow a link into a file that something else manages.
    """
    try:
        found = observe(host.root, record.rc_local)
    except Refused as error:
        return str(error)
    reason = None if found is None else rc_local.find_unfitness(found.data, found.mode)
    return None if reason is None else "{} {}".format(record.rc_local, reason)


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


def find_templates() -> Path:
    """Return the directory of the templates: package data when installed, beside the package in a checkout."""
    package = Path(kexec_initd.__file__).resolve().parent
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


def _render(template: str, **values: str) -> bytes:
    """Fill a template. `{#` is no comment, since `${#name}` is shell."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(find_templates())),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
        comment_start_string="{##",
        comment_end_string="##}",
    )
    environment.filters["sh"] = shlex.quote
    try:
        text = environment.get_template(template).render(values)
    except jinja2.TemplateError as error:
        raise Error("cannot render the template {}: {}".format(template, error))
    return text.encode("utf-8", "surrogateescape")
