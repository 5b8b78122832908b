"""The distinct files that rendering gives, as they are kept: whole, or as a diff from another, which may be one.

`python3 -m tests.render.kept DIRECTORY` writes each script that is kept as a diff there, whole, and
the two that are the same for every host, which are not kept at all.
"""

import sys
from pathlib import Path
from typing import Dict

from kexec_initd.install.render import render_plain
from kexec_initd.install.standalone import SCRIPTS
from tests import diffs

FILES = Path(__file__).resolve().parent / "files"
DIFF = ".diff"


def read(name: str) -> bytes:
    """Return a file by the name that it is kept by; the first line of a diff names the file that it changes."""
    content = (FILES / name).read_bytes()
    if not name.endswith(DIFF):
        return content
    other, _, diff = content.partition(b"\n")
    return diffs.apply(read(other.decode()), diff)


def keep(name: str, content: bytes) -> str:
    """Write a file, or how it differs from the one that it is most like; return the name that it has then."""
    nearest = diffs.find_nearest(content, [(path.name, read(path.name)) for path in sorted(FILES.iterdir())])
    if nearest is not None:
        name += DIFF
        content = b"\n".join((nearest[0].encode(), nearest[1]))
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
