"""The preconditions of the decision, each with what holds, where that stands, and what to do where it does not.

The facts are those of `decision.policy`: what is told here as "blocks" is what makes a reboot cold, and nothing else does.
"""

from typing import Callable, Dict, Iterator, NamedTuple

from kexec_initd import sentences
from kexec_initd.check.findings import Finding, Gathered, Origin, Severity, find_setting
from kexec_initd.codes import Code
from kexec_initd.decision.assess import COLD_ONCE
from kexec_initd.decision.policy import list_preconditions
from kexec_initd.history import attempts
from kexec_initd.system import process


class Precondition(NamedTuple):
    """A precondition by its name: what holds where nothing is wrong, where that stands, and what to do otherwise."""

    name: str
    holds: Callable[[Gathered], str]
    origin: Callable[[Gathered], Origin] = lambda gathered: Origin()
    advice: str = ""


def _is(text: str) -> Callable[[Gathered], str]:
    return lambda gathered: text


def _at(file: str) -> Callable[[Gathered], Origin]:
    return lambda gathered: Origin(file)


def _set_by(key: str) -> Callable[[Gathered], Origin]:
    return lambda gathered: find_setting(gathered, key)


def _describe_program(gathered: Gathered) -> str:
    found = process.find(gathered.host.root, "kexec")
    return "the program kexec and the kernel's support are there{}".format(
        " (/{})".format(found.relative_to(gathered.host.root)) if found else ""
    )


def _describe_platform(gathered: Gathered) -> str:
    if gathered.settings.force_platform:
        return "FORCE_PLATFORM=yes: whether the platform survives a kexec is not asked"
    return "no platform that is known not to survive a kexec"


def _describe_entry(gathered: Gathered) -> str:
    return "the next entry is {}".format(gathered.verdict.found.facts.target)


def _find_entry(gathered: Gathered) -> Origin:
    menu = gathered.verdict.found.menu
    if menu is None or menu.default is None:
        return Origin()
    source = menu.source or menu.offered[menu.default].source
    return Origin(str(source.path), source.line or None)


def _describe_limit(key: str) -> Callable[[Gathered], str]:
    def describe(gathered: Gathered) -> str:
        limit = getattr(gathered.settings, key.lower())
        return "{}={} is not reached".format(key, limit) if limit else "{}=no: no limit".format(key)

    return describe


def _describe_trial(gathered: Gathered) -> str:
    wanted = gathered.settings.trial
    if not wanted:
        return "the host is not on trial"
    arrived = gathered.verdict.found.record.total
    watched = "" if arrived >= wanted else ", and somebody watches the next"
    return "{} of {} kexecs of the trial have arrived{}".format(min(arrived, wanted), wanted, watched)


_MACHINE = Precondition("machine", _is("a whole machine: no container, no chroot"))
_ENTRY = Precondition("entry", _describe_entry, _find_entry, "kexec-initd target has the details")
# What the checks of the installation and of the hooks tell line by line, see `installation` and `behaviour`.
TOLD_ELSEWHERE = (Code.NOT_INSTALLED, Code.HOOKS, Code.SETTINGS)
PRECONDITIONS: Dict[Code, Precondition] = {
    Code.COLD_ONCE: Precondition(
        "cold-once",
        _is("nothing asks for one reboot through firmware"),
        _at("/" + COLD_ONCE),
        "kexec-initd cold --cancel removes it; it holds for one reboot",
    ),
    Code.SWITCHED_OFF: Precondition("switch", _is("KEXEC=yes"), _set_by("KEXEC"), "kexec-initd on"),
    Code.CONTAINER: _MACHINE,
    Code.CHROOT: _MACHINE,
    Code.INIT: Precondition("init", lambda gathered: "{} runs, and calls us".format(gathered.host.init.value)),
    Code.PLATFORM: Precondition("platform", _describe_platform, _set_by("FORCE_PLATFORM")),
    Code.UNSUPPORTED: Precondition("kexec", _describe_program),
    Code.FIRMWARE: _ENTRY,
    Code.UPDATE: _ENTRY,
    Code.NO_TARGET: _ENTRY,
    Code.GUARD: Precondition(
        "guard",
        _is("the guard is open"),
        _at(str(attempts.PATH)),
        "find out why it did not arrive, then kexec-initd trust",
    ),
    Code.LIMIT_KEXECS: Precondition(
        "limit-kexecs", _describe_limit("MAX_KEXECS"), _set_by("MAX_KEXECS"), "one reboot through firmware begins anew"
    ),
    Code.LIMIT_DAYS: Precondition(
        "limit-days", _describe_limit("MAX_DAYS"), _set_by("MAX_DAYS"), "one reboot through firmware begins anew"
    ),
    Code.TRIAL: Precondition(
        "trial", _describe_trial, _set_by("TRIAL"), "kexec-initd trial, then reboot within an hour"
    ),
}
# What to do depends on what is wrong: by the beginning of its sentence.
HINTS = (
    (
        sentences.UNHOOKED.partition("{}")[0],
        "kexec-initd install hooks the init system that runs, where that can be done",
    ),
    (sentences.NO_PROGRAM, "install the package kexec-tools"),
    (sentences.NOT_BUILT, "install a kernel that has it"),
    (sentences.NO_KEXEC, "install a kernel that has it"),
    (sentences.DISABLED, "reboot once, and find out what sets it (/etc/sysctl.d)"),
    (sentences.USED_UP, "reboot once, and find out what sets it (/etc/sysctl.d)"),
    (sentences.CAPTURE, "reboot"),
)


def check_preconditions(gathered: Gathered) -> Iterator[Finding]:
    """Yield a finding for each precondition of the decision."""
    for code, reason in list_preconditions(gathered.verdict.found.facts):
        if code in TOLD_ELSEWHERE:
            continue
        row = PRECONDITIONS[code]
        if reason is None:
            yield Finding(row.name, Severity.OK, row.holds(gathered), row.origin(gathered))
        else:
            advice = next((hint for start, hint in HINTS if reason.startswith(start)), row.advice)
            yield Finding(row.name, Severity.BLOCKS, reason, row.origin(gathered), advice)
