"""A market of one's own: OHLCV rows from a CSV file instead of the generator's.

The header is `time,open,high,low,close,volume` with `symbol` as an optional seventh column (BTC/USD without it). Times
are unix seconds or ISO 8601 (UTC when they name no zone); rows are in order per symbol, their spacing a whole number of
minutes. Only the order and spacing count: the first half of the file, at most 720 minutes of it, is the history at the
exchange's first start, and the rest plays from that moment on, a minute a minute. A missing row is a standstill. After
the last row the generator goes on from its close, and before the first it makes up older candles.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path

from paper_exchange.catalogue import Catalogue, Listing
from paper_exchange.tape import Bar, stream_key
from paper_exchange.ticks import divide

COLUMNS = ["time", "open", "high", "low", "close", "volume"]
DEFAULT_SYMBOL = "BTC/USD"
LONGEST_HISTORY_MINUTES = 720
LONGEST_MINUTES = 200_000  # per symbol; each minute is kept in memory


class BadReplayFile(ValueError):
    """The file cannot be replayed; the text is a sentence with file and line."""


@dataclass(frozen=True)
class Row:
    line: int
    symbol: str
    time_seconds: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


def read_replay(path: Path, catalogue: Catalogue) -> dict[str, list[Bar]]:
    """Minute bars by symbol; index 0 is the first live minute. Raises `BadReplayFile`."""
    rows: dict[str, list[Row]] = {}
    for row in _rows(path):
        if row.symbol not in catalogue or not catalogue.listing(row.symbol).trades:
            raise BadReplayFile(f"{path}:{row.line}: {row.symbol} does not trade here")
        rows.setdefault(row.symbol, []).append(row)
    if not rows:
        raise BadReplayFile(f"{path}: there are no rows below the header")
    return {symbol: _bars(path, found, catalogue.listing(symbol)) for symbol, found in rows.items()}


def _rows(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            if header not in (COLUMNS, [*COLUMNS, "symbol"]):
                raise BadReplayFile(f"{path}:1: the header must be {','.join(COLUMNS)}[,symbol]")
            for cells in reader:
                if cells:
                    yield _row(path, reader.line_num, cells, len(header))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadReplayFile(f"{path}: cannot be read: {error}") from error


def _row(path: Path, line: int, cells: list[str], width: int) -> Row:
    if len(cells) != width:
        raise BadReplayFile(f"{path}:{line}: {width} columns are needed, there are {len(cells)}")
    try:
        time_seconds = _time(cells[0].strip())
        opened, high, low, close, volume = (Decimal(cell.strip()) for cell in cells[1:6])
    except (ValueError, InvalidOperation, OverflowError):
        raise BadReplayFile(f"{path}:{line}: a time and five numbers are needed") from None
    prices = (opened, high, low, close)
    if not all(value.is_finite() for value in (*prices, volume)) or min(prices) <= 0 or volume < 0:
        raise BadReplayFile(f"{path}:{line}: prices must be more than 0 and the volume not less")
    if high < max(prices) or low > min(prices):
        raise BadReplayFile(f"{path}:{line}: the high must be the highest price and the low the lowest")
    symbol = cells[6].strip() if width > 6 else DEFAULT_SYMBOL
    return Row(line, symbol, time_seconds, opened, high, low, close, volume)


def _time(text: str) -> int:
    try:
        seconds = Decimal(text)
    except InvalidOperation:
        moment = datetime.fromisoformat(text)
        seconds = Decimal((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    return int(seconds)


def _bars(path: Path, rows: list[Row], listing: Listing) -> list[Bar]:
    step = _spacing(path, rows)
    total = (rows[-1].time_seconds - rows[0].time_seconds) // 60 + step
    if total > LONGEST_MINUTES:
        raise BadReplayFile(f"{path}: {listing.symbol} is {total} minutes long, at most {LONGEST_MINUTES} are possible")
    history = max(1, min(LONGEST_HISTORY_MINUTES, total // 2))
    bars: list[Bar] = []
    for row in rows:
        start = (row.time_seconds - rows[0].time_seconds) // 60 - history
        while bars and bars[-1].start + 1 < start:
            bars.append(_standstill(bars[-1]))
        bar = _bar(row, start, step, listing)
        bars.extend(divide(bar, stream_key(0, listing.symbol, f"replay {start}")))
    return bars


def _spacing(path: Path, rows: list[Row]) -> int:
    """Minutes between rows: the smallest distance."""
    smallest = 60 if len(rows) == 1 else min(_distance(path, a, b) for a, b in pairwise(rows))
    for row in rows:
        if (row.time_seconds - rows[0].time_seconds) % smallest:
            raise BadReplayFile(f"{path}:{row.line}: the time is no multiple of {smallest} seconds after the first row")
    return smallest // 60


def _distance(path: Path, earlier: Row, later: Row) -> int:
    distance = later.time_seconds - earlier.time_seconds
    if distance <= 0:
        raise BadReplayFile(f"{path}:{later.line}: the time must be later than in line {earlier.line}")
    if distance % 60:
        raise BadReplayFile(f"{path}:{later.line}: rows must be whole minutes apart, this one is {distance} s later")
    return distance


def _bar(row: Row, start: int, minutes: int, listing: Listing) -> Bar:
    def ticks(price: Decimal) -> int:
        return max(2, int((price / listing.tick_size).to_integral_value()))

    return Bar(
        start, minutes, ticks(row.open), ticks(row.high), ticks(row.low), ticks(row.close),
        max(60 * minutes, int(row.volume / listing.lot_step)), 1.0,
    )  # fmt: skip


def _standstill(before: Bar) -> Bar:
    close = before.close
    return Bar(before.start + 1, 1, close, close, close, close, 60, 0.3)
