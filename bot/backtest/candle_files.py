"""Candles in files: CSV always, Parquet where pyarrow is installed.

A CSV file begins with a line that names its columns, in any order: `time,open,high,low,close`, with `volume` and
`symbol` if it has them; `timestamp`, `opened_at`, `date` and `datetime` are other names of `time`. A time is seconds or
milliseconds since 1970, or as 2026-01-31T12:00Z (UTC without a zone). Without a column `symbol` the file's own name is
the symbol: `BTC-USD.csv` is BTC/USD. Rows of one symbol are oldest first; the shortest distance between two of them is
the interval, and the others are multiples of it.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from bot.backtest.candle_table import CandleTable, Whole
from bot.domain.money import plain
from bot.domain.symbol import normalise_symbol

COLUMNS = ("time", "open", "high", "low", "close", "volume", "symbol")
_NEEDED = COLUMNS[:5]
_OTHER_NAMES_OF_TIME = ("timestamp", "opened_at", "date", "datetime")
_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?([eE]-?[0-9]{1,2})?", re.ASCII)
# Seconds since 1970 stay below this for 3,000 years; milliseconds are above it since 1973.
_FIRST_OF_MILLISECONDS = 100_000_000_000
_LARGEST = 2**63 - 1
_PARQUET = ".parquet"


class BadCandles(ValueError):
    """A file that cannot be used; the text says which, where and why."""


def read_candles(path: Path, *, unnamed: str | None = None) -> dict[str, CandleTable]:
    """Every symbol's candles of a file, or of all CSV and Parquet files of a directory. Raises `BadCandles`.

    `unnamed` is the symbol of a file that names none, neither in a column nor by its own name.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in (".csv", _PARQUET))
        if not files:
            raise BadCandles(f"{path} has no .csv or .parquet file")
        found: dict[str, CandleTable] = {}
        for file in files:
            for symbol, table in _read_file(file, None).items():
                if symbol in found:
                    raise BadCandles(f"{file}: {symbol} is in another file of {path} too")
                found[symbol] = table
        return found
    return _read_file(path, unnamed)


def write_candles(path: Path, tables: Iterable[CandleTable]) -> int:
    """All candles as CSV, symbol after symbol; returns how many. Raises `OSError`."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file, lineterminator="\n")
        sheet.writerow(COLUMNS)
        for table in tables:
            for candle in table[:]:
                prices = (candle.open, candle.high, candle.low, candle.close, candle.volume)
                sheet.writerow([f"{candle.opened_at:%Y-%m-%dT%H:%M:%SZ}", *map(plain, prices), table.symbol])
                count += 1
    return count


def _read_file(path: Path, unnamed: str | None) -> dict[str, CandleTable]:
    rows: dict[str, list[tuple[int, int, tuple[Decimal, ...]]]] = {}
    lines = _parquet(path) if path.suffix.lower() == _PARQUET else _csv(path)
    for line, row in lines:
        symbol = _symbol(path, line, row, unnamed)
        rows.setdefault(symbol, []).append((line, _time(path, line, row.get("time", "")), _numbers(path, line, row)))
    if not rows:
        raise BadCandles(f"{path} has no rows below its first line")
    return {symbol: _table(path, symbol, found) for symbol, found in rows.items()}


def _csv(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """(line, row by column); the names of columns in small letters."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            names = _columns(path, next(reader, []))
            for row in reader:
                if not row:
                    continue
                if len(row) != len(names):
                    raise BadCandles(f"{path}:{reader.line_num}: {len(row)} fields where line 1 names {len(names)}")
                yield reader.line_num, dict(zip(names, row, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadCandles(f"{path} cannot be read: {error}") from error


def _parquet(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        from pyarrow import parquet  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        raise BadCandles(f"{path}: reading Parquet needs pyarrow (pip install pyarrow); CSV needs nothing") from error
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise BadCandles(f"{path} cannot be read: {error}") from error
    names = _columns(path, table.column_names)
    for number, row in enumerate(zip(*(column.to_pylist() for column in table.columns), strict=True), start=1):
        yield number, dict(zip(names, map(_as_text, row), strict=True))


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)


def _columns(path: Path, written: Iterable[object]) -> list[str]:
    """The names of the columns, in small letters."""
    names = [str(name).strip().lower() for name in written]
    if "time" not in names:
        other = next((name for name in _OTHER_NAMES_OF_TIME if name in names), None)
        names = ["time" if name == other else name for name in names]
    lacking = [name for name in _NEEDED if name not in names]
    if lacking:
        wanted = ",".join(COLUMNS)
        raise BadCandles(f"{path}:1: no column {', '.join(lacking)}; the first line names the columns, as {wanted}")
    return names


def _symbol(path: Path, line: int, row: Mapping[str, str], unnamed: str | None) -> str:
    text = row.get("symbol") or path.stem.replace("_", "/").replace("-", "/")
    try:
        return normalise_symbol(text)
    except ValueError as error:
        if unnamed is not None and not row.get("symbol"):
            return unnamed
        where = f"{path}:{line}: symbol" if row.get("symbol") else f"{path}: no column symbol, and the file's name"
        raise BadCandles(f"{where} is {text!r}, not as BTC/USD") from error


def _time(path: Path, line: int, text: str) -> int:
    words = text.strip()
    try:
        if words.isascii() and words.isdigit():
            number = int(words)
            return number // 1000 if number >= _FIRST_OF_MILLISECONDS else number
        moment = datetime.fromisoformat(words)
        return int((moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp())
    except (ValueError, OverflowError) as error:
        raise BadCandles(
            f"{path}:{line}: time is {text!r}, neither seconds since 1970 nor 2026-01-31T12:00Z"
        ) from error


def _numbers(path: Path, line: int, row: Mapping[str, str]) -> tuple[Decimal, ...]:
    found = []
    for name in (*_NEEDED[1:], "volume"):
        text = row.get(name, "0").strip()
        try:
            if not _NUMBER.fullmatch(text):
                raise InvalidOperation
            found.append(Decimal(text))
        except InvalidOperation as error:
            raise BadCandles(f"{path}:{line}: {name} is {text[:40]!r}, not a number of 0 or more") from error
    opened, high, low, close, _ = found
    if low <= 0 or high < max(opened, close) or low > min(opened, close):
        raise BadCandles(f"{path}:{line}: open {opened}, high {high}, low {low} and close {close} make no candle")
    return tuple(found)


def _table(path: Path, symbol: str, rows: Sequence[tuple[int, int, tuple[Decimal, ...]]]) -> CandleTable:
    times = np.array([time for _, time, _ in rows], dtype=np.int64)
    steps = np.diff(times)
    wrong = np.flatnonzero(steps <= 0)
    if len(wrong):
        raise BadCandles(f"{path}:{rows[int(wrong[0]) + 1][0]}: {symbol} is not later than in the row before it")
    seconds = int(steps.min()) if len(steps) else 60
    if seconds % 60:
        raise BadCandles(f"{path}: {symbol} has rows {seconds} s apart; candles are whole minutes")
    off = np.flatnonzero(steps % seconds)
    if len(off):
        line = rows[int(off[0]) + 1][0]
        raise BadCandles(f"{path}:{line}: {symbol} is off the grid of its {seconds // 60}-minute candles")
    prices, price_decimals = _units(path, symbol, [numbers[:4] for _, _, numbers in rows])
    volumes, volume_decimals = _units(path, symbol, [numbers[4:] for _, _, numbers in rows])
    return CandleTable(symbol, seconds // 60, times, prices, volumes[:, 0], price_decimals, volume_decimals)


def _units(path: Path, symbol: str, rows: Sequence[tuple[Decimal, ...]]) -> tuple[Whole, int]:
    decimals = max((_decimals(number) for row in rows for number in row), default=0)
    units = [[int(number.scaleb(decimals)) for number in row] for row in rows]
    if max((number for row in units for number in row), default=0) > _LARGEST:
        raise BadCandles(f"{path}: {symbol} has numbers of more digits than can be kept exactly")
    return np.array(units, dtype=np.int64), decimals


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
