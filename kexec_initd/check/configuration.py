"""What the admin has put there: settings, programs before a jump and after a boot, entries with our words, lines made by hand."""

import re
from typing import Iterator

from kexec_initd.check.findings import Finding, Gathered, Origin, Severity, find_setting
from kexec_initd.decision.selection import find_copied
from kexec_initd.settings import kexec_tools
from kexec_initd.system import hand_made, hooks

PLACED = re.compile(r"(/.*?)(?:: line |, line )([0-9]+): (.*)", re.DOTALL)
DECIDING = ": reboots go through firmware"
UNQUOTED = re.compile(r"[A-Z_]+=[^\s\"'#]+[ \t]+[^\s#]")


def check_settings(gathered: Gathered) -> Iterator[Finding]:
    """Yield each line of the settings that is not understood, or unknown."""
    ignored, root = gathered.settings.ignored, str(gathered.host.root).rstrip("/")
    for warning in gathered.warnings or ([ignored] if ignored else []):
        placed = PLACED.match(warning)
        file, line, text = placed.groups() if placed else (None, None, warning)
        blocks = ignored is not None and (text.endswith(DECIDING) or warning == ignored)
        origin = Origin(file[len(root) :] if file.startswith(root) else file, int(line)) if file and line else Origin()
        text = text[: -len(DECIDING)] if text.endswith(DECIDING) else text
        yield Finding("settings", Severity.BLOCKS if blocks else Severity.WARNING, text, origin, _advise(text))
    if not gathered.warnings and not ignored:
        yield Finding("settings", Severity.OK, "every line is understood", find_setting(gathered, ""))


def _advise(text: str) -> str:
    if UNQUOTED.search(text):
        return 'put a value that has blanks into quotes, as NAME="A B"'
    return "correct or remove it, see kexec-initd(5)"


def check_hooks(gathered: Gathered) -> Iterator[Finding]:
    """Yield what is in the directories of programs: what runs, and what may have been meant to and does not."""
    for directory, blocks, moment in (
        (hooks.PRE_JUMP, Severity.BLOCKS, "before the jump"),
        (hooks.ARRIVAL, Severity.WARNING, "after a kexec's boot"),
    ):
        found, origin = hooks.find(gathered.host.root, directory), Origin("/" + directory)
        for text in found.doubts:
            advice = "name it without a dot, make it executable and root's alone, or add .disabled to its name"
            yield Finding("hooks", blocks, text, origin, advice)
        for text in found.left_out:
            if text not in found.doubts:
                yield Finding("hooks", Severity.OK, text, origin)
        if not found.left_out:
            count = "{} programs run".format(len(found.programs) or "no").replace("1 programs run", "1 program runs")
            yield Finding("hooks", Severity.OK, "{} {}".format(count, moment), origin)


def check_copied(gathered: Gathered) -> Iterator[Finding]:
    """Yield the boot entries whose command line was copied from that of a kexec."""
    menu = gathered.verdict.found.menu
    for text in find_copied(menu) if menu is not None else ():
        yield Finding("entry", Severity.WARNING, text)


def check_hand_made(gathered: Gathered) -> Iterator[Finding]:
    """Yield the lines of scripts, units and tables of cron that load or execute a kernel by hand."""
    for line in hand_made.find_lines(gathered.host.root):
        effect, advice = hand_made.describe_effect(line), hand_made.describe_removal(line)
        yield Finding("by-hand", Severity.WARNING, effect, Origin(line.path, line.number), advice)


def check_replaced(gathered: Gathered) -> Iterator[Finding]:
    """Yield the settings of kexec-tools that no longer count."""
    for line in kexec_tools.find_replaced(gathered.host.root, gathered.settings):
        origin = Origin(line.path, line.number)
        yield Finding("kexec-tools", Severity.WARNING, kexec_tools.describe(line), origin, line.instead)
