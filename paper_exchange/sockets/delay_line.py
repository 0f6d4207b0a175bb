"""Distance to the exchange: everything that goes through the line arrives later by the same time, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from paper_exchange.latency import Latency


class DelayLine:
    """Carries calls one way; many are under way at once. Without a delay a call is made on the spot."""

    def __init__(self, latency: Latency) -> None:
        self._latency = latency
        self._under_way: deque[tuple[float, Callable[[bytes], None], bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def carry(self, arrive: Callable[[bytes], None], data: bytes) -> None:
        if not self._latency.seconds and not self._under_way:
            arrive(data)
            return
        loop = asyncio.get_running_loop()
        # Never before what left earlier, also when the exchange has come nearer meanwhile.
        earliest = self._under_way[-1][0] if self._under_way else 0.0
        self._under_way.append((max(earliest, loop.time() + self._latency.one_way), arrive, data))
        if self._timer is None:
            self._timer = loop.call_at(self._under_way[0][0], self._arrived)

    def _arrived(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        try:
            while self._under_way and self._under_way[0][0] <= now:
                _, arrive, data = self._under_way.popleft()
                arrive(data)
        finally:
            # Should one of them fail, the others still arrive.
            self._timer = loop.call_at(self._under_way[0][0], self._arrived) if self._under_way else None
