"""The ``instrument`` channel: all assets and pairs with their rules, and pairs again when their rules change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from paper_exchange.catalogue import Listing
from paper_exchange.kraken.naming import cost_decimals
from paper_exchange.kraken.public import STATUS_BY_MODE
from paper_exchange.kraken.ws.numbers import encode, number
from paper_exchange.kraken.ws.requests import flag, text
from paper_exchange.kraken.ws.topic import Topic, Venue

ZERO = Decimal(0)


class InstrumentTopic(Topic):
    channel: ClassVar[str] = "instrument"
    names: ClassVar[frozenset[str]] = frozenset({"include_tokenized_assets", "execution_venue"})

    def __init__(self, venue: Venue, symbol: str, options: Mapping[str, Any]) -> None:
        super().__init__(venue, symbol, options)
        self._known = {listing.symbol: listing for listing in venue.names.catalogue}

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> dict[str, Any]:
        flag(params, "include_tokenized_assets")
        text(params, "execution_venue")
        return {}

    def snapshot(self) -> bytes:
        return self._message("snapshot", self._assets(), self._known.values())

    def update(self, now_ns: int) -> bytes | None:
        present = {listing.symbol: listing for listing in self.venue.names.catalogue}
        changed = [listing for symbol, listing in present.items() if self._known.get(symbol) is not listing]
        self._known = present
        return self._message("update", [], changed) if changed else None

    def _message(self, kind: str, assets: list[dict[str, object]], listings: Iterable[Listing]) -> bytes:
        data = {"assets": assets, "pairs": [_pair(listing) for listing in listings]}
        return encode({"channel": self.channel, "type": kind, "data": data})

    def _assets(self) -> list[dict[str, object]]:
        return [
            {
                "id": name,
                "status": "enabled",
                "precision": asset.decimals,
                "precision_display": asset.display_decimals,
                "borrowable": False,
                "collateral_value": number(ZERO, 2),
                "margin_rate": number(ZERO, 6),
                "multiplier": 1,
            }
            for name, asset in self.venue.names.catalogue.assets().items()
        ]


def _pair(listing: Listing) -> dict[str, object]:
    """A pair's rules; ``cost_min`` is a number here although Kraken's pages say text."""
    tick = number(listing.tick_size, listing.price_decimals)
    return {
        "symbol": listing.symbol,
        "base": listing.base,
        "quote": listing.quote,
        "status": STATUS_BY_MODE[listing.mode] if listing.trades else "cancel_only",
        "qty_precision": listing.lot_decimals,
        "qty_increment": number(listing.lot_step, listing.lot_decimals),
        "qty_min": number(listing.minimum_quantity, listing.lot_decimals),
        "price_precision": listing.price_decimals,
        "price_increment": tick,
        "tick_size": tick,
        "cost_precision": cost_decimals(listing),
        "cost_min": number(listing.minimum_notional, cost_decimals(listing)),
        "marginable": False,
        "has_index": False,
    }
