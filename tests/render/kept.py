"""The distinct files that rendering gives, as they are kept: whole, or as a diff from another (it may be one), or from TEMPLATE.

A diff begins with the name of what it changes and the CRC-32 of the file: with a template, that file changes too.

`python3 -m tests.render.kept DIRECTORY` writes each script that is kept as a diff there, whole, and
the two that are the same for every host, which are not kept at all.
"""

import re
import sys
import zlib
from pathlib import Path
from typing import Dict

from kexec_initd.install.render import render_plain
from kexec_initd.install.standalone import SCRIPTS
from kexec_initd.install.templates import find_templates
from tests import diffs

FILES = Path(__file__).resolve().parent / "files"
DIFF = ".diff"
# The one that includes most, as it lies in templates/ with what it includes.
TEMPLATE = "rhel/kexec-initd"
INCLUDE = re.compile(r'{% include (?:"([^"]+)"|loader) %}\n')


def read(name: str) -> bytes:
    """Return a file by the name that it is kept by."""
    if name == TEMPLATE:
        return expand(name).encode("utf-8")
    content = (FILES / name).read_bytes()
    if not name.endswith(DIFF):
        return content
    head, _, diff = content.partition(b"\n")
    other, _, crc = head.decode().partition(" ")
    whole = diffs.apply(read(other), diff)
    assert _sum(whole) == crc, "{}: a template has changed".format(name)
    return whole


def expand(template: str) -> str:
    """Return a template's text with that of what it includes."""
    text = (find_templates() / template).read_text(encoding="utf-8")
    return INCLUDE.sub(lambda found: expand(found.group(1) or "standalone/load.sh"), text)


def _sum(content: bytes) -> str:
    return "{:08x}".format(zlib.crc32(content))


def keep(name: str, content: bytes) -> str:
    """Write a file, or how it differs from the one that it is most like; return the name that it has then."""
    others = [TEMPLATE, *(path.name for path in sorted(FILES.iterdir()))]
    nearest = diffs.find_nearest(content, [(other, read(other)) for other in others])
    if nearest is not None:
        name += DIFF
        content = "{} {}\n".format(nearest[0], _sum(content)).encode() + nearest[1]
    (FILES / name).write_bytes(content)
    return name


def scripts() -> Dict[str, bytes]:
    """Return each distinct script that is rendered somewhere; inittab and a list are none."""
    found = {path.name: read(path.name) for path in sorted(FILES.iterdir())}
    found.update((name, render_plain("standalone/" + name)) for name in SCRIPTS)
    return {name: content for name, content in found.items() if content.startswith(b"#!")}


if __name__ == "__main__":
    for script, text in scripts().items():
        if script.endswith(DIFF) or script in SCRIPTS:
            Path(sys.argv[1], script.replace(DIFF, "")).write_bytes(text)
