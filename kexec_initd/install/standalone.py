"""A directory that installs itself on a host without a usable Python: files, blocks, a list of both, and the scripts.

install.sh, uninstall.sh and installer.sh, which both read, are the same for every host; what they have to do there they read
from the list, which says what belongs where, a line each, and "end CRC" where it ends:

  host FAMILY INIT NAME                made for such a host
  state DIRECTORY                      of what lasts until the next boot
  halt executes | plain                what the host's own /etc/rc.d/init.d/halt does with a loaded kernel
  create PATH [CALLER]                 a new file with its directory; only where the host's CALLER names that, if one is given
  replace | optional | wrap PATH       a whole file in place of the host's own; only where the host has one, or new as well
  preload PATH                         a block in a script that may be missing or unfit
  dead-man PATH                        a block in init's own table, before what it waits for in runlevel 6
  last PATH                            a block before the last line of the host's own script
  link PATH TARGET, service NAME       a symbolic link; what update-rc.d makes in its place where insserv orders the boot
  size FILE BYTES                      of each file of this directory that is to be installed
"""

import re
from pathlib import Path
from typing import List

from kexec_initd.errors import Error
from kexec_initd.install.integrations import find_blocks
from kexec_initd.install.layout import RHEL_HALT_EXECUTES, RHEL_HALT_WITHOUT_KEXEC, OwnScript, Presence
from kexec_initd.install.offline import Rendition, write_rendition
from kexec_initd.install.render import render_plain
from kexec_initd.state import checksum
from kexec_initd.system.files import write_atomic
from kexec_initd.system.safe_path import check_path

LIST_HEADER = "kexec-initd standalone 1"
SCRIPTS = ("install.sh", "uninstall.sh", "installer.sh")
WORDS = {
    Presence.OURS: "create",
    Presence.REQUIRED: "replace",
    Presence.REPLACED_IF_THERE: "optional",
    Presence.WRAPPED: "wrap",
}
HALTS = {RHEL_HALT_EXECUTES: "executes", RHEL_HALT_WITHOUT_KEXEC: "plain"}


def write_standalone(rendition: Rendition, out: Path) -> None:
    """Write a rendition with what installs it below `out`, which is made new. Raises Refused, OSError.

    The list comes last: without it the scripts refuse, so that a directory that is not whole does nothing.
    """
    write_rendition(rendition, out)
    for name in SCRIPTS:
        write_atomic(out / name, render_plain("standalone/" + name), 0o755)
    write_atomic(out / "list", format_list(rendition), 0o644)


def write_directory(rendition: Rendition, out: Path) -> None:
    """Write the same for somebody who copies it to the host: with a README."""
    write_standalone(rendition, out)
    write_atomic(out / "README", render_plain("standalone/README"), 0o644)


def format_list(rendition: Rendition) -> bytes:
    """Return the list: what host it is for, then what belongs where, in the order of installing, and the size of each file."""
    host, record = rendition.host, rendition.record
    lines = [
        LIST_HEADER,
        "host {} {} {} {}".format(host.family.value, host.init.value, host.distribution, host.release),
        "state " + _plain(host.state_dir),
    ]
    if record in HALTS:
        lines.append("halt " + HALTS[record])
    lines += [_script_line(script) for script in record.scripts]
    lines += ["{} {}".format(block.purpose.value, _plain(block.path)) for block in find_blocks(host, record)]
    lines += ["link {} {}".format(_plain(path), target) for path, target in record.links]
    lines += _services(rendition)
    lines += ["size files{} {}".format(_plain(file.path), len(file.content)) for file in rendition.files]
    lines += ["size blocks{} {}".format(_plain(block.path), len(block.content)) for block in rendition.blocks]
    return checksum.seal("".join(line + "\n" for line in lines).encode("ascii"))


def _script_line(script: OwnScript) -> str:
    words = [WORDS[script.presence], _plain(script.path)]
    return " ".join(words + [_plain(script.caller)] if script.caller else words)


def _services(rendition: Rendition) -> List[str]:
    return ["service " + rendition.record.service] if rendition.record.debian_tools else []


def _plain(path: str) -> str:
    """Return a path that the scripts can read as one word."""
    if not re.fullmatch(r"[A-Za-z0-9/._-]+", check_path(path)):
        raise Error("{!r} is no path for the list of the standalone files".format(path))
    return path
