"""200 requests a minute for each account, of the trading API and of market data apart.

They are counted for everybody and shown in the headers, but only enforced for strict accounts.
"""

from __future__ import annotations

from dataclasses import dataclass

from paper_exchange.clock import NANOSECONDS_PER_SECOND

REQUESTS_A_MINUTE = 200
MINUTE_SECONDS = 60
Headers = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Window:
    """The minute that runs, in seconds since 1970, and the requests in it."""

    begins: int
    used: int = 0

    def headers(self) -> Headers:
        left = max(0, REQUESTS_A_MINUTE - self.used)
        return (
            ("x-ratelimit-limit", str(REQUESTS_A_MINUTE)),
            ("x-ratelimit-remaining", str(left)),
            ("x-ratelimit-reset", str(self.begins + MINUTE_SECONDS)),
        )

    @property
    def is_exceeded(self) -> bool:
        return self.used > REQUESTS_A_MINUTE


class RateLimits:
    def __init__(self) -> None:
        self._windows: dict[tuple[str, bool], Window] = {}

    def count(self, account_id: str, *, data: bool, now_ns: int) -> Window:
        """Count a request and give the window that it falls into."""
        begins = now_ns // NANOSECONDS_PER_SECOND // MINUTE_SECONDS * MINUTE_SECONDS
        window = self._windows.get((account_id, data))
        if window is None or window.begins != begins:
            window = self._windows[account_id, data] = Window(begins)
        window.used += 1
        return window
