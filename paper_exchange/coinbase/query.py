"""The query of a request: repeated keys are lists, numbers are bounded, times are RFC 3339, pages have cursors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import parse_qs

from paper_exchange.clock import NANOSECONDS_PER_SECOND, parse_rfc3339
from paper_exchange.coinbase.replies import ApiError

Row = TypeVar("Row")


class Query:
    """Raises ApiError (INVALID_ARGUMENT), naming the parameter, for a value that can't be read."""

    def __init__(self, query: bytes) -> None:
        self._values = parse_qs(query.decode("latin-1"), keep_blank_values=False)

    def text(self, name: str, default: str = "") -> str:
        return self._values.get(name, [default])[-1]

    def texts(self, *names: str) -> list[str]:
        """All values under any of the names, whether repeated, suffixed with ``[]`` or joined by commas."""
        raw = [value for name in names for key in (name, f"{name}[]") for value in self._values.get(key, [])]
        return [part for value in raw for part in value.split(",") if part]

    def flag(self, name: str) -> bool:
        return self.text(name).lower() in ("true", "1")

    def whole(self, name: str, default: int, *, minimum: int = 1, maximum: int) -> int:
        """A whole number; above ``maximum`` it is the maximum, below ``minimum`` it is refused."""
        text = self.text(name)
        if not text:
            return default
        try:
            number = int(text)
        except ValueError:
            raise ApiError("INVALID_ARGUMENT", f"{name} is not a number") from None
        if number < minimum:
            raise ApiError("INVALID_ARGUMENT", f"{name} must be at least {minimum}")
        return min(number, maximum)

    def seconds_ns(self, name: str) -> int | None:
        """A time given in unix seconds, as nanoseconds."""
        text = self.text(name)
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 12):
            raise ApiError("INVALID_ARGUMENT", f"{name} is not a time in unix seconds")
        return int(text) * NANOSECONDS_PER_SECOND

    def time_ns(self, name: str) -> int | None:
        """A time given in RFC 3339, as nanoseconds."""
        text = self.text(name)
        if not text:
            return None
        try:
            return parse_rfc3339(text)
        except ValueError:
            raise ApiError("INVALID_ARGUMENT", f"{name} is not a time in RFC 3339") from None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, and the cursor that continues after them ("" at the end)."""

    rows: Sequence[Row]
    cursor: str


def page_after(rows: Sequence[tuple[str, Row]], cursor: str, limit: int) -> Page[Row]:
    """The ``limit`` rows after the one the cursor names; ``rows`` are (id, row) in the order they are shown.

    The cursor names a row, not a position, so rows that come in at the front between two pages shift nothing.
    """
    start = 0
    if cursor:
        last_id = _decoded(cursor)
        found = [position for position, (row_id, _) in enumerate(rows) if row_id == last_id]
        if not found:
            raise ApiError("INVALID_ARGUMENT", "cursor is not one of this list")
        start = found[0] + 1
    chosen = rows[start : start + limit]
    more = start + limit < len(rows)
    return Page([row for _, row in chosen], _encoded(chosen[-1][0]) if more else "")


def _encoded(row_id: str) -> str:
    return base64.urlsafe_b64encode(row_id.encode()).decode()


def _decoded(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, UnicodeError):
        raise ApiError("INVALID_ARGUMENT", "cursor can't be read") from None
