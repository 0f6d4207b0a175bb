"""The closed candles of one symbol, and when to ask for more."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from bot.domain.quote import Candle
from bot.market.packed_candles import PackedCandles

FIRST_BACKOFF_SECONDS = 5.0
LONGEST_BACKOFF_SECONDS = 300.0
# Why there are no candles, as words to count by.
NOT_READ_YET, FAILED, NONE = "candles_not_read_yet", "candles_failed", "candles_none"


class CandlesUnusable(ValueError):
    """A venue's candles contradict themselves."""


@dataclass
class CandleSeries:
    """What is known of one symbol. Times of asking are monotonic seconds, so that a clock set back stops nothing."""

    candles: PackedCandles = field(default_factory=PackedCandles)
    due_at: float = 0.0
    asked_at: float = float("-inf")
    wanted_at: float = 0.0
    read_at: float | None = None
    failures: int = 0
    quiet_readings: int = 0
    reason: str = field(default="not read yet")

    @property
    def newest(self) -> datetime | None:
        return self.candles.newest

    @property
    def why_empty(self) -> tuple[str, str]:
        """Of a series without candles: the word to count by, and the sentence."""
        if self.failures:
            return FAILED, self.reason
        return (NOT_READ_YET, self.reason) if self.read_at is None else (NONE, "the venue has no candles")

    def limit(self, now: float, *, interval: timedelta, capacity: int) -> int:
        """How many candles to ask for: all the first time, then what may have closed since, and two that are known."""
        if self.read_at is None or not self.candles:
            return capacity
        elapsed = int((now - self.read_at) / interval.total_seconds()) + 1
        return min(capacity, elapsed + 2)

    def adjoins(self, candles: Sequence[Candle], interval: timedelta) -> bool:
        """Whether an answer continues what is known, with no unseen candles between."""
        newest = self.newest
        return newest is None or not candles or candles[0].opened_at <= newest + interval

    def merge(self, candles: Sequence[Candle], *, capacity: int) -> bool:
        """Take an answer in; the venue's newer word about a candle counts. True if a newer candle came."""
        if not candles:
            return False
        before = self.newest
        self.candles = self.candles.merged(candles, capacity=capacity)
        return before is None or candles[-1].opened_at > before

    def failed(self, now: float, reason: str, *, retry_after_seconds: float = 0.0) -> None:
        """Ask again later, ever later while it goes on failing."""
        self.failures += 1
        backoff = min(FIRST_BACKOFF_SECONDS * 2.0 ** (self.failures - 1), LONGEST_BACKOFF_SECONDS)
        self.due_at = now + max(backoff, retry_after_seconds)
        self.reason = reason

    def was_read(self, now: float, *, grew: bool, next_close_seconds: float, settle_seconds: float) -> None:
        """Ask again after the next candle's close; a little sooner, a few times, if the last one is not there yet."""
        self.failures, self.reason, self.read_at = 0, "", now
        self.quiet_readings = 0 if grew else self.quiet_readings + 1
        until_next = next_close_seconds + settle_seconds
        if not grew:
            until_next = min(until_next, FIRST_BACKOFF_SECONDS * 2.0 ** min(self.quiet_readings - 1, 16))
        self.due_at = now + until_next


def check_candles(candles: Sequence[Candle], interval: timedelta) -> None:
    """Raises `CandlesUnusable` unless the candles are in order, on one grid, and possible."""
    for candle in candles:
        low, high = min(candle.open, candle.close), max(candle.open, candle.close)
        if not 0 < candle.low <= low <= high <= candle.high or candle.volume < 0:
            raise CandlesUnusable(f"the candle of {candle.opened_at:%Y-%m-%d %H:%M} has impossible prices or volume")
    for earlier, later in pairwise(candles):
        distance = later.opened_at - earlier.opened_at
        if distance <= timedelta(0) or distance % interval:
            raise CandlesUnusable(
                f"the candles after {earlier.opened_at:%Y-%m-%d %H:%M} are out of order or off the grid"
            )
