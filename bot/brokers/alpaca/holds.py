"""What the venue has denied for the state of an account, not for the order: not asked again until that may change."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.order import Side
from bot.domain.trading_session import Awaited, minute_text
from bot.seams.clock import Clock

# Nobody says when an opposite order of the account ends; so long later it is asked again.
WASH_TRADE_SECONDS = 300.0
# A split is told within minutes of the change of shares, or it was none.
SPLIT_SECONDS = 1800.0
# Where the next session's opening is not known.
DAY_TRADE_SECONDS = 3600.0


@dataclass(frozen=True)
class _Hold:
    awaited: Awaited
    until_monotonic: float
    is_day_trade: bool


class OrderHolds:
    """One account's, by market and side; its own thread writes, any thread asks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._holds: dict[tuple[str, Side], _Hold] = {}
        # Splits that wait to be told, by market; and those that were told already, which lift nothing any more.
        self._splits: dict[str, float] = {}
        self._told: set[str] = set()

    def day_trade(self, symbol: str, side: Side, *, venue_now: datetime, next_open: datetime | None) -> None:
        """Denied because it would make a day trade too many: that is over with the next session."""
        until = next_open or venue_now + timedelta(seconds=DAY_TRADE_SECONDS)
        says = f"the end of the venue's day-trade protection at {minute_text(until)}"
        self._put(symbol, side, Awaited(says, until), (until - venue_now).total_seconds(), is_day_trade=True)

    def wash_trade(self, symbol: str, side: Side, *, venue_now: datetime) -> None:
        """Denied because an order of the account on the other side of this market is open."""
        until = venue_now + timedelta(seconds=WASH_TRADE_SECONDS)
        says = f"the end of the account's opposite order in {symbol} (wash trade protection)"
        self._put(symbol, side, Awaited(says, until), WASH_TRADE_SECONDS, is_day_trade=False)

    def lift_day_trades(self) -> None:
        """The account's day-trade state is another one now: what was denied may be granted."""
        with self._lock:
            self._holds = {key: hold for key, hold in self._holds.items() if not hold.is_day_trade}

    def split(self, symbol: str) -> None:
        """Its shares were split, and the books do not know it yet."""
        with self._lock:
            self._splits[symbol] = self._clock.monotonic() + SPLIT_SECONDS

    def lift_split(self, symbol: str, *, told: str) -> None:
        """This split is told now; one that was told before lifts nothing."""
        with self._lock:
            if told not in self._told:
                self._told.add(told)
                self._splits.pop(symbol, None)

    def awaited(self, symbol: str, side: Side) -> Awaited | None:
        """What an order of this market and side waits for, or None."""
        with self._lock:
            if self._clock.monotonic() < self._splits.get(symbol, 0.0):
                return Awaited(f"the venue's word on a split of {symbol}")
            self._splits.pop(symbol, None)
            hold = self._holds.get((symbol, side))
            if hold is None or self._clock.monotonic() >= hold.until_monotonic:
                self._holds.pop((symbol, side), None)
                return None
            return hold.awaited

    def _put(self, symbol: str, side: Side, awaited: Awaited, seconds: float, *, is_day_trade: bool) -> None:
        with self._lock:
            until = self._clock.monotonic() + max(0.0, seconds)
            self._holds[symbol, side] = _Hold(awaited, until, is_day_trade)
