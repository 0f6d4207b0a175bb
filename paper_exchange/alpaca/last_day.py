"""The price at which each stock ended the day before, which is asked for with every look at an account."""

from __future__ import annotations

from decimal import Decimal

from paper_exchange.market import Market

DAY_SECONDS = 86_400
DAY_NS = DAY_SECONDS * 1_000_000_000


class LastDayPrices:
    """Added up once a day (of the tape, which is one of UTC) for each stock: it takes a while."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._known: dict[str, tuple[int, Decimal]] = {}

    def of(self, symbol: str) -> Decimal:
        """The last price of the day before, or the first one known."""
        day = self._market.now_ns // DAY_NS
        known = self._known.get(symbol)
        if known is None or known[0] != day:
            days = self._market.candles(symbol, DAY_SECONDS, None, 2)
            known = self._known[symbol] = day, days[0].close if len(days) == 2 else days[0].open
        return known[1]
