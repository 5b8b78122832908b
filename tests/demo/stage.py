"""What the demonstration shows to a person: each step while it goes on and how long it took, at the end the evidence."""

import contextlib
import re
import time
from pathlib import Path
from typing import Iterator, List, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 96


class Stage:
    """Prints to the terminal and remembers it for a picture."""

    def __init__(self) -> None:
        self.console = Console(record=True, width=WIDTH, highlight=False)
        # Progress is not for the picture, and not for a pipe that reads the result.
        self.progress = Console(stderr=True, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[List[str]]:
        """Show that `title` is going on, then that it is done; lines put into the list are shown below it."""
        said: List[str] = []
        started = time.monotonic()
        with self.progress.status(title + " ..."):
            if not self.progress.is_terminal:
                self.progress.print(title + " ...")
            yield said
        seconds = time.monotonic() - started
        self.console.print(Text.assemble(("ok  ", "bold green"), title, (f" ({seconds:.0f} s)", "dim")))
        for line in said:
            self.console.print(Text.assemble(("|   ", "dim"), (line, "cyan")))

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show a table; the last row stands out."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for number, title in enumerate(header):
            table.add_column(title, style="dim" if number == 0 else None, no_wrap=True)
        for row in rows:
            table.add_row(*row, style="bold" if row is rows[-1] else None)
        self.console.print(table)

    def say(self, text: str) -> None:
        """Show a paragraph."""
        self.console.print(Text(text))

    def save(self, svg: Path) -> None:
        """Write what was shown as a picture, with the reader's own fonts instead of some to be fetched."""
        picture = self.console.export_svg(title="./scripts/demo")
        picture = re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", picture, flags=re.DOTALL)
        svg.write_text(picture, encoding="utf-8")
