"""The last balances read of one account, and how far they can be trusted."""

import threading
from collections.abc import Callable
from decimal import Decimal

from bot.domain.balance import AssetBalance, BalanceReading, BalanceStatus, Holdings
from bot.domain.fill import Fill
from bot.domain.order import Side
from bot.domain.symbol import base_of, quote_of
from bot.seams.clock import Clock


class BalanceBook:
    """Keeps the last known holdings; a failure is counted and never becomes a value.

    `max_age_seconds`: older is stale. `cache_seconds`: younger is not read again. After
    `unavailable_after_errors` failures in a row the account counts as unavailable.
    The owner's thread writes, any thread reads.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        max_age_seconds: float = 60.0,
        cache_seconds: float = 5.0,
        unavailable_after_errors: int = 3,
    ) -> None:
        self.clock = self._clock = clock
        self._max_age_seconds = max_age_seconds
        self._cache_seconds = cache_seconds
        self._unavailable_after_errors = unavailable_after_errors
        self._lock = threading.Lock()
        self._holdings: Holdings | None = None
        self._read_at = 0.0
        self._error_count = 0
        self._reason = "no balance was read yet"
        self._follow: Callable[[], Holdings | None] = _nobody_knows

    def follow(self, source: Callable[[], Holdings | None]) -> None:
        """Ask `source` for the balances of now before anything else; None = it does not know them at the moment.

        While it knows them they are fresh and nothing is read; afterwards they age like any reading.
        """
        self._follow = source

    def needs_read(self, max_age_seconds: float | None = None) -> bool:
        """Whether the last good reading is older than allowed, or missing, or followed by a failure."""
        if self._look():
            return False
        limit = self._cache_seconds if max_age_seconds is None else max_age_seconds
        with self._lock:
            return self._holdings is None or self._error_count > 0 or self._age() >= limit

    def record(self, holdings: Holdings) -> None:
        """A reading that the venue gave."""
        with self._lock:
            self._holdings, self._read_at = holdings, self._clock.monotonic()
            self._error_count, self._reason = 0, ""

    def record_failure(self, reason: str) -> None:
        """A reading that failed: the old value stays, with its age."""
        with self._lock:
            self._error_count += 1
            self._reason = reason

    def apply_fill(self, fill: Fill) -> None:
        """Move the known balances by a fill of ours, so that the next order does not spend the same money twice.

        The age is left alone: this is arithmetic on an old reading, not a new one.
        """
        with self._lock:
            if self._holdings is None:
                return
            assets = dict(self._holdings.assets)
            direction = 1 if fill.side is Side.BUY else -1
            _shift(assets, base_of(fill.symbol), direction * fill.quantity)
            _shift(assets, quote_of(fill.symbol), -direction * fill.notional)
            _shift(assets, fill.fee_currency, -fill.fee)
            self._holdings = Holdings(assets, self._holdings.taken_at)

    def reading(self) -> BalanceReading:
        """Fresh, stale or unknown, with age and the last error."""
        self._look()
        with self._lock:
            if self._holdings is None:
                return BalanceReading(BalanceStatus.UNKNOWN, None, None, self._error_count, self._reason)
            age = self._age()
            unavailable = self._error_count >= self._unavailable_after_errors
            fresh = age < self._max_age_seconds and not unavailable
            status = BalanceStatus.FRESH if fresh else BalanceStatus.STALE
            return BalanceReading(status, self._holdings, age, self._error_count, self._reason)

    @property
    def available(self) -> bool:
        with self._lock:
            return self._error_count < self._unavailable_after_errors

    @property
    def error_count(self) -> int:
        with self._lock:
            return self._error_count

    def _look(self) -> bool:
        """Whether somebody knows the balances of now."""
        holdings = self._follow()
        if holdings is not None:
            self.record(holdings)
        return holdings is not None

    def _age(self) -> float:
        return self._clock.monotonic() - self._read_at


def _nobody_knows() -> Holdings | None:
    return None


def _shift(assets: dict[str, AssetBalance], asset: str, amount: Decimal) -> None:
    old = assets.get(asset, AssetBalance(Decimal(0), Decimal(0)))
    assets[asset] = AssetBalance(max(Decimal(0), old.available + amount), old.held)
