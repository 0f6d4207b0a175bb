"""Closed candles of many symbols, read from one broker no more often than new ones can exist."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from bot.domain.errors import NijaError, RetryLater
from bot.domain.quote import Candle
from bot.market.candle_series import CandleSeries, check_candles
from bot.seams.clock import Clock

# So many failed readings in a row are the venue's trouble, not a symbol's: the rest of the round would only wait too.
FAILURES_THAT_END_A_ROUND = 3
FORGET_AFTER_SECONDS = 3600.0
# A symbol this many candles behind the venue's newest one is not judged by its old prices.
STALE_AFTER_CANDLES = 3


class CandleSource(Protocol):
    """The one method of a broker that is needed here."""

    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        """Closed candles, oldest first."""


@dataclass(frozen=True)
class Coverage:
    """How much of what was wanted can be decided on: every symbol is in `ready` or, with a reason, in `not_ready`.

    `calls` counts the requests of this refresh, `failed` those of them that failed.
    """

    ready: tuple[str, ...]
    not_ready: Mapping[str, str]
    calls: int
    failed: int

    @property
    def asked(self) -> int:
        return len(self.ready) + len(self.not_ready)

    @property
    def ready_percent(self) -> float | None:
        """None when nothing was wanted: that is not full coverage."""
        return 100.0 * len(self.ready) / self.asked if self.asked else None

    def __str__(self) -> str:
        text = f"{len(self.ready)} of {self.asked} markets"
        if not self.not_ready:
            return text
        symbol, reason = next(iter(self.not_ready.items()))
        return f"{text} ({len(self.not_ready)} without candles, such as {symbol}: {reason})"


class CandleCache:
    """The candles of one master's symbols; used by that account's thread alone.

    What is closed is the broker's word. This machine's wall clock only says how far the minute has gone, to ask soon
    after a close: one that is off by hours costs at most one interval, never a wrong candle.
    """

    def __init__(
        self,
        source: CandleSource,
        *,
        clock: Clock,
        interval_minutes: int,
        candles_needed: int,
        capacity: int | None = None,
        settle_seconds: float = 1.0,
        round_seconds: float = 20.0,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """`capacity` candles are kept a symbol (default: as many as needed). A symbol is asked again `settle_seconds`
        after a candle's close; a refresh asks for no longer than `round_seconds`, and ends when `should_stop` says so.
        """
        if interval_minutes < 1 or candles_needed < 1:
            raise ValueError("interval and number of candles are at least 1")
        self.interval_minutes = interval_minutes
        self._source = source
        self._clock = clock
        self._interval = timedelta(minutes=interval_minutes)
        self._needed = candles_needed
        self._capacity = max(candles_needed, capacity or 0)
        self._settle_seconds = settle_seconds
        self._round_seconds = round_seconds
        self._should_stop = should_stop
        self._series: dict[str, CandleSeries] = {}
        self._newest: datetime | None = None
        self._newest_came_at = clock.monotonic()

    def refresh(self, symbols: Sequence[str]) -> Coverage:
        """Ask for the candles that may have closed since the last time, the longest unasked symbol first.

        Never raises for what a venue says or fails to say: it is in the coverage, by symbol.
        """
        now = self._clock.monotonic()
        wanted = list(dict.fromkeys(symbols))
        for symbol in wanted:
            self._series.setdefault(symbol, CandleSeries()).wanted_at = now
        self._forget(now)
        calls, failed = self._ask_round([symbol for symbol in wanted if self._series[symbol].due_at <= now], now)
        problems = {symbol: self._problem(symbol) for symbol in wanted}
        return Coverage(
            ready=tuple(symbol for symbol in wanted if not problems[symbol]),
            not_ready=MappingProxyType({symbol: problem for symbol, problem in problems.items() if problem}),
            calls=calls,
            failed=failed,
        )

    def closed(self, symbol: str) -> tuple[Candle, ...]:
        """The closed candles of a ready symbol, oldest first; empty while it is not ready (the coverage says why)."""
        return () if self._problem(symbol) else self._series[symbol].candles

    def _ask_round(self, due: list[str], started: float) -> tuple[int, int]:
        calls = failed = failed_in_a_row = 0
        for symbol in sorted(due, key=lambda symbol: self._series[symbol].asked_at):
            if failed_in_a_row >= FAILURES_THAT_END_A_ROUND or self._should_stop():
                break
            if self._clock.monotonic() - started >= self._round_seconds:
                break
            calls += 1
            succeeded = self._ask(symbol)
            failed += not succeeded
            failed_in_a_row = 0 if succeeded else failed_in_a_row + 1
        return calls, failed

    def _ask(self, symbol: str) -> bool:
        """One reading. A reply nobody foresaw spoils this symbol for a while, not the scan."""
        series = self._series[symbol]
        series.asked_at = self._clock.monotonic()
        try:
            grew = self._read(symbol, series)
        except RetryLater as error:
            series.failed(self._clock.monotonic(), str(error), retry_after_seconds=error.retry_after_seconds)
            return False
        except (NijaError, ValueError, ArithmeticError, LookupError, TypeError) as error:
            series.failed(self._clock.monotonic(), str(error) or type(error).__name__)
            return False
        series.was_read(
            self._clock.monotonic(),
            grew=grew,
            next_close_seconds=self._seconds_to_next_close(),
            settle_seconds=self._settle_seconds,
        )
        return True

    def _read(self, symbol: str, series: CandleSeries) -> bool:
        limit = series.limit(series.asked_at, interval=self._interval, capacity=self._capacity)
        candles = self._fetch(symbol, limit)
        if not series.adjoins(candles, self._interval) and limit < self._capacity:
            candles = self._fetch(symbol, self._capacity)
        grew = series.merge(candles, capacity=self._capacity)
        if series.newest is not None and (self._newest is None or series.newest > self._newest):
            self._newest, self._newest_came_at = series.newest, self._clock.monotonic()
        return grew

    def _fetch(self, symbol: str, limit: int) -> Sequence[Candle]:
        candles = self._source.get_candles(symbol, interval_minutes=self.interval_minutes, limit=limit)
        check_candles(candles, self._interval)
        return candles

    def _seconds_to_next_close(self) -> float:
        interval_ns = self.interval_minutes * 60 * 1_000_000_000
        return (interval_ns - self._clock.wall_ns() % interval_ns) / 1_000_000_000

    def _problem(self, symbol: str) -> str:
        """Why a symbol cannot be decided on; empty when it can."""
        series = self._series.get(symbol)
        if series is None or series.newest is None or self._newest is None:
            return series.reason or "the venue has no candles" if series else "not asked for"
        if len(series.candles) < self._needed:
            return f"{len(series.candles)} of {self._needed} candles"
        silent_seconds = self._clock.monotonic() - self._newest_came_at
        if silent_seconds > STALE_AFTER_CANDLES * self._interval.total_seconds():
            return f"no new candle of any market for {silent_seconds:.0f} s" + (
                f": {series.reason}" if series.reason else ""
            )
        behind = (self._newest - series.newest) // self._interval
        if behind >= STALE_AFTER_CANDLES:
            return f"{behind} candles behind the venue's newest" + (f": {series.reason}" if series.reason else "")
        return ""

    def _forget(self, now: float) -> None:
        """Symbols nobody wants any more make room, so that memory is bounded by what is watched."""
        for symbol in [s for s, series in self._series.items() if now - series.wanted_at > FORGET_AFTER_SECONDS]:
            del self._series[symbol]
