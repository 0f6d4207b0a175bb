"""The ``ohlc`` channel: candles as they form, sent on trades; a candle is final when the next one begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from paper_exchange.candles import Candle
from paper_exchange.clock import NANOSECONDS_PER_SECOND, rfc3339
from paper_exchange.kraken.envelope import KrakenError
from paper_exchange.kraken.public import OHLC_MINUTES
from paper_exchange.kraken.ws.numbers import encode, number
from paper_exchange.kraken.ws.requests import whole_number
from paper_exchange.kraken.ws.topic import Topic, Venue

SNAPSHOT_CANDLES = 10


class OhlcTopic(Topic):
    channel: ClassVar[str] = "ohlc"
    names: ClassVar[frozenset[str]] = frozenset({"interval"})

    def __init__(self, venue: Venue, symbol: str, options: Mapping[str, Any]) -> None:
        super().__init__(venue, symbol, options)
        self._minutes: int = options["interval"]
        self._listing = venue.listing(symbol)
        self._seen_ns = venue.exchange.market.now_ns

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> dict[str, Any]:
        minutes = whole_number(params, "interval", 1)
        if minutes not in OHLC_MINUTES:
            raise KrakenError("Unsupported value for the field: interval")
        return {"interval": minutes}

    def snapshot(self) -> bytes:
        return self._stamped("snapshot", self._candles(SNAPSHOT_CANDLES), self._seen_ns)

    def update(self, now_ns: int) -> bytes | None:
        if not self._listing.trades:
            return None
        market, seen_ns = self.venue.exchange.market, self._seen_ns
        self._seen_ns = now_ns
        if not market.trades_between(self.symbol, seen_ns, now_ns):
            return None
        step_ns = self._minutes * 60 * NANOSECONDS_PER_SECOND
        begun = now_ns // step_ns != seen_ns // step_ns
        # At a turn the finished candle is sent once more: the trades of its last moments are in it.
        return self._stamped("update", self._candles(2 if begun else 1), now_ns)

    def _candles(self, count: int) -> Sequence[Candle]:
        if not self._listing.trades:
            return []
        return self.venue.exchange.market.candles(self.symbol, self._minutes * 60, None, count)

    def _stamped(self, kind: str, candles: Sequence[Candle], now_ns: int) -> bytes:
        data = [self._item(candle) for candle in candles]
        return encode({"channel": self.channel, "type": kind, "timestamp": _nanoseconds(now_ns), "data": data})

    def _item(self, candle: Candle) -> dict[str, object]:
        prices = self._listing.price_decimals
        end_ns = candle.open_ns + self._minutes * 60 * NANOSECONDS_PER_SECOND
        return {
            "symbol": self.symbol,
            "open": number(candle.open, prices),
            "high": number(candle.high, prices),
            "low": number(candle.low, prices),
            "close": number(candle.close, prices),
            "trades": candle.trades,
            "volume": number(candle.volume, self._listing.lot_decimals),
            "vwap": number(candle.vwap, prices),
            "interval_begin": _nanoseconds(candle.open_ns),
            "interval": self._minutes,
            "timestamp": rfc3339(end_ns),
        }


def _nanoseconds(time_ns: int) -> str:
    return f"{rfc3339(time_ns)[:19]}.{time_ns % NANOSECONDS_PER_SECOND:09d}Z"
