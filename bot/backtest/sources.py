"""Where candles come from: a file, a directory of files, or the generator (`generated:SEED:DAYS[:SYMBOLS]`)."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from bot.backtest.candle_files import BadCandles, read_candles
from bot.backtest.candle_table import CandleTable
from bot.backtest.generated import generate, tradable_symbols

GENERATED = "generated:"
_MOST_DAYS = 3_660
_DEFAULT_SYMBOLS = 5


def load(
    source: str,
    *,
    interval_minutes: int | None = None,
    begin: datetime | None = None,
    end: datetime | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> dict[str, CandleTable]:
    """The candles that opened in [begin, end), put together to the interval. Raises `BadCandles`."""
    made = _generated(source, on_progress) if source.startswith(GENERATED) else read_candles(Path(source))
    first, last = (None if moment is None else int(moment.timestamp()) for moment in (begin, end))
    found = {}
    for symbol, table in made.items():
        part = table.between(first, last)
        try:
            part = part if interval_minutes is None else part.folded(interval_minutes)
        except ValueError as error:
            raise BadCandles(f"{source}: {error}") from error
        if len(part):
            found[symbol] = part
    if not found:
        raise BadCandles(f"{source} has no candles between --from and --to")
    return found


def _generated(source: str, on_progress: Callable[[int, int], None]) -> dict[str, CandleTable]:
    """`SYMBOLS` is a number (the largest markets first) or names with commas: BTC/USD,ETH/USD."""
    words = source.removeprefix(GENERATED).split(":")
    if not 2 <= len(words) <= 3 or not all(word.isascii() and word.isdigit() for word in words[:2]):
        raise BadCandles(f"{source} is not generated:SEED:DAYS[:SYMBOLS], as generated:7:30:BTC/USD,ETH/USD")
    seed, days = int(words[0]), int(words[1])
    if not 1 <= days <= _MOST_DAYS:
        raise BadCandles(f"{source}: {days} days; 1 to {_MOST_DAYS} can be generated")
    wanted = words[2] if len(words) == 3 else str(_DEFAULT_SYMBOLS)
    symbols = _largest(source, int(wanted)) if wanted.isascii() and wanted.isdigit() else wanted.upper().split(",")
    try:
        return generate(seed, days, symbols, on_progress=on_progress)
    except ValueError as error:
        raise BadCandles(f"{source}: {error}") from error


def _largest(source: str, count: int) -> list[str]:
    known = [symbol for symbol in tradable_symbols() if symbol.endswith("/USD")]
    if not 1 <= count <= len(known):
        raise BadCandles(f"{source}: {count} symbols; 1 to {len(known)} can be generated")
    return known[:count]
