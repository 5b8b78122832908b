"""What `install` has put in place: is all of it there and called, and does the boot reach what loads the kernel?"""

import re
from typing import Iterator, Optional

from kexec_initd.check.findings import Finding, Gathered, Origin, Severity
from kexec_initd.install.boot_end import find_missed_preload
from kexec_initd.install.deviations import REPAIR
from kexec_initd.install.managed_block import find_block
from kexec_initd.install.manifest import PATH, ChangeKind, is_standalone
from kexec_initd.install.outdated import list_outdated
from kexec_initd.system.files import read_bytes
from kexec_initd.system.safe_path import below

SCRIPT_LIMIT = 1 << 20
RC_LOCAL = "/rc.local"
# Not one that stands deeper, under a condition; and `exec >LOG` goes on.
END = re.compile(rb"^(?:exit\b|return\b|exec[ \t]+[A-Za-z/\"$])", re.MULTILINE)


def check_installation(gathered: Gathered) -> Iterator[Finding]:
    """Yield what is not as `install` left it, or would leave it."""
    host, verdict = gathered.host, gathered.verdict
    deviations, manifest = verdict.found.deviations, verdict.manifest
    if manifest is None:
        by_shell = is_standalone(host.root)
        fact = "what is here was installed by install.sh" if by_shell else "kexec-initd is not installed"
        yield Finding("installed", Severity.BLOCKS, fact, advice="kexec-initd install" + " --take-over" * by_shell)
        return
    for deviation in deviations:
        level = Severity.BLOCKS if deviation.decides else Severity.WARNING
        yield Finding("installed", level, deviation.text, Origin(deviation.path), deviation.hint)
    outdated = list_outdated(host, deviations)
    for text in outdated:
        yield Finding("installed", Severity.WARNING, text, advice=REPAIR)
    if not deviations and not outdated:
        text = "all {} files and links are as they were installed".format(len(manifest.entries))
        yield Finding("installed", Severity.OK, text, Origin(PATH))


def check_boot_end(gathered: Gathered) -> Iterator[Finding]:
    """Yield whether the step at the end of the boot, which loads the kernel, was reached in this boot and will be in the next."""
    if not gathered.verdict.installed:
        return
    found = list(_find_early_ends(gathered))
    missed = find_missed_preload(gathered.host)
    if missed is not None and not found:
        found.append(Finding("boot-end", Severity.WARNING, missed))
    if not found:
        found.append(Finding("boot-end", Severity.OK, "the step at the end of the boot is reached"))
    yield from found


def _find_early_ends(gathered: Gathered) -> Iterator[Finding]:
    manifest = gathered.verdict.manifest
    for entry in manifest.entries if manifest else ():
        if entry.kind is ChangeKind.BLOCK and entry.path.endswith(RC_LOCAL):
            line = find_early_end(read_bytes(below(gathered.host.root, entry.path), SCRIPT_LIMIT) or b"")
            if line is not None:
                fact = "{} ends before our block, so no kernel is loaded at boot".format(entry.path)
                advice = "put what stands before our block behind it"
                yield Finding("boot-end", Severity.WARNING, fact, Origin(entry.path, line), advice)


def find_early_end(script: bytes) -> Optional[int]:
    """Return the line, from 1, at which a script ends before the block of ours that it has; None for one that goes on."""
    span = find_block(script)
    found = END.search(script, 0, span.start) if span else None
    return None if found is None else script.count(b"\n", 0, found.start()) + 1
