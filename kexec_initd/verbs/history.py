"""The verb history: the reboots that have been, as a table with bars, as JSON (docs/schema/history.json), or as a picture."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from kexec_initd.errors import one_line
from kexec_initd.history import reboots
from kexec_initd.history.guard import describe_time
from kexec_initd.history.reboot_log import Kind
from kexec_initd.history.reboots import Medians, Phase, Reboot, Stretch
from kexec_initd.state import store
from kexec_initd.state.store import Lasting
from kexec_initd.system.host import Host
from kexec_initd.system.stdio import emit, warn
from kexec_initd.verbs.common import read_settings

VERSION = 1
BAR = 24


class Column(NamedTuple):
    """A column of the table, and how its phases are drawn, on a terminal of UTF-8 and on any other."""

    name: str
    phases: Tuple[Phase, ...]
    block: str
    letter: str


COLUMNS = (
    Column("stop", (Phase.STOPPING,), "█", "s"),
    Column("disks", (Phase.FILE_SYSTEMS,), "▓", "d"),
    Column("jump", (Phase.JUMP, Phase.FIRMWARE, Phase.LOADER), "▒", "j"),
    Column("kernel", (Phase.KERNEL,), "░", "k"),
    Column("start", (Phase.STARTING,), "·", "."),
)
NEXT = ">"  # counted with the next column
WAYS = {Kind.KEXEC: "through kexec", Kind.COLD: "through firmware"}
NO_COLD = "how much time kexec saves is not known: no reboot through firmware was measured yet"
EMPTY = "no reboot is known yet: each is written down at the end of the boot that it leads to"


def run_history(args: argparse.Namespace, host: Host) -> None:
    """Print the history, or write its picture."""
    store.refuse_unreadable(host.root)
    found = reboots.read_history(host.root, read_settings(host).shutdown_limit)
    if store.is_there(host.root, Lasting.HISTORY_DAMAGED):
        warn(
            "{} is what was damaged: older reboots are in there".format(
                store.path_of(host.root, Lasting.HISTORY_DAMAGED)
            )
        )
    if args.svg is not None:
        from kexec_initd.verbs import timeline

        timeline.write_timeline(Path(args.svg), found, summarize(found))
    if args.json:
        emit(as_json(found))
    elif args.svg is None:
        emit(as_text(found, "utf" in (sys.stdout.encoding or "").lower()))


def as_json(history: Sequence[Reboot]) -> str:
    """Return the history as one JSON object."""
    return json.dumps(describe(history), indent=2)


def describe(history: Sequence[Reboot]) -> Dict[str, object]:
    """Return the document that docs/schema/history.json describes."""
    medians = {kind: reboots.find_medians(history, kind) for kind in Kind}
    saved = reboots.find_saved(history)
    return {
        "version": VERSION,
        "reboots": [_describe_reboot(reboot) for reboot in history],
        "medians": {kind.value: _describe_medians(found) for kind, found in medians.items()},
        "saved_seconds": None if saved is None else round(saved, 1),
    }


def _describe_reboot(reboot: Reboot) -> Dict[str, object]:
    entry = reboot.entry
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(reboot.time)),
        "kind": entry.kind.value,
        "code": entry.code,
        "reason": entry.reason,
        "kernel": entry.release,
        "kernel_before": entry.release_before,
        "boot_id": entry.boot,
        "boot_id_before": entry.boot_before,
        "phases": [_describe_stretch(stretch.phases, stretch.seconds) for stretch in reboot.stretches],
        "seconds": _rounded(reboot.total),
        "clock_stepped": reboot.stepped,
        "note": reboot.note,
    }


def _describe_stretch(phases: Sequence[Phase], seconds: Optional[float]) -> Dict[str, object]:
    return {"names": [phase.value for phase in phases], "seconds": _rounded(seconds)}


def _describe_medians(found: Optional[Medians]) -> Optional[Dict[str, object]]:
    if found is None:
        return None
    phases = [_describe_stretch(each, seconds) for each, seconds in found.stretches.items()]
    return {"reboots": found.number, "seconds": _rounded(found.total), "phases": phases}


def _rounded(seconds: Optional[float]) -> Optional[float]:
    return None if seconds is None else round(seconds, 2)


def as_text(history: Sequence[Reboot], unicode: bool = True) -> str:
    """Return the history for a person, the newest last; `unicode` draws the bars with blocks."""
    if not history:
        return EMPTY
    longest = max([reboot.total or 0.0 for reboot in history])
    names = "".join("{:>8}".format(column.name) for column in COLUMNS)
    lines = ["{:16}  {:5}{}{:>9}".format("date (UTC)", "way", names, "total s")]
    for reboot in history:
        lines += _describe_row(reboot, longest, unicode)
    marks = ", ".join("{} {}".format(_mark(column, unicode), column.name) for column in COLUMNS)
    legend = "{}; {} counted with the next one; disks: file systems, jump: or firmware and boot loader".format(
        marks, NEXT
    )
    return "\n".join(map(one_line, [*lines, "", legend, *summarize(history)]))


def _describe_row(reboot: Reboot, longest: float, unicode: bool) -> List[str]:
    """Return the line of a reboot, and one more for what is out of the ordinary."""
    entry = reboot.entry
    cells = "".join("{:>8}".format(_cell(reboot.stretches, column.phases)) for column in COLUMNS)
    total = "-" if reboot.total is None else "{:.1f}".format(reboot.total)
    bar = _draw(reboot, longest, unicode)
    when = describe_time(int(reboot.time))[: -len(" UTC")]
    lines = ["{:16}  {:5}{}{:>9}  {}".format(when, entry.kind.value, cells, total, bar).rstrip()]
    more = (
        []
        if entry.release_before in (None, entry.release)
        else ["{} -> {}".format(entry.release_before, entry.release)]
    )
    if entry.kind is Kind.COLD:
        more.append("{} ({})".format(entry.reason, entry.code))
    more += [] if reboot.note is None else [reboot.note]
    return [*lines, "{:18}{}".format("", "; ".join(more))] if more else lines


def _cell(stretches: Sequence[Stretch], phases: Sequence[Phase]) -> str:
    """Return what a column has of the stretches that end in it; a mark where its own ends in a later one."""
    ending = [stretch.seconds for stretch in stretches if stretch.phases[-1] in phases]
    if not ending:
        known = any(stretch.seconds is not None for stretch in stretches if set(phases) & set(stretch.phases))
        return NEXT if known else "-"
    seconds = [each for each in ending if each is not None]
    return "{:.1f}".format(sum(seconds)) if seconds else "-"


def _draw(reboot: Reboot, longest: float, unicode: bool) -> str:
    """Return the bar of a reboot that was measured whole; the longest fills its place."""
    if reboot.total is None or not longest:
        return ""
    bar, after = "", 0.0
    for stretch in reboot.stretches:
        after += stretch.seconds or 0.0
        column = next(column for column in COLUMNS if stretch.phases[-1] in column.phases)
        bar += _mark(column, unicode) * (round(after / longest * BAR) - len(bar))
    return bar


def _mark(column: Column, unicode: bool) -> str:
    return column.block if unicode else column.letter


def summarize(history: Sequence[Reboot]) -> List[str]:
    """Return a sentence for the medians of each kind, and one for the time saved."""
    lines, found = [], {kind: reboots.find_medians(history, kind) for kind in Kind}
    for kind, medians in found.items():
        if medians is not None:
            each = ", ".join(
                "{} {:.1f}".format(Stretch(phases, None).label, seconds)
                for phases, seconds in medians.stretches.items()
            )
            lines.append("{} {}: median {:.1f} s ({})".format(_count(medians.number), WAYS[kind], medians.total, each))
    saved, kexec = reboots.find_saved(history), found[Kind.KEXEC]
    if saved is not None and kexec is not None:
        verb = "saved" if saved >= 0 else "took longer by"
        lines.append(
            "{} {} {} {} against the median cold one".format(
                _count(kexec.number), WAYS[Kind.KEXEC], verb, describe_span(abs(saved))
            )
        )
    elif kexec is not None:
        lines.append(NO_COLD)
    return lines


def _count(number: int) -> str:
    return "1 reboot" if number == 1 else "{} reboots".format(number)


def describe_span(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    if seconds < 120:
        return "{:.0f} s".format(seconds)
    return "{:.0f} min".format(seconds / 60) if seconds < 7200 else "{:.1f} h".format(seconds / 3600)
