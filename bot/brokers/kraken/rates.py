"""Kraken's two counters of one API key, by its account's tier: calls, and order traffic per pair.

The figures are those of Kraken's pages on REST and trading rate limits. What they leave open is taken at its dearest
for the histories; reading ended orders and single trades costs what clients have seen.
"""

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType

from bot.brokers.base import Urgency
from bot.brokers.ending import Ending
from bot.brokers.rate_budget import RateBudget, Spending
from bot.seams.clock import Clock


@dataclass(frozen=True)
class Tier:
    """Limits, and how fast the counters fall per second."""

    calls: float
    call_decay: float
    orders: float
    order_decay: float


TIERS: Mapping[str, Tier] = MappingProxyType(
    {
        "starter": Tier(15, 0.33, 60, 1.0),
        "intermediate": Tier(20, 0.5, 125, 2.34),
        "pro": Tier(20, 1.0, 180, 3.75),
    }
)
# Every other reading costs 1; calls that change orders count on their pair's counter alone.
CALL_COSTS: Mapping[str, float] = MappingProxyType(
    {
        "Ledgers": 4,
        "QueryLedgers": 4,
        "TradesHistory": 4,
        "ClosedOrders": 2,
        "QueryTrades": 2,
    }
)
ADD_COST = 1.0
# What cancelling an order costs while it is younger than so many seconds; later it is free.
CANCEL_COSTS = ((5, 8.0), (10, 6.0), (15, 5.0), (45, 4.0), (90, 2.0), (300, 1.0))
CALL_LIMIT_TEXTS = ("EAPI:Rate limit exceeded", "EAuth:Rate limit exceeded", "EAuth:Too many requests")
ORDER_LIMIT_TEXTS = ("EOrder:Rate limit exceeded", "EOrder:Domain rate limit exceeded")
_ORDERS_REMEMBERED = 2000


def cancel_cost(age_seconds: float) -> float:
    """What a cancel adds to the pair's counter, by the order's age."""
    return next((cost for seconds, cost in CANCEL_COSTS if age_seconds < seconds), 0.0)


class KrakenRates:
    """The counters of one key. `tier` None counts nothing and only heeds what the venue says.

    `name` is the account's, for messages. It outlives the broker object, as the venue's counters do.
    """

    def __init__(self, clock: Clock, *, name: str, tier: Tier | None, ending: Ending | None = None) -> None:
        self._clock = clock
        self._name = name
        self._tier = tier
        self._ending = ending or Ending()
        self._mutex = Lock()
        self._pairs: dict[str, RateBudget] = {}
        self._placed: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self.calls = self._budget("Kraken's call counter", *((tier.calls, tier.call_decay) if tier else (None, 1.0)))

    def call(self, method: str, urgency: Urgency, *, within_seconds: float) -> AbstractContextManager[Spending]:
        """Room for a reading. Entering raises `RetryLater` when there is none in time."""
        return self.calls.spend(CALL_COSTS.get(method, 1.0), urgency, within_seconds=within_seconds)

    def adding(self, pair: str, urgency: Urgency, *, within_seconds: float) -> AbstractContextManager[Spending]:
        """Room for a new order, as `call`."""
        self.calls.refuse_while_closed()
        return self._of(pair).spend(ADD_COST, urgency, within_seconds=within_seconds)

    def has_room(self, pair: str, urgency: Urgency) -> bool:
        """Whether a new order would find room at once. Nothing is charged. Raises `RetryLater` while all is closed."""
        self.calls.refuse_while_closed()
        return self._of(pair).has_room(ADD_COST, urgency)

    def cancelling(
        self, venue_order_id: str, urgency: Urgency, *, within_seconds: float
    ) -> AbstractContextManager[Spending]:
        """Room for a cancel, as `call`. The pair of an order that this process did not send is unknown: free."""
        self.calls.refuse_while_closed()
        pair, cost = self._cancel_of(venue_order_id)
        return self._of(pair).spend(cost, urgency, within_seconds=within_seconds)

    def placed(self, venue_order_id: str, pair: str) -> None:
        """Remember a new order: how dear its cancel will be depends on its age."""
        with self._mutex:
            self._placed[venue_order_id] = (pair, self._clock.monotonic())
            while len(self._placed) > _ORDERS_REMEMBERED:
                self._placed.popitem(last=False)

    def refused(self, text: str, *, pair: str = "", venue_order_id: str = "", seconds: float | None = None) -> None:
        """Heed an error text, if it is about a counter; `seconds` until when the venue wants to be left alone."""
        if text.startswith(CALL_LIMIT_TEXTS) or seconds is not None:
            self.calls.refused(seconds)
        elif text.startswith(ORDER_LIMIT_TEXTS):
            self._of(pair or self._cancel_of(venue_order_id)[0]).refused()

    def _cancel_of(self, venue_order_id: str) -> tuple[str, float]:
        with self._mutex:
            pair, placed_at = self._placed.get(venue_order_id, ("", float("-inf")))
        return pair, cancel_cost(self._clock.monotonic() - placed_at)

    def _of(self, pair: str) -> RateBudget:
        with self._mutex:
            if pair not in self._pairs:
                limits = (self._tier.orders, self._tier.order_decay) if self._tier else (None, 1.0)
                self._pairs[pair] = self._budget(f"Kraken's order counter of {pair or 'unknown pairs'}", *limits)
            return self._pairs[pair]

    def _budget(self, what: str, limit: float | None, decay: float) -> RateBudget:
        return RateBudget(
            self._clock, name=f"{self._name}: {what}", limit=limit, decay_per_second=decay, ending=self._ending
        )
