"""How often this process may begin a connection to a venue's sockets.

Kraken's edge bans an address for ten minutes when it begins about 150 connections within ten minutes, and a lost
network loses the connections of all accounts at once. So they come back one after the other, masters and whoever feeds
the market first, and a part of the budget is kept for those.
"""

import asyncio
import bisect
import itertools
import math
import threading
from collections import deque
from enum import IntEnum

from bot.seams.clock import Clock
from bot.seams.ids import IdSource

WINDOW_SECONDS = 600.0
# Accounts that lost their connections together come back spread over this much each.
SPACING_SECONDS = 0.02
# What users leave to masters and feeds, as a part of the budget.
KEPT_FRACTION = 0.1


class Rank(IntEnum):
    """Who connects first."""

    FIRST = 0
    USER = 1


class ConnectBudget:
    """At most `limit` connections begun in any `window_seconds`. On the loop alone, but for `used`."""

    def __init__(self, clock: Clock, ids: IdSource, *, limit: int, window_seconds: float = WINDOW_SECONDS) -> None:
        self._clock = clock
        self._ids = ids
        self._limit = limit
        self._kept = math.ceil(limit * KEPT_FRACTION) if limit > 1 else 0
        self._window = window_seconds
        self._mutex = threading.Lock()
        self._begun: deque[float] = deque()
        self._next_at = -math.inf
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def used(self) -> int:
        """Connections begun within the window."""
        with self._mutex:
            self._forget(self._clock.monotonic())
            return len(self._begun)

    async def turn(self, rank: Rank) -> None:
        """Wait until a connection may be begun; it then counts as begun."""
        loop = asyncio.get_running_loop()
        granted: asyncio.Future[None] = loop.create_future()
        ticket = (int(rank), next(self._arrivals), granted)
        bisect.insort(self._waiting, ticket, key=lambda waiting: waiting[:2])
        self._pump(loop)
        try:
            await granted
        finally:
            if ticket in self._waiting:
                self._waiting.remove(ticket)

    def _pump(self, loop: asyncio.AbstractEventLoop) -> None:
        """Grant what there is room for, and come back when there will be more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # A loop that was replaced left its own behind.
        self._waiting = [ticket for ticket in self._waiting if ticket[2].get_loop() is loop and not ticket[2].done()]
        while self._waiting:
            rank, _, granted = self._waiting[0]
            wait = self._take(Rank(rank))
            if wait > 0:
                self._timer = loop.call_later(wait, self._pump, loop)
                return
            self._waiting.pop(0)
            granted.set_result(None)

    def _take(self, rank: Rank) -> float:
        """0 when a connection may be begun now, and then it counts; otherwise in how many seconds to ask again."""
        with self._mutex:
            now = self._clock.monotonic()
            self._forget(now)
            allowed = self._limit if rank is Rank.FIRST else self._limit - self._kept
            if len(self._begun) >= allowed:
                # The one that has to be forgotten first; a later arrival of higher rank asks anew at once.
                return max(0.001, self._begun[len(self._begun) - allowed] + self._window - now)
            if now < self._next_at:
                return max(0.001, self._next_at - now)
            self._begun.append(now)
            self._next_at = now + SPACING_SECONDS * (0.5 + self._ids.fraction())
            return 0.0

    def _forget(self, now: float) -> None:
        while self._begun and self._begun[0] <= now - self._window:
            self._begun.popleft()
