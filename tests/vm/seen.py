"""What guests were seen to do, a table that adds up from run to run: a column and a row name a cell."""

import json
import time
from pathlib import Path
from typing import Dict, Iterable, List

from tests.vm.cache import CHECKOUT

NOT_RUN = "not run"


class Seen:
    """The cells of one table, kept in build/ of this checkout."""

    def __init__(self, name: str) -> None:
        self.path = CHECKOUT / "build" / (name + ".json")
        self.document: Path = CHECKOUT / "docs" / "reports" / (name + ".md")

    def read(self) -> Dict[str, Dict[str, str]]:
        """Return the cells by column and row."""
        found: Dict[str, Dict[str, str]] = json.loads(self.path.read_text("utf-8")) if self.path.exists() else {}
        return found

    def keep(self, column: str, row: str, text: str) -> None:
        """Keep one cell, and the day."""
        cells = self.read()
        cells.setdefault(column, {}).update({row: text, "day": time.strftime("%Y-%m-%d")})
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(json.dumps(cells, indent=1), "utf-8")

    def days(self) -> str:
        """Return the first and the last day of what was seen."""
        days = sorted(column["day"] for column in self.read().values())
        return " to ".join(dict.fromkeys([days[0], days[-1]])) if days else NOT_RUN

    def table(self, corner: str, columns: Dict[str, str], rows: Iterable[str]) -> str:
        """Return the table, its columns with the heads that are given."""
        cells = self.read()
        lines: List[List[str]] = [[corner, *columns.values()], ["---"] * (len(columns) + 1)]
        lines += [[row, *(cells.get(column, {}).get(row, NOT_RUN) for column in columns)] for row in rows]
        return "\n".join("| {} |".format(" | ".join(line)) for line in lines)
