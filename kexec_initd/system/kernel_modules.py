"""Kernel modules that are loaded, what uses each, and the consoles that hold a driver of graphics.

The last step imports it where modules are to be removed: the standard library alone. See proc(5) for /proc/modules, and
Documentation/fb/fbcon.rst in the kernel for consoles.
"""

import os

from kexec_initd.system import raw

TYPE_CHECKING = False  # as in typing, whose import takes longer than all that the last step imports
if TYPE_CHECKING:
    from typing import Dict, List, Sequence, Tuple

CONSOLES = "sys/class/vtconsole"
AUTO = "auto"  # in a list of modules: the drivers of graphics, which stand behind it in what the last step is given


def read_loaded(root: str) -> "Dict[str, Tuple[str, List[str]]]":
    """Return, by name, how often each module is in use as the kernel says it, and the modules among what uses it."""
    loaded = {}
    for row in (raw.read_text(os.path.join(root, "proc/modules"), limit=1 << 20) or "").splitlines():
        words = row.split() + ["-"] * 3
        loaded[words[0]] = words[2], [name for name in words[3].split(",") if name not in ("", "-")]
    return loaded


def plain_name(name: str) -> str:
    """Return a module's name as the kernel has it; modprobe(8) takes a hyphen for an underscore."""
    return name.replace("-", "_")


def find_consoles(root: str) -> "List[str]":
    """Return the files by which the consoles on a frame buffer that are bound now are bound."""
    directory = os.path.join(root, CONSOLES)
    try:
        places = [os.path.join(directory, name) for name in sorted(os.listdir(directory))]
    except OSError:
        return []
    return [
        place + "/bind" for place in places if _shows(place + "/name", "frame buffer") and _shows(place + "/bind", "1")
    ]


def bind(files: "Sequence[str]", word: str) -> None:
    """Bind consoles ("1"), or unbind them ("0"), by those files; one that is gone, or does not want to, stays as it is."""
    for path in files:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, word.encode())
            finally:
                os.close(fd)
        except OSError:
            pass


def _shows(path: str, text: str) -> bool:
    return text in (raw.read_text(path) or "")
