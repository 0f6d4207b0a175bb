"""Kraken's two rate counters: calls per API key, and order traffic per account and pair.

Both fall at a steady rate and refuse above a limit that depends on the account's tier. They are only enforced for
accounts opened with ``"strict": true``.
"""

from __future__ import annotations

from dataclasses import dataclass

from paper_exchange.clock import NANOSECONDS_PER_SECOND


@dataclass(frozen=True, slots=True)
class TierLimits:
    """Limits of one tier; decays are per second. Source: Kraken's pages on REST and trading rate limits."""

    calls: float
    call_decay: float
    orders: float
    order_decay: float
    open_orders_per_pair: int


TIERS = {
    "intermediate": TierLimits(calls=20, call_decay=0.5, orders=125, order_decay=2.34, open_orders_per_pair=80),
    "starter": TierLimits(calls=15, call_decay=0.33, orders=60, order_decay=1.0, open_orders_per_pair=60),
    "pro": TierLimits(calls=20, call_decay=1.0, orders=180, order_decay=3.75, open_orders_per_pair=225),
}
ADD_COST = 1.0
BATCH_ADD_COST = 0.5
"""Of each order of a batch, counted at once for all of them."""
CHANGE_COST = 1.0
"""Of an amendment or an edit, beside what the order's age costs."""
CANCEL_COSTS = ((5, 8.0), (10, 6.0), (15, 5.0), (45, 4.0), (90, 2.0), (300, 1.0))
"""Cost of a cancel by the order's age in seconds, up to; an older order costs nothing. An amendment makes it young."""
AMEND_COSTS = ((5, 3.0), (10, 2.0), (15, 1.0))
EDIT_COSTS = ((5, 6.0), (10, 5.0), (15, 4.0), (45, 2.0), (90, 1.0))
AgeCosts = tuple[tuple[int, float], ...]


def cancel_cost(age_ns: int) -> float:
    """What cancelling an order of this age adds to the trading counter."""
    return _cost_at(age_ns, CANCEL_COSTS)


def amend_cost(age_ns: int, *, cancels: bool = False) -> float:
    """What amending adds; an amendment that leaves nothing of the order to fill is paid like a cancel."""
    return CHANGE_COST + _cost_at(age_ns, CANCEL_COSTS if cancels else AMEND_COSTS)


def edit_cost(age_ns: int) -> float:
    return CHANGE_COST + _cost_at(age_ns, EDIT_COSTS)


def _cost_at(age_ns: int, costs: AgeCosts) -> float:
    for seconds, cost in costs:
        if age_ns < seconds * NANOSECONDS_PER_SECOND:
            return cost
    return 0.0


@dataclass(slots=True)
class DecayingCounter:
    """A number that falls to zero at ``decay`` a second; it is kept up to date only when touched."""

    limit: float
    decay: float
    value: float = 0.0
    touched_ns: int = 0

    def add(self, cost: float, now_ns: int) -> bool:
        """Charge ``cost``; False when the limit is exceeded. It is charged either way, so calling on extends it."""
        elapsed = max(0, now_ns - self.touched_ns) / NANOSECONDS_PER_SECOND
        self.value = max(0.0, self.value - elapsed * self.decay) + cost
        self.touched_ns = max(now_ns, self.touched_ns)
        allowed = self.value <= self.limit
        # A client that hammers on must still get out within a bounded time.
        self.value = min(self.value, 2 * self.limit)
        return allowed


class RateCounters:
    """The counters of all strict accounts."""

    def __init__(self) -> None:
        self._calls: dict[str, DecayingCounter] = {}
        self._orders: dict[tuple[str, str], DecayingCounter] = {}

    def call_allowed(self, api_key: str, tier: str, cost: float, now_ns: int) -> bool:
        limits = TIERS[tier]
        counter = self._calls.setdefault(api_key, DecayingCounter(limits.calls, limits.call_decay))
        return counter.add(cost, now_ns)

    def order_allowed(self, account_id: str, symbol: str, tier: str, cost: float, now_ns: int) -> bool:
        limits = TIERS[tier]
        counter = self._orders.setdefault((account_id, symbol), DecayingCounter(limits.orders, limits.order_decay))
        return counter.add(cost, now_ns)
