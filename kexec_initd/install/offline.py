"""The files for another machine, of which only the name of its distribution is known.

Nothing of this machine enters, so that every machine gives the same files. What only the host itself can tell, its
own headers and the place for a block in its own scripts, is left to the moment of installing.
"""

import os
import re
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

from kexec_initd.errors import Refused, UsageError
from kexec_initd.install import openrc
from kexec_initd.install.integrations import HINTS, find_blocks, find_systemd_integration
from kexec_initd.install.layout import DEBIAN_SYSVINIT, RHEL_HALT_EXECUTES, RHEL_HALT_WITHOUT_KEXEC, Integration
from kexec_initd.install.render import RenderedFile, fill_script, render_block, write_tree
from kexec_initd.system.host import FAMILIES, HOOKED, Family, Host, InitSystem
from kexec_initd.system.sysroot import Tree
from kexec_initd.system.virt import OLD_STATE_DIR, STATE_DIR

NOWHERE = Path("/nonexistent")
RHEL_HALT_EXECUTES_SINCE = (5,)

Release = Tuple[int, ...]


class Era(NamedTuple):
    """The releases from `since` on: the init system that is hooked there, and where state lasts until the next boot."""

    since: Release
    init: InitSystem
    state_dir: str


# Newest first. Debian's and Devuan's newer releases have systemd or sysvinit: it is the latter that is hooked.
DEBIAN = (Era((7,), InitSystem.SYSVINIT, STATE_DIR), Era((5,), InitSystem.SYSVINIT, OLD_STATE_DIR))
DEVUAN = (Era((1,), InitSystem.SYSVINIT, STATE_DIR),)
UBUNTU = (
    Era((15, 4), InitSystem.SYSTEMD, STATE_DIR),
    Era((11, 10), InitSystem.UPSTART, STATE_DIR),
    Era((8, 4), InitSystem.UPSTART, OLD_STATE_DIR),
)
RHEL = (
    Era((7,), InitSystem.SYSTEMD, STATE_DIR),
    Era((6,), InitSystem.UPSTART, OLD_STATE_DIR),
    Era((4,), InitSystem.SYSVINIT, OLD_STATE_DIR),
)
AMAZON = (  # releases 1 were named by year and month
    Era((2022,), InitSystem.SYSTEMD, STATE_DIR),
    Era((2011,), InitSystem.UPSTART, OLD_STATE_DIR),
    Era((2,), InitSystem.SYSTEMD, STATE_DIR),
    Era((1,), InitSystem.UPSTART, OLD_STATE_DIR),
)
SYSTEMD = (Era((0,), InitSystem.SYSTEMD, STATE_DIR),)  # all that are still in use
GENTOO = (Era((0,), InitSystem.OPENRC, STATE_DIR),)
DISTRIBUTIONS = {
    "artix": GENTOO,
    "gentoo": GENTOO,
    "debian": DEBIAN,
    "devuan": DEVUAN,
    "ubuntu": UBUNTU,
    "rhel": RHEL,
    "centos": RHEL,
    "scientific": RHEL,
    "oracle": RHEL,
    "amazon": AMAZON,
    "rocky": RHEL,
    "almalinux": RHEL,
    "fedora": SYSTEMD,
    "arch": SYSTEMD,
    "opensuse": SYSTEMD,
    "sles": SYSTEMD,
}


class Rendition(NamedTuple):
    """All that belongs on the other machine: whole files, blocks for scripts that it has, symbolic links."""

    host: Host
    files: List[RenderedFile]
    blocks: List[RenderedFile]
    links: Sequence[Tuple[str, str]]
    record: Integration


def render_for(target: str, init: Optional[str], standalone: bool) -> Rendition:
    """Return the files for `target`, as "ubuntu:12.04"; `init` overrides the init system that is known of it.

    Raises UsageError for a name that is not known, Refused where nothing can be hooked.
    """
    host = _imagine(target, init)
    record = _require_record(host, standalone)
    files = [
        fill_script(host, script, script.default_header.rstrip("\n"), record if standalone else None)
        for script in record.scripts
    ]
    blocks = [RenderedFile(block.path, 0o644, render_block(block)) for block in find_blocks(host, record)]
    return Rendition(host, files, blocks, record.links, record)


def write_rendition(rendition: Rendition, out: Path) -> None:
    """Write whole files and links below out/files, blocks below out/blocks. `out` is made new. Raises Refused, OSError."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Refused("{} is there already, and not an empty directory".format(out), "name another one")
    write_tree(rendition.files, out / "files")
    write_tree(rendition.blocks, out / "blocks")
    for path, target in rendition.links:
        place = out / "files" / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, str(place))


def _imagine(target: str, init: Optional[str]) -> Host:
    """Return the facts about a host of which only the distribution is known."""
    name, colon, release = target.partition(":")
    eras = DISTRIBUTIONS.get(name)
    if eras is None:
        raise UsageError("--for {}: unknown".format(target), "known are: " + ", ".join(sorted(DISTRIBUTIONS)))
    if colon and not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})*", release):
        raise UsageError("--for {}: the release must be a number, as in {}:6".format(target, name))
    era = _find_era(eras, _numbers(release)) if release else _newest(eras)
    if era is None:
        raise Refused("{} is older than anything that kexec-initd knows".format(target))
    return Host(
        root=NOWHERE,
        family=FAMILIES.get(name, Family.UNKNOWN),
        distribution=name,
        release=release or ".".join(map(str, era.since)).lstrip("0"),
        init=InitSystem(init) if init else era.init,
        kernel_release=None,
        cmdline=None,
        container=None,
        chroot=False,
        runlevel=None,
        state_dir=era.state_dir,
        tree=Tree(NOWHERE),
    )


def _require_record(host: Host, standalone: bool) -> Integration:
    what = "{} {} with the init system {}".format(host.distribution, host.release, host.init.value)
    if host.init is InitSystem.SYSTEMD and standalone:
        raise Refused("there are no files without Python for {}".format(what), "leave out --standalone")
    if host.init is InitSystem.SYSTEMD:
        return find_systemd_integration(host)
    if host.init is InitSystem.OPENRC and not standalone:
        return openrc.find_integration(host)
    if host.init not in HOOKED or host.family not in (Family.DEBIAN, Family.RHEL):
        raise Refused("there are no files for {}".format(what), HINTS.get(host.init, ""))
    if host.family is Family.DEBIAN:
        return DEBIAN_SYSVINIT
    # Amazon's release 1 is a RHEL 6. The installer looks whether the host's halt is really like this.
    executes = host.distribution == "amazon" or _numbers(host.release) >= RHEL_HALT_EXECUTES_SINCE
    return RHEL_HALT_EXECUTES if executes else RHEL_HALT_WITHOUT_KEXEC


def _find_era(eras: Sequence[Era], release: Release) -> Optional[Era]:
    return next((era for era in eras if release >= era.since), None)


def _newest(eras: Sequence[Era]) -> Era:
    """Return the newest that has SysV init's scripts, if any: what is asked for where no release is named."""
    return next((era for era in eras if era.init is not InitSystem.SYSTEMD), eras[0])


def _numbers(release: str) -> Release:
    return tuple(int(part) for part in release.split("."))
