"""What an incoming order would do to the book: a plan, made before anything changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from paper_exchange.catalogue import Listing
from paper_exchange.orders import ZERO, NewOrder, Side
from paper_exchange.resting import Offer


@dataclass(frozen=True)
class Plan:
    """Fills at the offers' prices, best first. `meets_own_order`: a resting order of the same account ended it."""

    fills: tuple[Offer, ...]
    meets_own_order: bool

    @property
    def quantity(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), ZERO)

    @property
    def cost(self) -> Decimal:
        """Quote units without fee, unrounded."""
        return sum((fill.quantity * fill.price for fill in self.fills), ZERO)


def make_plan(
    new: NewOrder, remaining: Decimal | None, offered: Iterable[Offer], budget: Decimal, lot: Decimal
) -> Plan:
    """Take offers while price and size allow. `remaining` is base units, or None to spend `budget` (quote, no fee)."""
    fills: list[Offer] = []
    for offer in offered:
        if not price_allows(new, offer.price):
            break
        wanted = round_down(budget / offer.price, lot) if remaining is None else remaining
        if wanted <= 0:
            break
        if offer.order is not None and offer.order.account_id == new.account_id:
            return Plan(tuple(fills), meets_own_order=True)
        quantity = min(wanted, offer.quantity)
        fills.append(Offer(offer.price, quantity, offer.order))
        budget -= quantity * offer.price
        remaining = None if remaining is None else remaining - quantity
    return Plan(tuple(fills), meets_own_order=False)


def price_allows(new: NewOrder, price: Decimal) -> bool:
    if new.limit_price is None:
        return True
    return price <= new.limit_price if new.side is Side.BUY else price >= new.limit_price


def round_down(value: Decimal, step: Decimal) -> Decimal:
    """To a multiple of `step`, so that nobody pays, or is sold, more than asked for."""
    return (value / step).to_integral_value(ROUND_FLOOR) * step


def round_up(value: Decimal, step: Decimal) -> Decimal:
    """To a multiple of `step`, so that a hold always suffices."""
    return (value / step).to_integral_value(ROUND_CEILING) * step


def quote_unit(listing: Listing) -> Decimal:
    return Decimal(1).scaleb(-listing.quote_decimals)


def hold_asset(side: Side, listing: Listing) -> str:
    return listing.quote if side is Side.BUY else listing.base


def full_hold(new: NewOrder, quantity: Decimal, price: Decimal, rate_on_top: Decimal, listing: Listing) -> Decimal:
    """What an order reserves: a buy price x quantity (or its amount) and the dearest fee; a sell its quantity."""
    if new.side is Side.SELL:
        return quantity
    if new.quote_amount is not None:
        return round_up(new.quote_amount * (1 + rate_on_top), quote_unit(listing))
    return round_up(quantity * price * (1 + rate_on_top), quote_unit(listing))
