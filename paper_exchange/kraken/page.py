"""The bounds and pages of Kraken's history endpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from paper_exchange.clock import NANOSECONDS_PER_SECOND
from paper_exchange.kraken.envelope import invalid_argument
from paper_exchange.kraken.form import Params
from paper_exchange.kraken.price_text import plain_decimal

PAGE_ROWS = 50
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Bounds:
    """``start`` is exclusive, ``end`` inclusive; None is open."""

    start_ns: int | None
    end_ns: int | None

    def hold(self, time_ns: int) -> bool:
        return (self.start_ns is None or time_ns > self.start_ns) and (self.end_ns is None or time_ns <= self.end_ns)


def read_bounds(params: Params, time_of_id: Callable[[str], int | None]) -> Bounds:
    """``start`` and ``end`` are Unix seconds or an id, whose time then counts."""
    return Bounds(_bound(params, "start", time_of_id), _bound(params, "end", time_of_id))


def newest_page(rows: Sequence[Row], params: Params) -> list[Row]:
    """Fifty rows, newest first, after skipping ``ofs``; ``rows`` are oldest first."""
    text = params.text("ofs") or "0"
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise invalid_argument("ofs")
    offset = int(text)
    return list(reversed(rows))[offset : offset + PAGE_ROWS]


def counted(name: str, rows: dict[str, object], total: int, params: Params) -> dict[str, object]:
    return {name: rows} if params.flag("without_count") else {name: rows, "count": total}


def _bound(params: Params, name: str, time_of_id: Callable[[str], int | None]) -> int | None:
    text = params.text(name)
    if text is None:
        return None
    number = plain_decimal(text)
    if number is not None:
        # Some clients send 0 for "from the beginning" and some for "until now".
        return int(number * NANOSECONDS_PER_SECOND) or None
    time_ns = time_of_id(text)
    if time_ns is None:
        raise invalid_argument(name)
    return time_ns
