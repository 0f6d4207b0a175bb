"""The ``trade`` channel: every trade of the tape, whose numbers rise by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from paper_exchange.clock import rfc3339
from paper_exchange.kraken.ws.numbers import number
from paper_exchange.kraken.ws.topic import Topic, Venue
from paper_exchange.market import PublicTrade

SNAPSHOT_TRADES = 50


class TradeTopic(Topic):
    channel: ClassVar[str] = "trade"
    snapshot_by_default: ClassVar[bool] = False

    def __init__(self, venue: Venue, symbol: str, options: Mapping[str, Any]) -> None:
        super().__init__(venue, symbol, options)
        self._listing = venue.listing(symbol)
        self._seen_ns = venue.exchange.market.now_ns

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def snapshot(self) -> bytes:
        market = self.venue.exchange.market
        recent = market.recent_trades(self.symbol, SNAPSHOT_TRADES + 5) if self._listing.trades else []
        # What came after the last update will be in the next one.
        known = [trade for trade in recent if trade.time_ns <= self._seen_ns]
        return self.message("snapshot", self._items(known[-SNAPSHOT_TRADES:]))

    def update(self, now_ns: int) -> bytes | None:
        if not self._listing.trades:
            return None
        trades = self.venue.exchange.market.trades_between(self.symbol, self._seen_ns, now_ns)
        self._seen_ns = now_ns
        return self.message("update", self._items(trades)) if trades else None

    def _items(self, trades: Sequence[PublicTrade]) -> list[dict[str, object]]:
        return [
            {
                "symbol": self.symbol,
                "side": trade.side.value,
                "price": number(trade.price, self._listing.price_decimals),
                "qty": number(trade.quantity, self._listing.lot_decimals),
                "ord_type": "market",
                "trade_id": trade.number,
                "timestamp": rfc3339(trade.time_ns),
            }
            for trade in trades
        ]
