"""How a benchmark says its figures: a table for people, one JSON object for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

Cell = str | int | float | None


@dataclass(frozen=True)
class Report:
    """`columns` names what each row holds, with its unit. `notes` say what was measured and how."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, Cell]]
    notes: Sequence[str] = ()
    settings: Mapping[str, Cell] = field(default_factory=dict)

    def say(self, *, as_json: bool) -> None:
        """Write it to the standard output."""
        if as_json:
            print(json.dumps({"title": self.title, "settings": self.settings, "rows": self.rows, "notes": self.notes}))
            return
        table = Table(title=self.title, title_justify="left")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="left" if number == 0 else "right")
        for row in self.rows:
            table.add_row(*(text(row.get(column)) for column in self.columns))
        console = Console(width=160, soft_wrap=True)
        console.print(table)
        for note in self.notes:
            console.print(note, highlight=False, markup=False)


def text(value: Cell) -> str:
    """A figure with as many digits as it is worth; an empty cell for what was not measured."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else value
