"""How many requests OKX takes: by endpoint and account, for order traffic by instrument too; strict accounts only."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from paper_exchange.clock import NANOSECONDS_PER_SECOND

ORDERS_OF_AN_ACCOUNT = 1000
"""New and amended orders of an account in two seconds, over all instruments (50061)."""
ACCOUNT_WINDOW_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Limit:
    """``count`` in any ``seconds``."""

    count: int
    seconds: int = 2
    by_instrument: bool = False


class SlidingCounters:
    """When the latest requests came, by whatever they are counted by."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, ...], deque[int]] = {}

    def allowed(self, key: tuple[str, ...], limit: Limit, now_ns: int, *, cost: int = 1) -> bool:
        """Count ``cost`` requests; False when that is more than the limit, and then nothing is counted."""
        times = self._times.setdefault(key, deque())
        oldest = now_ns - limit.seconds * NANOSECONDS_PER_SECOND
        while times and times[0] <= oldest:
            times.popleft()
        if len(times) + cost > limit.count:
            return False
        times.extend([now_ns] * cost)
        return True
