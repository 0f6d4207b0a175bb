"""The ``ticker`` channel: best bid and ask, last price and the day's figures, on each trade or each new best."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from paper_exchange.clock import rfc3339
from paper_exchange.kraken.envelope import KrakenError
from paper_exchange.kraken.ws.day_figures import DayFigures
from paper_exchange.kraken.ws.numbers import number
from paper_exchange.kraken.ws.requests import text
from paper_exchange.kraken.ws.topic import Topic, Venue
from paper_exchange.market import Quote

TRIGGERS = ("trades", "bbo")
ZERO = Decimal(0)


class TickerTopic(Topic):
    channel: ClassVar[str] = "ticker"
    names: ClassVar[frozenset[str]] = frozenset({"event_trigger"})

    def __init__(self, venue: Venue, symbol: str, options: Mapping[str, Any]) -> None:
        super().__init__(venue, symbol, options)
        self._on_best = options["event_trigger"] == "bbo"
        self._listing = venue.listing(symbol)
        self._seen_ns = venue.exchange.market.now_ns
        self._figures = DayFigures.of(venue.exchange.market, symbol) if self._listing.trades else None
        self._quote = venue.exchange.engine.quote(symbol) if self._listing.trades else _silent(symbol, self._listing)

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> dict[str, Any]:
        trigger = text(params, "event_trigger") or TRIGGERS[0]
        if trigger not in TRIGGERS:
            raise KrakenError("Unsupported value for the field: event_trigger")
        return {"event_trigger": trigger}

    def snapshot(self) -> bytes:
        return self.message("snapshot", [self._item(self._seen_ns)])

    def update(self, now_ns: int) -> bytes | None:
        if self._figures is None:
            return None
        market = self.venue.exchange.market
        trades = market.trades_between(self.symbol, self._seen_ns, now_ns)
        self._seen_ns = now_ns
        if self._figures.are_old(now_ns):
            self._figures = DayFigures.of(market, self.symbol)
        else:
            self._figures.add(trades)
        before, self._quote = self._quote, self.venue.exchange.engine.quote(self.symbol)
        # A price set by the operator is news without a trade of the tape.
        changed = before.last != self._quote.last or (self._on_best and _best(before) != _best(self._quote))
        return self.message("update", [self._item(now_ns)]) if trades or changed else None

    def _item(self, now_ns: int) -> dict[str, object]:
        quote, last, prices = self._quote, self._quote.last, self._listing.price_decimals
        figures = self._figures or DayFigures(last, last, last, ZERO, ZERO, now_ns)
        quantities = self._listing.lot_decimals
        return {
            "symbol": self.symbol,
            "bid": number(quote.bid, prices),
            "bid_qty": number(quote.bid_quantity, quantities),
            "ask": number(quote.ask, prices),
            "ask_qty": number(quote.ask_quantity, quantities),
            "last": number(last, prices),
            "volume": number(figures.volume, quantities),
            "vwap": number(figures.vwap(last), prices),
            "low": number(figures.low, prices),
            "high": number(figures.high, prices),
            "change": number(last - figures.open, prices),
            "change_pct": number(figures.change_percent(last), 2),
            "timestamp": rfc3339(now_ns),
        }


def _best(quote: Quote) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    return quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity


def _silent(symbol: str, listing: Any) -> Quote:
    """Of a pair that is listed but does not trade."""
    price = listing.reference_price
    return Quote(symbol, price, ZERO, price, ZERO, price, ZERO, 0)
