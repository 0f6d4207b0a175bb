"""A master's whole look at a venue of 1,500 markets, every cycle: filters, candles, the strategy, the words.

    python benchmarks/scan.py [--markets 1500] [--strategy rsi_trend] [--json]

The look is the one that the bot has (`bot/market_look.py`), with its cache of candles and its board of tickers; the
venue is in memory, so that what is measured is ours alone. The anchor is the same strategy asked about each market that
passes, anew. A quarter of the markets is filtered by status, a tenth each by volume and by spread; the rest passes.
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.report import Report
from bot.account_desk import AccountDesk
from bot.domain.account import AccountRef, BrokerType
from bot.domain.instrument import Instrument
from bot.domain.quote import Candle, Quote, Ticker
from bot.market.candle_cache import CandleCache
from bot.market.funnel import Stage
from bot.market.ticker_board import TickerBoard
from bot.market.universe import ScanRules
from bot.market_look import Look, MarketLook
from bot.seams.clock import SystemClock
from bot.strategies.asking import ask_entry
from bot.strategies.interface import EntryIntent, MarketView, Strategy
from bot.strategies.loading import load_strategy

START = datetime(2026, 3, 2, tzinfo=UTC)
MASTER = AccountRef.master(BrokerType.KRAKEN)
COLUMNS = ("look", "ms", "µs a market", "times plain")
RULES = ScanRules(min_daily_volume=Decimal(100_000), max_spread_percent=Decimal("0.5"))
LOOKS = 5


class Wall:
    """Real time for durations; a wall that the benchmark moves from candle to candle."""

    def __init__(self) -> None:
        self._real = SystemClock()
        self.minutes = 0

    def now(self) -> datetime:
        return START + timedelta(minutes=self.minutes, seconds=2)

    def wall_ns(self) -> int:
        return int(self.now().timestamp()) * 1_000_000_000

    def monotonic(self) -> float:
        # Candles are due by this clock, so a minute of the wall is a minute here too.
        return self._real.monotonic() + 60.0 * self.minutes


class Venue:
    """All markets in memory: random walks, an eighth of them with a trend."""

    quote_currency = "USD"
    fees_by_market = True
    account = MASTER

    def __init__(self, clock: Wall, markets: int, candles: int) -> None:
        chance = np.random.default_rng(7)
        self.clock = clock
        self.symbols = [f"M{number:04}/USD" for number in range(markets)]
        drift = np.where(np.arange(markets) % 8 == 0, 0.0004, 0.0)
        steps = drift[:, None] + chance.normal(0, 0.002, (markets, candles))
        self.closes = 10.0 ** chance.uniform(-3, 4, markets)[:, None] * np.exp(steps.cumsum(axis=1))
        self._candles = {symbol: self._line(self.closes[number]) for number, symbol in enumerate(self.symbols)}
        self._instruments = {symbol: self._instrument(number, symbol) for number, symbol in enumerate(self.symbols)}

    def _line(self, closes: np.ndarray) -> list[Candle]:
        prices = [Decimal(format(price, ".8g")) for price in closes]
        return [
            Candle(START + timedelta(minutes=at), prices[at - 1], max(prices[at - 1 : at + 1]),
                   min(prices[at - 1 : at + 1]), prices[at], Decimal(5))
            for at in range(1, len(prices))
        ]  # fmt: skip

    def _instrument(self, number: int, symbol: str) -> Instrument:
        halted = number % 4 == 3
        return Instrument(
            symbol, symbol, Decimal("0.00000001"), Decimal("0.00000001"), Decimal(0), Decimal(1),
            tradable=not halted, status="cancel_only" if halted else "online",
        )  # fmt: skip

    def get_trading_pairs(self) -> Mapping[str, Instrument]:
        return self._instruments

    def get_tickers(self, symbols: Sequence[str]) -> Mapping[str, Ticker]:
        now = self.clock.now()
        return {symbol: self._ticker(symbol, now) for symbol in symbols}

    def _ticker(self, symbol: str, now: datetime) -> Ticker:
        number = int(symbol[1:5])
        ask = Decimal(110) if number % 10 == 5 else Decimal("100.1")
        return Ticker(Quote(symbol, Decimal(100), ask, now), Decimal(10 if number % 10 == 6 else 10**6))

    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        end = self.clock.minutes
        return self._candles[symbol][max(0, end - limit) : end]


@dataclass
class Desk:
    """What a look needs of an account."""

    broker: Venue
    candles: CandleCache
    tickers: TickerBoard
    account: AccountRef = MASTER


class Bench:
    def __init__(self, markets: int, strategy: Strategy) -> None:
        self.clock = Wall()
        self.strategy = strategy
        self.clock.minutes = strategy.candles_needed + 1
        self.venue = Venue(self.clock, markets, strategy.candles_needed + 8 * LOOKS)
        cache = CandleCache(
            self.venue, clock=self.clock, interval_minutes=1, candles_needed=strategy.candles_needed,
            round_seconds=600.0, name="kraken",
        )  # fmt: skip
        self.desk = Desk(self.venue, cache, TickerBoard(self.venue, clock=self.clock, refresh_seconds=30))
        self._look = MarketLook(
            strategy_of=lambda _broker: strategy, rules=RULES, clock=self.clock, paused=frozenset, movers=lambda _b: ()
        )

    def look(self) -> Look:
        return self._look.look(cast(AccountDesk, self.desk), frozenset(), None)

    def next_candle(self) -> None:
        self.clock.minutes += 1

    def plain(self, symbols: Sequence[str]) -> int:
        """Every market asked about anew; how many wishes there were."""
        views = (MarketView(symbol, self.desk.candles.closed(symbol)) for symbol in symbols)
        return sum(isinstance(ask_entry(self.strategy, view), EntryIntent) for view in views)


def milliseconds(work: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    times = []
    for _ in range(LOOKS):
        before()
        gc.collect()
        began = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - began))
    return median(times)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    strategy = load_strategy(arguments.strategy, {})
    bench = Bench(arguments.markets, strategy)
    began = time.perf_counter()
    first = bench.look()
    times = {"the first look, all candles read": 1000 * (time.perf_counter() - began)}
    words = first.funnel.words
    passed = [symbol for symbol, word in words.items() if word.stage is not Stage.FILTERED]
    passed += [wish.symbol for wish in first.wishes]
    plain = milliseconds(lambda: bench.plain(passed))
    lost = bench.plain(passed) - len(first.wishes)
    times["after a new candle of every market"] = milliseconds(bench.look, bench.next_candle)
    times["between two candles"] = milliseconds(bench.look)
    times["the strategy asked about each anew"] = plain
    rows = [
        {"look": look, "ms": round(ms, 1), "µs a market": round(1000 * ms / arguments.markets, 1),
         "times plain": round(ms / plain, 3)}
        for look, ms in times.items()
    ]  # fmt: skip
    notes = (
        f"{len(passed)} of {arguments.markets} markets pass the filters, {len(first.wishes)} of them are wishes;"
        f" {lost} wishes less than asked plainly (must be 0).",
    )
    settings = {"markets": arguments.markets, "passed": len(passed), "lost": lost}
    title = f"A look at {arguments.markets} markets with {arguments.strategy}"
    Report(title, COLUMNS, rows, notes, settings).say(as_json=arguments.json)
    return 1 if lost else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markets", type=int, default=1500, help="how many markets (default 1500)")
    parser.add_argument("--strategy", default="rsi_trend", help="a built-in strategy (default rsi_trend)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
