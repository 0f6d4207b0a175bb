"""The volume of the last 24 hours, for a list of all products."""

from __future__ import annotations

from paper_exchange.market import DayStats, Market

REFRESH_NS = 60_000_000_000


class DayFigures:
    """Day statistics, at most a minute old.

    To add up a day for every product at every call would hold all other clients up for a tenth of a second.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._known: dict[str, tuple[int, DayStats]] = {}

    def of(self, symbol: str, now_ns: int) -> DayStats:
        known = self._known.get(symbol)
        if known is None or now_ns - known[0] >= REFRESH_NS:
            known = now_ns, self._market.day_stats(symbol)
            self._known[symbol] = known
        return known[1]
