"""How a kernel is loaded and unloaded: by which system call, with which options of kexec(8), and what its failures mean.

kexec_load(2), the classic call, takes segments that kexec-tools has laid out; kexec_file_load(2) takes the files, and the
kernel can verify their signature. Where the running kernel takes signed ones only, or the firmware does (a cold boot
would refuse what is not signed), there is the file load and nothing else. Otherwise the classic one comes first: it can
leave the purgatory's checksum out, which the other does without a word when it is asked to. What the one call rejects the
other may take: a kernel that is locked down does not show it where securityfs is not mounted.

IMA verifies a signature at the file load, too, by a policy with a rule for it, and then refuses the classic call (the kernel's
Documentation/ABI/testing/ima_policy, and "ima_policy=", "ima_appraise=" in its kernel-parameters.txt).
"""

import enum
import re
from typing import FrozenSet, List, NamedTuple, Optional, Sequence

from kexec_initd import sentences

NO_MEMORY = (
    r"Cannot allocate memory|Cannot assign requested address|Could not find a free area of memory|locate_hole failed"
)
BUSY = "Device or resource busy"
# kexec-tools lists the segments after it has said what failed: what tells is not the last line, as it is elsewhere.
TELLING = r"(?i)fail|cannot|could not|error|not supported|denied|not permitted|invalid"


class Way(enum.Enum):
    """The two system calls, each with its option of kexec(8)."""

    CLASSIC = "-c"
    FILE = "-s"


class Rules(NamedTuple):
    """The loads that the running kernel and the firmware allow.

    `verified` says why only a kernel may be loaded whose signature the running one can verify, None where any may be;
    `config` holds the lines of the running kernel's configuration, None where there is none to be found.
    """

    verified: Optional[str]
    config: Optional[FrozenSet[str]]


def find_appraising(policy: str, cmdline: str) -> Optional[str]:
    """Say that IMA verifies what is loaded, by the rules of its policy, or by the command line where those are not shown."""
    for rule in policy.splitlines():
        if rule.split()[:1] == ["appraise"] and re.search(r"\sfunc=KEXEC_(KERNEL|INITRAMFS)_CHECK(\s|$)", rule):
            return "IMA appraises what is loaded ({})".format(rule.strip())
    words = [word.replace('"', "") for word in cmdline.split()]
    asked = [word for word in words if re.match(r"ima_policy=(.*\|)?(secure_boot|appraise_tcb)(\||$)", word)]
    off = [word for word in words if word in ("ima_appraise=off", "ima_appraise=log", "ima_appraise=fix")]
    return "IMA appraises what is loaded ({})".format(asked[0]) if asked and not off else None


def find_verified(
    lockdown: str, config: Optional[FrozenSet[str]], secure_boot: bool, appraising: Optional[str] = None
) -> Optional[str]:
    """Say why only a signed kernel may be loaded, None where any may be; `lockdown` as the kernel shows its states.

    `appraising` as find_appraising says it.
    """
    if lockdown and "[none]" not in lockdown:
        return sentences.LOCKED_DOWN
    if config is not None and "CONFIG_KEXEC_SIG_FORCE=y" in config:
        return sentences.SIGNED_ONLY
    return sentences.SECURE_BOOT if secure_boot else appraising


def find_ways(rules: Rules, options: str) -> List[Way]:
    """Return the calls to try, in order; `options` is what `kexec --help` prints, to know which options exist."""
    ways = []
    if rules.verified is None and (rules.config is None or "CONFIG_KEXEC=y" in rules.config):
        ways.append(Way.CLASSIC)
    if "--kexec-file-syscall" in options and (rules.config is None or "CONFIG_KEXEC_FILE=y" in rules.config):
        ways.append(Way.FILE)
    return ways


def load_options(way: Way, options: str, checks: bool) -> List[str]:
    """Return the options for one way; `checks` asks for the purgatory's SHA-256, which only the classic load can leave out.

    Before kexec-tools 2.0.20 the classic call needs no option, and `--no-checks` exists from 2.0.18 on.
    """
    if way is Way.FILE:
        return [way.value]
    chosen = [way.value] if "--kexec-syscall" in options and "--kexec-file-syscall" in options else []
    return chosen + (["--no-checks"] if not checks and "--no-checks" in options else [])


def is_short_of_memory(said: str) -> bool:
    """Tell whether kexec failed since there was no memory, or none at a place that would do."""
    return re.search(NO_MEMORY, said) is not None


def is_busy(said: str) -> bool:
    """Tell whether kexec failed since another load is under way: the kernel does not wait for its lock (EBUSY)."""
    return BUSY in said


def telling_line(said: str) -> str:
    """Return the line of what kexec has written to standard error that tells what failed; "" where it wrote none."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line for line in lines if re.search(TELLING, line)), lines[-1] if lines else "")


def explain(failures: Sequence[str], rules: Rules) -> str:
    """Return one sentence of why no way led to a load."""
    reason = "; ".join(failures) or "this kernel and this kexec have no system call for it in common"
    return "{} ({})".format(reason, rules.verified) if rules.verified else reason
