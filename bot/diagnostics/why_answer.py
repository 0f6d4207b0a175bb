"""An answer to "why": sentences first, tables second; the same as JSON."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from bot.diagnostics.listing import paper, since, time_text
from bot.diagnostics.terminal import table
from bot.domain.money import plain

Cell = str | int | bool | Decimal | datetime | None
_PLACES = Decimal("0.00000001")


@dataclass(frozen=True)
class Listing:
    """Rows of one kind. `columns` are the headings by the key of the rows; keys without one are in the JSON alone."""

    name: str
    title: str
    columns: Mapping[str, str]
    rows: Sequence[Mapping[str, Cell]]
    # What the JSON has in the place of the rows, where these are rounded for people.
    exact: Sequence[Mapping[str, Any]] | None = None
    # The columns whose cells may take several lines; none said = all.
    wraps: Collection[str] = ()

    def json(self) -> list[Mapping[str, Any]]:
        return [_json_row(row) for row in self.rows] if self.exact is None else list(self.exact)


@dataclass
class Answer:
    """`sentences` in the order of their weight; `wrong` = something is not as it should be."""

    sentences: list[str] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    wrong: bool = False

    def say(self, sentence: str) -> None:
        if sentence:
            self.sentences.append(sentence)

    def show(self, listing: Listing) -> None:
        self.listings.append(listing)

    def json(self) -> dict[str, Any]:
        """Amounts are text, times UTC, and what is not known is null."""
        listed = {each.name: each.json() for each in self.listings}
        return {"answer": self.sentences, "wrong": self.wrong, **self.facts, **listed}

    def print(self, at: datetime) -> None:
        """For a person who reads at this moment."""
        console = paper()
        for sentence in self.sentences:
            console.print(f"{sentence}.", soft_wrap=True)
        for each in self.listings:
            if not each.rows:
                continue
            console.print()
            made = table(console, each.title, *each.columns.values())
            for key, column in zip(each.columns, made.columns, strict=True):
                column.no_wrap = bool(each.wraps) and key not in each.wraps
            for row in each.rows:
                made.add_row(*[_text(row[key], at) for key in each.columns])
            console.print(made)


def amount(number: Decimal) -> str:
    """Exact up to eight digits after the point."""
    return plain(number.quantize(_PLACES)) if number.is_finite() and abs(number) < Decimal("1e15") else plain(number)


def words(rule: str) -> str:
    """`hard stop` for `hard_stop`."""
    return rule.replace("_", " ")


def _text(cell: Cell, at: datetime) -> str:
    if isinstance(cell, datetime):
        return since(cell, at)
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, Decimal):
        return amount(cell)
    return "-" if cell is None else str(cell)


def _json_row(row: Mapping[str, Cell]) -> dict[str, Any]:
    return {key: _json(cell) for key, cell in row.items()}


def _json(cell: Cell) -> str | int | bool | None:
    if isinstance(cell, datetime):
        return time_text(cell)
    return plain(cell) if isinstance(cell, Decimal) else cell
