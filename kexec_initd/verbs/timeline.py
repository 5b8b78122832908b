"""The picture of the history: a bar for each reboot along one axis of seconds, laid out here, drawn by templates/history.svg."""

import math
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from kexec_initd.errors import Error, one_line
from kexec_initd.history.guard import describe_time
from kexec_initd.history.reboots import Phase, Reboot, Stretch
from kexec_initd.install.templates import fill
from kexec_initd.system.files import write_atomic

TEMPLATE = "history.svg"
TITLE = "Reboots, from the first step of the shutdown to the end of the boot"
MOST = 40  # rows: the newest
MARGIN, LEFT, RIGHT, WIDTH = 20, 210, 880, 960
ROW, THICKNESS = 30, 22
LEGEND_TOP, LEGEND_STEP, LETTER = 56, 22, 7.4
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
TICKS = 9  # at most


class Bar(NamedTuple):
    """A part of a row: the name of its style, where it is, what is written into it, what is shown when it is pointed at."""

    name: str
    x: float
    width: float
    middle: float
    inside: str
    tip: str


class Row(NamedTuple):
    """A reboot: `total` is written behind its bars at `end`, or in their place why there are none."""

    y: int
    when: str
    way: str
    bars: Tuple[Bar, ...]
    end: float
    total: str
    style: str
    tip: str


class LegendItem(NamedTuple):
    """An entry of the legend."""

    name: str
    label: str
    x: float
    y: int


class Tick(NamedTuple):
    """A line of the axis."""

    x: float
    label: str


def write_timeline(path: Path, history: Sequence[Reboot], summary: Sequence[str]) -> None:
    """Draw the history into a file, whole or not at all. Raises Error."""
    data = fill(TEMPLATE, lay_out(history[-MOST:], summary))
    try:
        write_atomic(path, data, 0o644)
    except OSError as error:
        raise Error("cannot write {}: {}".format(path, error.strerror))


def lay_out(history: Sequence[Reboot], summary: Sequence[str]) -> Dict[str, Any]:
    """Return what the template draws."""
    legend = _lay_legend(history)
    top = (legend[-1].y if legend else LEGEND_TOP - LEGEND_STEP) + 24
    longest = max([reboot.total or 0.0 for reboot in history], default=0.0)
    step = _find_step(longest)
    count = max(1, math.ceil(longest / step))
    scale = (RIGHT - LEFT) / (step * count)
    bottom = top + 8 + ROW * len(history)
    rows = [_lay_row(reboot, top + 8 + ROW * number, scale) for number, reboot in enumerate(history)]
    ticks = [Tick(round(LEFT + step * number * scale, 1), "{} s".format(step * number)) for number in range(count + 1)]
    return {
        "title": TITLE,
        "width": WIDTH,
        "height": bottom + 44 + 18 * max(1, len(summary)),
        "margin": MARGIN,
        "left": LEFT,
        "top": top,
        "bottom": bottom,
        "thickness": THICKNESS,
        "legend": legend,
        "ticks": ticks,
        "rows": rows,
        "summary": [one_line(line) for line in summary],
    }


def _find_step(longest: float) -> int:
    return next((step for step in STEPS if step * TICKS >= longest), math.ceil(longest / TICKS))


def _style(stretch: Stretch) -> str:
    """Return the style of a stretch: that of the jump, or of the firmware, where they are part of it, else of its last phase."""
    return next((each for each in (Phase.FIRMWARE, Phase.JUMP) if each in stretch.phases), stretch.phases[-1]).value


def _lay_legend(history: Sequence[Reboot]) -> List[LegendItem]:
    """Return an entry for each stretch that is drawn, in lines."""
    order = list(Phase)
    drawn = {stretch.phases: stretch for reboot in history if reboot.total for stretch in reboot.stretches}
    items: List[LegendItem] = []
    x, y = float(MARGIN), LEGEND_TOP
    for phases in sorted(drawn, key=lambda phases: [order.index(phase) for phase in phases]):
        label = drawn[phases].label
        width = 18 + LETTER * len(label) + 18
        if x + width > WIDTH - MARGIN and x > MARGIN:
            x, y = float(MARGIN), y + LEGEND_STEP
        items.append(LegendItem(_style(drawn[phases]), label, round(x, 1), y))
        x += width
    return items


def _lay_row(reboot: Reboot, y: int, scale: float) -> Row:
    entry = reboot.entry
    bars: List[Bar] = []
    x = float(LEFT)
    for stretch in reboot.stretches if reboot.total is not None else ():
        bar = _lay_bar(stretch, x, scale)
        bars.append(bar)
        x += bar.width
    return Row(
        y=y,
        when=describe_time(int(reboot.time))[: -len(" UTC")],
        way=entry.kind.value,
        bars=tuple(bars),
        end=round(x + 8, 1),
        total=_describe_total(reboot.total, reboot.note),
        style="faint" if reboot.total is None else "sum",
        tip=one_line("{}: {}".format(entry.code, entry.reason)),
    )


def _describe_total(total: Optional[float], note: Optional[str]) -> str:
    return "{:.1f} s".format(total) if total is not None else note or ""


def _lay_bar(stretch: Stretch, x: float, scale: float) -> Bar:
    seconds = stretch.seconds or 0.0
    width = seconds * scale
    inside = "{:.1f}".format(seconds)
    return Bar(
        name=_style(stretch),
        x=round(x, 2),
        width=round(width, 2),
        middle=round(x + width / 2, 1),
        inside=inside if width > LETTER * len(inside) + 4 else "",
        tip="{}: {} s".format(stretch.label, inside),
    )
