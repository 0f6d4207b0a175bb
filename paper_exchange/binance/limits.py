"""Weights of requests by address, orders by account, and the ban of whoever goes on in spite of being told to stop.

Every reply says what has been used. Only accounts opened with ``"strict": true`` are held to the limits; all clients
come from one address here, so that one counter holds what all of them have used.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from paper_exchange.binance.amounts import milliseconds
from paper_exchange.clock import NANOSECONDS_PER_SECOND

WEIGHT_A_MINUTE = 6000
ORDERS_IN_TEN_SECONDS = 100
ORDERS_A_DAY = 200_000
RAW_REQUESTS_IN_FIVE_MINUTES = 61_000
MINUTE_NS = 60 * NANOSECONDS_PER_SECOND
TEN_SECONDS_NS = 10 * NANOSECONDS_PER_SECOND
DAY_NS = 86_400 * NANOSECONDS_PER_SECOND
PATIENCE = 20
"""How many refused requests in a minute are borne before the address is banned."""
FIRST_BAN_NS = 120 * NANOSECONDS_PER_SECOND
LONGEST_BAN_NS = 3 * DAY_NS
RATE_LIMITS: tuple[dict[str, object], ...] = (
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": WEIGHT_A_MINUTE},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDERS_IN_TEN_SECONDS},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": ORDERS_A_DAY},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": RAW_REQUESTS_IN_FIVE_MINUTES},
)


@dataclass(slots=True)
class Window:
    """A count that starts anew with every interval of the clock."""

    length_ns: int
    limit: int
    number: int = -1
    used: int = 0

    def add(self, amount: int, now_ns: int) -> int:
        """Charge and return what is used in this interval."""
        number = now_ns // self.length_ns
        if number != self.number:
            self.number, self.used = number, 0
        self.used += amount
        return self.used

    def seconds_left(self, now_ns: int) -> int:
        """Whole seconds until the next interval, at least one."""
        return max(1, -(-(self.length_ns - now_ns % self.length_ns) // NANOSECONDS_PER_SECOND))


@dataclass(slots=True)
class OrderWindows:
    """Orders of one account."""

    ten_seconds: Window = field(default_factory=lambda: Window(TEN_SECONDS_NS, ORDERS_IN_TEN_SECONDS))
    day: Window = field(default_factory=lambda: Window(DAY_NS, ORDERS_A_DAY))


@dataclass(frozen=True, slots=True)
class OverLimit:
    """A refusal: the status is 429, or 418 for an address that is banned."""

    status: int
    retry_after_seconds: int
    message: str


class Limits:
    """All counters of the front; they start at nothing with the process, as the venue's do after a minute."""

    def __init__(self) -> None:
        self._weight = Window(MINUTE_NS, WEIGHT_A_MINUTE)
        self._refused = Window(MINUTE_NS, PATIENCE)
        self._orders: dict[str, OrderWindows] = {}
        self._banned_until_ns = 0
        self._bans = 0

    @property
    def used_weight(self) -> int:
        return self._weight.used

    def charge(self, weight: int, now_ns: int, *, strict: bool) -> OverLimit | None:
        """Count a request; only a strict one can be over the limit, and only its refusals lead to a ban."""
        used = self._weight.add(weight, now_ns)
        if not strict:
            return None
        if now_ns < self._banned_until_ns:
            return self._ban(now_ns)
        if used <= WEIGHT_A_MINUTE:
            return None
        if self._refused.add(1, now_ns) > PATIENCE:
            self._banned_until_ns = now_ns + min(LONGEST_BAN_NS, FIRST_BAN_NS * 2**self._bans)
            self._bans += 1
            return self._ban(now_ns)
        return OverLimit(
            429,
            self._weight.seconds_left(now_ns),
            f"Too much request weight used; current limit is {WEIGHT_A_MINUTE} request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API.",
        )

    def charge_order(self, account_id: str, now_ns: int, *, strict: bool) -> OverLimit | None:
        """Count an order of an account."""
        windows = self._orders.setdefault(account_id, OrderWindows())
        windows.day.add(1, now_ns)
        windows.ten_seconds.add(1, now_ns)
        if not strict:
            return None
        for window, words in ((windows.ten_seconds, "10 SECOND"), (windows.day, "1 DAY")):
            if window.used > window.limit:
                text = f"Too many new orders; current limit is {window.limit} orders per {words}."
                return OverLimit(429, window.seconds_left(now_ns), text)
        return None

    def orders_used(self, account_id: str, now_ns: int) -> tuple[int, int]:
        """In these ten seconds, and today."""
        windows = self._orders.setdefault(account_id, OrderWindows())
        return windows.ten_seconds.add(0, now_ns), windows.day.add(0, now_ns)

    def _ban(self, now_ns: int) -> OverLimit:
        seconds = max(1, -(-(self._banned_until_ns - now_ns) // NANOSECONDS_PER_SECOND))
        until = milliseconds(self._banned_until_ns)
        text = (
            f"Way too much request weight used; IP banned until {until}. "
            "Please use WebSocket Streams for live updates to avoid bans."
        )
        return OverLimit(418, seconds, text)
