"""The settings that plain shell needs, written down by the one reader of the settings: it parses nothing by itself.

Each is a line "NAME VALUE", which is there twice (`state.checksum`), as the last step may have no program to check more.
The first says which file of settings was read (`files.identity`), so that the early step knows when another is there now.
Modules are only written down where all settings were understood: without them there is no jump (templates/common/setting.sh).
What "auto" stands for among them is there by name, for drivers that are not loaded yet as well.
"""

from pathlib import Path

from kexec_initd.settings.reader import Settings
from kexec_initd.state import checksum, store
from kexec_initd.state.store import Volatile
from kexec_initd.system import drivers


def text_for(settings: Settings) -> str:
    """Return the lines for `settings`, each once."""
    lines = ["SETTINGS {}".format(settings.seen or "-"), "SHUTDOWN_LIMIT {}".format(settings.shutdown_limit)]
    if settings.ignored is None:
        lines.append("REMOVE_MODULES {}".format(" ".join(drivers.expand(settings.remove_modules))))
    return "".join(line + "\n" for line in lines)


def write(root: Path, settings: Settings) -> None:
    """Write down what the shell needs of `settings`. Raises Refused, OSError."""
    store.write(root, Volatile.SETTINGS, checksum.double_lines(text_for(settings)))
