"""The edge in front of the sockets: who begins connections too often is turned away for a while."""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 600.0
"""Source: Kraken allows about 150 attempts in ten minutes from an address, and bans it for ten minutes beyond that."""


class ConnectLimit:
    """At most ``most`` attempts in any ten minutes; None sets no limit. All clients here have the same address."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._attempts: deque[float] = deque()
        self._banned_until = 0.0

    def allows(self, now: float) -> bool:
        """Count an attempt."""
        if self._most is None:
            return True
        if now < self._banned_until:
            return False
        while self._attempts and self._attempts[0] <= now - WINDOW_SECONDS:
            self._attempts.popleft()
        self._attempts.append(now)
        if len(self._attempts) <= self._most:
            return True
        self._banned_until = now + WINDOW_SECONDS
        self._attempts.clear()
        return False
