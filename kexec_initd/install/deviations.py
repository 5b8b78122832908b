"""What is installed, compared with what install left there: each thing that has been changed behind our back, in a sentence.

From the manifest and the disk alone, without jinja2 and without dpkg's programs, since a shutdown asks, too: a jump is only
counted on while every script that takes part in it is ours, whole, and called. See startpar(8), insserv(8).
"""

import os
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Sequence

from kexec_initd import sentences
from kexec_initd.errors import Refused
from kexec_initd.install import inittab
from kexec_initd.install.conffiles import DIVERSIONS, is_diverted
from kexec_initd.install.file_copy import Observed, observe
from kexec_initd.install.layout import DEBIAN_HOOKS, INITTAB, INTEGRATIONS, LOAD_UNIT, NAME, RHEL_HOOKS, UNIT_SUFFIX
from kexec_initd.install.managed_block import read_block
from kexec_initd.install.manifest import ChangeKind, InstallState, Manifest, ManifestEntry, read_manifest
from kexec_initd.install.originals import find_loss, is_ours, kept_path
from kexec_initd.install.rc_links import find_links
from kexec_initd.system.files import digest, exists, read_bytes
from kexec_initd.system.host import OPENRC_OFF
from kexec_initd.system.safe_path import below, locate, real

LAST_STEP = "/etc/init.d/reboot"
REPAIR = "{} install puts it right".format(NAME)
# Without them the kernel is loaded later, a change of it is noticed by its file alone, or what holds rc up does so for ever;
# or the admin's own load has failed where he sees it.
OPTIONAL = frozenset(
    [LOAD_UNIT, *(script.path for script in DEBIAN_HOOKS + RHEL_HOOKS)]
    + [block.path for record in INTEGRATIONS for block in record.blocks if block.optional]
)
LINKS = ("/rc6.d/", "/runlevels/")
FILE_RC = "etc/runlevel.conf"
ORDERS = ("etc/init.d/.depend.boot", "etc/init.d/.depend.start", "etc/init.d/.depend.stop")
STARTPAR = ("sbin/startpar", "bin/startpar", "usr/sbin/startpar", "usr/bin/startpar", "lib/startpar/bin/startpar")
ORDER_LIMIT = 1 << 20


class Deviation(NamedTuple):
    """One thing that is not as install left it. It `decides` where a reboot through kexec cannot be counted on with it.

    `hint` says what to do, where the text itself does not.
    """

    path: str
    text: str
    decides: bool
    hint: str = REPAIR


def find_deviations(root: Path) -> List[Deviation]:
    """Return all deviations of what is installed below `root`; none where nothing is. Raises Refused for a damaged manifest."""
    found = read_manifest(root)
    if found is None:
        return []
    deviations = []
    if found.state is not InstallState.INSTALLED:
        what = "removal" if found.state is InstallState.REMOVING else "install"
        deviations.append(Deviation("/", "the last {} was interrupted".format(what), True))
    for entry in found.entries:
        called = any(part in entry.path for part in LINKS) or entry.path.endswith(UNIT_SUFFIX)
        decides = entry.path not in OPTIONAL and (entry.kind is not ChangeKind.SYMLINK or called)
        deviations.extend(Deviation(entry.path, text, decides) for text in _describe(root, entry))
        loss = find_loss(root, entry) if entry.kind is ChangeKind.REPLACED else None
        if loss is not None:
            # One that somebody has edited stands in the way of a removal only.
            deviations.append(Deviation(kept_path(entry.path), loss.text, decides and not loss.edited, ""))
    if found.find(LAST_STEP) is not None:
        deviations.extend(_find_order(root))
    return deviations


def find_obstacle(deviations: Sequence[Deviation]) -> Optional[str]:
    """Say why a reboot through kexec cannot be counted on with what is installed; None where it can, or nothing is installed."""
    found = [deviation for deviation in deviations if deviation.decides]
    return "; ".join(part for part in (found[0].text, found[0].hint) if part) if found else None


def watched(root: Path) -> List[Path]:
    """Return the files, as the host sees them, by which `find_obstacle` may say something else when they change."""
    try:
        found = read_manifest(root) or Manifest(InstallState.INSTALLED, (), ())
    except Refused:
        return []
    scripts = [
        entry for entry in found.entries if entry.kind in (ChangeKind.CREATED, ChangeKind.REPLACED, ChangeKind.BLOCK)
    ]
    paths = [entry.path for entry in scripts if entry.path not in OPTIONAL]
    kept = [kept_path(entry.path) for entry in scripts if entry.kind is ChangeKind.REPLACED]
    records = [DIVERSIONS] if any(entry.diverted for entry in scripts) else []
    return [Path(path) for path in paths + kept + records]


def _describe(root: Path, entry: ManifestEntry) -> Iterator[str]:
    """Yield what is wrong with one thing that was installed."""
    if entry.kind is ChangeKind.SYMLINK:
        place = locate(root, entry.path)
        if not place.is_symlink() or os.readlink(str(place)) not in entry.ours:
            yield "the link {} is gone".format(entry.path)
    elif entry.kind is not ChangeKind.LINKS:
        try:
            yield from _describe_file(root, entry, observe(root, entry.path))
        except Refused as error:
            yield str(error)
    if entry.diverted and not is_diverted(root, entry.path, kept_path(entry.path), NAME):
        yield "dpkg has no diversion of {} any more: an upgrade of its package would overwrite ours".format(entry.path)


def _describe_file(root: Path, entry: ManifestEntry, seen: Optional[Observed]) -> Iterator[str]:
    if seen is None:
        yield sentences.GONE.format(entry.path)
    elif entry.kind is ChangeKind.BLOCK:
        block = read_block(seen.data)
        if block is None:
            yield "{} has no block of ours any more".format(entry.path)
        elif digest(block) not in entry.ours:
            yield "our block in {} was changed".format(entry.path)
        elif entry.path == INITTAB and inittab.is_behind(seen.data):
            yield "our block in {} comes behind an entry that init waits for in runlevel 6".format(entry.path)
    elif not is_ours(seen):
        yield sentences.NOT_OURS.format(entry.path)
    elif digest(seen.data) not in entry.ours:
        yield sentences.CHANGED.format(entry.path)
    if seen is not None and not seen.mode & 0o100 and entry.path != INITTAB and not entry.path.endswith(UNIT_SUFFIX):
        yield sentences.NOT_EXECUTABLE.format(entry.path)


def _find_order(root: Path) -> Iterator[Deviation]:
    """Yield what keeps init from calling our scripts on a host whose last step is /etc/init.d/reboot."""
    if exists(below(root, FILE_RC)):
        return  # file-rc has no links
    for service in (NAME, "reboot"):
        if not is_linked(root, service):
            hint = REPAIR if service == NAME else "update-rc.d {} defaults makes it".format(service)
            yield Deviation("/etc/rc6.d", "/etc/rc6.d has no link to /etc/init.d/{}".format(service), True, hint)
    if not is_in_openrc(root):
        yield Deviation("/" + OPENRC_OFF, "the link /{} is gone".format(OPENRC_OFF), True)
    if not is_ordered(root, NAME):
        text = "/{} does not name {}, so that startpar leaves it out".format(ORDERS[2], NAME)
        yield Deviation("/etc/rc6.d", text, True)


def is_linked(root: Path, service: str) -> bool:
    """Tell whether init runs the script of `service` when it goes to runlevel 6."""
    script = "/etc/init.d/" + service
    links = [path for path in find_links(root, service) if path.parent.name == "rc6.d"]
    return real(root, script) in {real(root, "/etc/rc6.d/" + path.name) for path in links} and exists(
        below(root, script)
    )


def is_in_openrc(root: Path) -> bool:
    """Tell whether Debian's OpenRC, where there is one, stops our script in the shutdown."""
    return not exists(below(root, "sbin/openrc")) or exists(below(root, OPENRC_OFF))


def is_ordered(root: Path, service: str) -> bool:
    """Tell whether startpar runs `service` at shutdown, where /etc/init.d/rc leaves that to it: it follows insserv's record."""
    records = [read_bytes(below(root, path), ORDER_LIMIT) for path in ORDERS]
    legacy = exists(below(root, "etc/init.d/.legacy-bootordering"))
    if legacy or not all(records) or not any(exists(below(root, path)) for path in STARTPAR):
        return True
    targets = next((line for line in (records[2] or b"").split(b"\n") if line.startswith(b"TARGETS")), b"")
    return service.encode() in targets.partition(b"=")[2].split()
