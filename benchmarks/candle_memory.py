"""What a whole venue's candles take in memory: as the bot's cache keeps them, and as objects.

    python benchmarks/candle_memory.py --markets 1500 --candles 160 [--json]

A candle cache reads so many candles of so many markets from a venue in memory that makes each anew; traced by
`tracemalloc`. The anchor is the same candles kept as tuples of objects. The goal is for the cache alone.
"""

import argparse
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.report import Report
from bot.domain.quote import Candle
from bot.market.candle_cache import CandleCache
from bot.seams.clock import SystemClock

GOAL_MEGABYTES = 40.0
MEGABYTE = 1e6


class Venue:
    """Prices of eight digits, volumes of nine, as liquid markets have them."""

    def __init__(self, count: int) -> None:
        self._begin = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=count)

    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        base = 1000 + int(symbol[1:5])
        return [self._candle(base, at) for at in range(limit)]

    def _candle(self, base: int, at: int) -> Candle:
        price = Decimal(base * 10_000 + at).scaleb(-4)
        high, volume = price + Decimal("1.0001"), Decimal(base * 100_003 + at).scaleb(-8)
        return Candle(self._begin + timedelta(minutes=at), price, high, price - 1, price + 1, volume)


def megabytes(work: Callable[[], object]) -> float:
    """What is held after the work, while its result is kept."""
    tracemalloc.start()
    try:
        kept = work()
        held, _ = tracemalloc.get_traced_memory()
        del kept
        return held / MEGABYTE
    finally:
        tracemalloc.stop()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markets", type=int, default=1500, help="markets (default 1500)")
    parser.add_argument("--candles", type=int, default=160, help="candles of each (default 160)")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    arguments = parser.parse_args(argv)
    symbols = [f"M{number:04}/USD" for number in range(arguments.markets)]
    venue = Venue(arguments.candles)

    def cached() -> object:
        cache = CandleCache(
            venue, clock=SystemClock(), interval_minutes=1, candles_needed=arguments.candles, round_seconds=600.0
        )
        if len(cache.refresh(symbols).ready) != len(symbols):
            raise RuntimeError("not every market was read")
        return cache

    def objects() -> object:
        return [tuple(venue.get_candles(one, interval_minutes=1, limit=arguments.candles)) for one in symbols]

    held, plain = megabytes(cached), megabytes(objects)
    count = arguments.markets * arguments.candles
    rows = [
        {"kept as": way, "MB": round(size, 1), "bytes a candle": round(size * MEGABYTE / count)}
        for way, size in (("the cache", held), ("objects", plain))
    ]
    Report("Candles of a whole venue", ("kept as", "MB", "bytes a candle"), rows, ()).say(as_json=arguments.json)
    return 0 if held <= GOAL_MEGABYTES * count / 240_000 else 1


if __name__ == "__main__":
    raise SystemExit(main())
