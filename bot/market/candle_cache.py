"""Closed candles of many symbols, read from one broker no more often than new ones can exist."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from bot.domain.errors import NijaError, RetryLater
from bot.domain.quote import Candle
from bot.market.candle_order import reading_order
from bot.market.candle_progress import CandleProgress
from bot.market.candle_series import FIRST_BACKOFF_SECONDS, NOT_READ_YET, CandleSeries, check_candles
from bot.seams.clock import Clock
from bot.supervision.heart import beat

# So many failed readings in a row are the venue's trouble, not a symbol's: the rest of the round would only wait too.
FAILURES_THAT_END_A_ROUND = 3
FORGET_AFTER_SECONDS = 3600.0
# A symbol this many candles behind the venue's newest one is not judged by its old prices.
STALE_AFTER_CANDLES = 3
# Why a market cannot be decided on, as words to count by; more are in `candle_series`.
TOO_FEW, STALE = "candles_too_few", "candles_stale"


class CandleSource(Protocol):
    """The one method of a broker that is needed here."""

    def get_candles(self, symbol: str, *, interval_minutes: int, limit: int) -> Sequence[Candle]:
        """Closed candles, oldest first."""


@dataclass(frozen=True)
class Coverage:
    """How much of what was wanted can be decided on: every symbol is in `ready` or, with a reason, in `not_ready`.

    `calls` counts the requests of this refresh, `failed` those of them that failed. `rules` has the word to count by
    of each symbol that is not ready.
    """

    ready: tuple[str, ...]
    not_ready: Mapping[str, str]
    calls: int
    failed: int
    rules: Mapping[str, str] = field(default_factory=dict)

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
        round_calls: int | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        name: str = "",
    ) -> None:
        """`capacity` candles are kept a symbol (default: as many as needed). A symbol is asked again `settle_seconds`
        after a candle's close; a refresh asks for no longer than `round_seconds` and no more often than `round_calls`,
        and ends when `should_stop` says so. `name` is the account's, for the log.
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
        self._round_calls = round_calls
        self._should_stop = should_stop
        self._progress = CandleProgress(clock, name=name)
        self._series: dict[str, CandleSeries] = {}
        self._wanted: list[str] = []
        self._rest_until = -math.inf
        self._first = self._sooner = frozenset[str]()
        self._newest: datetime | None = None
        self._newest_came_at = clock.monotonic()

    def refresh(self, symbols: Sequence[str], *, first: Sequence[str] = (), sooner: Collection[str] = ()) -> Coverage:
        """Ask for the candles that may have closed since the last time.

        Those of `first` (what is held) come first; then by turns one of `sooner` and the longest unasked one, so that
        everybody's turn comes. Never raises for what a venue says or fails to say: it is in the coverage, by symbol.
        """
        now = self._clock.monotonic()
        self._wanted = list(dict.fromkeys([*first, *symbols]))
        self._first, self._sooner = frozenset(first), frozenset(sooner)
        for symbol in self._wanted:
            self._series.setdefault(symbol, CandleSeries()).wanted_at = now
        self._forget(now)
        calls, failed = self._ask_round(self._round_calls, now + self._round_seconds, self._should_stop)
        problems = {symbol: problem for symbol in self._wanted if (problem := self._problem(symbol)) is not None}
        return Coverage(
            ready=tuple(symbol for symbol in self._wanted if symbol not in problems),
            not_ready=MappingProxyType({symbol: text for symbol, (_, text) in problems.items()}),
            calls=calls,
            failed=failed,
            rules=MappingProxyType({symbol: rule for symbol, (rule, _) in problems.items()}),
        )

    @property
    def due_at(self) -> float:
        """When the next candles that the last refresh wanted may be asked for (monotonic); infinite = never.

        Not soon after a round that a venue's trouble has ended.
        """
        due = min((self._series[symbol].due_at for symbol in self._wanted), default=math.inf)
        return max(due, self._rest_until)

    def read_on(self, is_wanted: Callable[[], bool]) -> None:
        """Go on where the last refresh stopped, while nobody else wants the thread: `is_wanted` is asked in between."""
        until = self._clock.monotonic() + self._round_seconds
        self._ask_round(None, until, lambda: self._should_stop() or is_wanted())

    def read_count(self, symbols: Sequence[str]) -> int:
        """How many of them have been asked for and answered at least once."""
        return sum(symbol in self._series and self._series[symbol].read_at is not None for symbol in symbols)

    def closed(self, symbol: str) -> Sequence[Candle]:
        """The closed candles of a ready symbol, oldest first; empty while it is not ready (the coverage says why)."""
        return () if self._problem(symbol) is not None else self._series[symbol].candles

    def known(self, symbol: str) -> Sequence[Candle]:
        """The closed candles of a symbol, however old and few they are; for any thread, for showing them."""
        series = self._series.get(symbol)
        return () if series is None else series.candles

    def _ask_round(self, most: int | None, until: float, should_stop: Callable[[], bool]) -> tuple[int, int]:
        """Returns how many calls were made and how many of them failed."""
        calls = failed = failed_in_a_row = 0
        for symbol in self._due():
            if should_stop() or calls == most or self._clock.monotonic() >= until:
                break
            calls += 1
            beat(f"reading the candles of {symbol}")
            succeeded = self._ask(symbol)
            failed += not succeeded
            failed_in_a_row = 0 if succeeded else failed_in_a_row + 1
            self._progress.tell(self.read_count, self._wanted)
            if failed_in_a_row >= FAILURES_THAT_END_A_ROUND:
                self._rest_until = self._clock.monotonic() + FIRST_BACKOFF_SECONDS
                break
        return calls, failed

    def _due(self) -> list[str]:
        now = self._clock.monotonic()
        asked_at = {one: self._series[one].asked_at for one in self._wanted if self._series[one].due_at <= now}
        return reading_order(asked_at, first=self._first, sooner=self._sooner)

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

    def _problem(self, symbol: str) -> tuple[str, str] | None:
        """Why a symbol cannot be decided on, as a word to count by and a sentence; None when it can."""
        series = self._series.get(symbol)
        if series is None:
            return NOT_READ_YET, "not asked for"
        if series.newest is None or self._newest is None:
            return series.why_empty
        if len(series.candles) < self._needed:
            return TOO_FEW, f"{len(series.candles)} of {self._needed} candles"
        because = f": {series.reason}" if series.reason else ""
        silent_seconds = self._clock.monotonic() - self._newest_came_at
        if silent_seconds > STALE_AFTER_CANDLES * self._interval.total_seconds():
            return STALE, f"no new candle of any market for {silent_seconds:.0f} s{because}"
        behind = (self._newest - series.newest) // self._interval
        if behind >= STALE_AFTER_CANDLES:
            return STALE, f"{behind} candles behind the venue's newest{because}"
        return None

    def _forget(self, now: float) -> None:
        """Symbols nobody wants any more make room, so that memory is bounded by what is watched."""
        for symbol in [s for s, series in self._series.items() if now - series.wanted_at > FORGET_AFTER_SECONDS]:
            del self._series[symbol]
