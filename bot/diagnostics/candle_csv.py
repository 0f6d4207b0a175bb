"""Closed candles of one market from a CSV file: `time,open,high,low,close,volume`, oldest first."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from bot.domain.errors import ConfigurationError, NumberRefused
from bot.domain.money import parse_decimal
from bot.domain.quote import Candle
from bot.market.candle_series import CandlesUnusable, check_candles

_TIMES = ("time", "timestamp", "opened_at", "date", "datetime")
_PRICES = ("open", "high", "low", "close")
# Seconds since 1970 stay below this until the year 5138; milliseconds are above it since 1973.
_FIRST_OF_MILLISECONDS = Decimal(100_000_000_000)
_LONGEST_MINUTES = 7 * 1440


def read_candles(file: Path) -> tuple[tuple[Candle, ...], int]:
    """The candles and their interval in minutes, which is the shortest time between two of them.

    The first line names the columns, in any order; `volume` may be missing and is 0 then. A time is seconds or
    milliseconds since 1970, or as 2026-01-31T12:00Z (UTC if it has no zone). Raises `ConfigurationError` with the line.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            candles = tuple(_rows(csv.DictReader(opened), file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
    if len(candles) < 2:
        raise ConfigurationError(f"{file} has {len(candles)} candles; at least 2 are needed")
    try:
        interval = _interval_minutes(candles)
        check_candles(candles, timedelta(minutes=interval))
    except CandlesUnusable as error:
        raise ConfigurationError(f"{file}: {error}") from error
    return candles, interval


def _rows(reader: "csv.DictReader[str]", file: Path) -> Iterator[Candle]:
    columns = {str(name).strip().lower(): name for name in reader.fieldnames or ()}
    time = next((columns[name] for name in _TIMES if name in columns), None)
    lacking = [name for name in _PRICES if name not in columns]
    if time is None or lacking:
        raise ConfigurationError(f"{file}:1: the first line must name the columns time,open,high,low,close,volume")
    for row in reader:
        try:
            yield _candle(row, time, columns)
        except (ValueError, NumberRefused, OverflowError, OSError) as error:
            raise ConfigurationError(f"{file}:{reader.line_num}: {error}") from error


def _candle(row: Mapping[str, str | None], time: str, columns: Mapping[str, str]) -> Candle:
    opened, high, low, close = (parse_decimal(row[columns[name]], field=name) for name in _PRICES)
    volume = parse_decimal(row[columns["volume"]], field="volume") if "volume" in columns else Decimal(0)
    return Candle(_moment(row[time] or ""), opened, high, low, close, volume)


def _moment(text: str) -> datetime:
    try:
        number = parse_decimal(text.strip(), field="time")
    except NumberRefused:
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    seconds = number / 1000 if number >= _FIRST_OF_MILLISECONDS else number
    return datetime.fromtimestamp(float(seconds), UTC)


def _interval_minutes(candles: Sequence[Candle]) -> int:
    shortest = min(later.opened_at - earlier.opened_at for earlier, later in pairwise(candles))
    minutes, rest = divmod(shortest, timedelta(minutes=1))
    if not 1 <= minutes <= _LONGEST_MINUTES or rest:
        raise CandlesUnusable(f"the shortest time between two candles is {shortest}, which is no number of minutes")
    return minutes
