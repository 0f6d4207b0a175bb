"""The parameters of a request: blank ones are absent, numbers are bounded, times are milliseconds, pages have ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TypeVar
from urllib.parse import parse_qs

from paper_exchange.okx.replies import missing, wrong

Row = TypeVar("Row")
MILLISECOND_NS = 1_000_000
WHOLE = re.compile(r"\d{1,25}", re.ASCII)
PLAIN_DECIMAL = re.compile(r"\d{1,30}(\.\d{0,30})?|\.\d{1,30}", re.ASCII)
"""How amounts are written: digits, no sign and no exponent."""


class Query:
    """Raises ApiError (51000, 50014), naming the parameter, for a value that can't be read."""

    def __init__(self, query: bytes) -> None:
        self._values = parse_qs(query.decode("latin-1"), keep_blank_values=False)

    def text(self, name: str) -> str | None:
        return self._values.get(name, [None])[-1]

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise missing(name)
        return value

    def texts(self, name: str) -> list[str]:
        """Values joined by commas."""
        return [part for part in (self.text(name) or "").split(",") if part]

    def whole(self, name: str) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        if not WHOLE.fullmatch(value):
            raise wrong(name)
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """Rows of a page; above ``most`` it is ``most``."""
        limit = self.whole("limit")
        if limit == 0:
            raise wrong("limit")
        return min(default if limit is None else limit, most)

    def time_ns(self, name: str) -> int | None:
        """A time given in milliseconds, as nanoseconds."""
        value = self.whole(name)
        return None if value is None else value * MILLISECOND_NS


def page(query: Query, rows: Iterable[Row], number_of: Callable[[Row], int], *, limit: int) -> list[Row]:
    """Rows, newest first: those older than ``after``, newer than ``before``; the ids or times themselves excluded."""
    after, before = query.whole("after"), query.whole("before")
    chosen = [
        row for row in rows if (after is None or number_of(row) < after) and (before is None or number_of(row) > before)
    ]
    chosen.sort(key=number_of, reverse=True)
    return chosen[:limit]


def plain_decimal(text: str) -> Decimal | None:
    return Decimal(text) if PLAIN_DECIMAL.fullmatch(text) else None


def milliseconds(time_ns: int) -> str:
    return str(time_ns // MILLISECOND_NS)


def amount(value: Decimal) -> str:
    """Plain decimal text without zeros at the end, never with an exponent."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def charged(fee: Decimal) -> str:
    """A fee as OKX writes it: below zero for what is charged."""
    return f"-{amount(fee)}" if fee else "0"
