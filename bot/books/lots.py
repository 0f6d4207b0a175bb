"""Lots of one asset, first in first out, and what closing one gave."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

NOTHING = Decimal(0)


@dataclass(slots=True)
class Lot:
    """Units that came in together. `quantity` is what is left of `original`; negative for units sold short.

    `unit_cost` is in `cost_currency` per unit: the fill's price. None means that nobody knows it. `fee` is what the
    whole lot cost in fees, in the account's own currency; None when that is not known. `acquired_at` is None for what
    was there before the books began.
    """

    trade_id: str
    quantity: Decimal
    original: Decimal
    unit_cost: Decimal | None
    cost_currency: str
    acquired_at: datetime | None
    fee: Decimal | None = NOTHING
    ours: bool = True


@dataclass(slots=True)
class Holding:
    """One asset of an account: `units` = the lots' sum − `missing` (units that left without ever having come in)."""

    asset: str
    units: Decimal
    missing: Decimal
    lots: deque[Lot]

    @classmethod
    def empty(cls, asset: str) -> "Holding":
        return cls(asset, NOTHING, NOTHING, deque())


@dataclass(frozen=True, kw_only=True, slots=True)
class Realised:
    """One slice: units of one lot that one trade closed. Amounts in the account's own currency, None = not known.

    `proceeds` and `cost` are before fees; both fees are the slice's share of the opening and of the closing trade's.
    Of a short lot, `proceeds` is what its sale brought and `cost` what buying it back took.
    """

    asset: str
    closing_trade_id: str
    closing_order_id: str
    lot_trade_id: str
    quantity: Decimal
    proceeds: Decimal | None
    cost: Decimal | None
    opening_fee: Decimal | None
    closing_fee: Decimal | None
    opened_at: datetime | None
    closed_at: datetime
    ours: bool
    lot_ours: bool

    @property
    def gain(self) -> Decimal | None:
        """Before fees."""
        return None if self.proceeds is None or self.cost is None else self.proceeds - self.cost

    @property
    def net(self) -> Decimal | None:
        """After both fees; None when a part of it is not known."""
        if self.gain is None or self.opening_fee is None or self.closing_fee is None:
            return None
        return self.gain - self.opening_fee - self.closing_fee

