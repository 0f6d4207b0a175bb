"""Prices as Kraken lets them be written: absolute, or relative to a reference."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from paper_exchange.catalogue import Listing
from paper_exchange.kraken.envelope import KrakenError, invalid_argument
from paper_exchange.kraken.naming import altname, asset_id
from paper_exchange.orders import Side

PLAIN_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20}")
RELATIVE_PRICE = re.compile(r"(?P<sign>[-+#])(?P<amount>[0-9.]+)(?P<percent>%?)")


def plain_decimal(text: str) -> Decimal | None:
    """A number of ASCII digits and at most one point; None for anything else, such as ``1e-8`` or ``NaN``."""
    return Decimal(text) if PLAIN_NUMBER.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class PriceText:
    """``37500``, ``+5``, ``-1%`` or ``#2%``; ``#`` goes the way of the order: down for a buy, up for a sell."""

    field: str
    amount: Decimal
    sign: str | None = None
    percent: bool = False

    @classmethod
    def read(cls, text: str, field: str) -> PriceText:
        """Raises KrakenError naming ``field``."""
        relative = RELATIVE_PRICE.fullmatch(text)
        amount = plain_decimal(text if relative is None else relative["amount"])
        if amount is None:
            raise invalid_argument(field)
        return (
            cls(field, amount) if relative is None else cls(field, amount, relative["sign"], bool(relative["percent"]))
        )

    def resolve(self, listing: Listing, side: Side, reference: Decimal) -> Decimal:
        """The price to use. A relative one is rounded to the tick size; an absolute one must not need it."""
        if self.sign is None:
            return self._absolute(listing)
        distance = reference * self.amount / 100 if self.percent else self.amount
        down = self.sign == "-" or (self.sign == "#" and side is Side.BUY)
        price = reference - distance if down else reference + distance
        if price <= 0:
            raise invalid_argument(self.field)
        ticks = (price / listing.tick_size).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
        return ticks * listing.tick_size

    def _absolute(self, listing: Listing) -> Decimal:
        if self.amount <= 0:
            raise invalid_argument(self.field)
        if self.amount != round(self.amount, listing.price_decimals):
            pair = f"{altname(listing.base)}{asset_id(listing.quote)}"
            raise KrakenError(
                f"EOrder:Invalid price:{pair} price can only be specified up to {listing.price_decimals} decimals."
            )
        return self.amount
