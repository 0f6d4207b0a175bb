"""What units are worth at prices that have an age."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from bot.books.exactly import add, multiply


@dataclass(frozen=True, slots=True)
class Mark:
    """A price in the account's own currency per unit, and when it was true."""

    price: Decimal
    at: datetime

    def __post_init__(self) -> None:
        if not self.price.is_finite() or self.price < 0:
            raise ValueError(f"a mark must be a price, not {self.price}")
        if self.at.tzinfo is None:
            raise ValueError("a mark's time needs a zone")


@dataclass(frozen=True, kw_only=True)
class Equity:
    """An account's worth in its own currency. What has no fresh price is in `unpriced` (asset → units), not in `total`.

    `oldest_price_at` is the time of the oldest price that went in; None when nothing but cash was valued.
    """

    cash: Decimal
    positions: Decimal
    unpriced: Mapping[str, Decimal]
    oldest_price_at: datetime | None

    @property
    def total(self) -> Decimal:
        return add(self.cash, self.positions)


def fresh_prices(marks: Mapping[str, Mark], *, now: datetime, max_age_seconds: float) -> dict[str, Decimal]:
    """The prices that are not older, and not further ahead of `now`, than `max_age_seconds`."""
    limit = timedelta(seconds=max_age_seconds)
    return {asset: mark.price for asset, mark in marks.items() if abs(now - mark.at) <= limit}


def value(
    units: Mapping[str, Decimal],
    marks: Mapping[str, Mark],
    own_currency: str,
    *,
    now: datetime,
    max_age_seconds: float,
) -> Equity:
    """Units of every asset (available and held together) at their marks. Pure."""
    prices = fresh_prices(marks, now=now, max_age_seconds=max_age_seconds)
    held = {asset: amount for asset, amount in units.items() if amount and asset != own_currency}
    used = [asset for asset in held if asset in prices]
    return Equity(
        cash=units.get(own_currency, Decimal(0)),
        positions=worth({asset: held[asset] for asset in used}, prices),
        unpriced=MappingProxyType({asset: amount for asset, amount in held.items() if asset not in prices}),
        oldest_price_at=min((marks[asset].at for asset in used), default=None),
    )


def worth(units: Mapping[str, Decimal], prices: Mapping[str, Decimal]) -> Decimal:
    """The sum over the assets that have a price; exact."""
    total = Decimal(0)
    for asset, amount in units.items():
        if asset in prices:
            total = add(total, multiply(amount, prices[asset]))
    return total
