"""Which orders a listing takes: pure checks, each refusal with a sentence."""

from __future__ import annotations

from decimal import Decimal

from paper_exchange.catalogue import Listing, TradingMode
from paper_exchange.orders import (
    LIMIT_KINDS,
    TRIGGERED_KINDS,
    NewOrder,
    OrderKind,
    Refusal,
    RefusalCode,
    TimeInForce,
)

LARGEST_QUANTITY = Decimal(10) ** 13
LARGEST_PRICE = Decimal(10) ** 10


def check_order(new: NewOrder, listing: Listing, last: Decimal, now_ns: int) -> None:
    """Raises `Refusal` unless the order is well formed and the listing takes it. Funds and the book come later."""
    _check_mode(new, listing)
    _check_combination(new)
    _check_prices(new, listing)
    _check_quantity(new, listing)
    _check_times(new, now_ns)
    _check_minimums(new, listing, last)


def _check_mode(new: NewOrder, listing: Listing) -> None:
    code = {
        TradingMode.HALTED: RefusalCode.MARKET_HALTED,
        TradingMode.CANCEL_ONLY: RefusalCode.CANCEL_ONLY,
        TradingMode.POST_ONLY: None if new.post_only else RefusalCode.POST_ONLY_MODE,
        TradingMode.LIMIT_ONLY: None if new.kind is OrderKind.LIMIT else RefusalCode.LIMIT_ONLY_MODE,
    }.get(listing.mode)
    if not listing.trades:
        code = RefusalCode.CANCEL_ONLY
    if code is not None:
        raise Refusal(code, f"{listing.symbol} is in mode {listing.mode.value}")


def _check_combination(new: NewOrder) -> None:
    wrong = None
    if (new.quantity is None) == (new.quote_amount is None):
        wrong = "give either a quantity or an amount of quote currency"
    elif new.quote_amount is not None and new.kind is not OrderKind.MARKET:
        wrong = "only a market order can be given as an amount of quote currency"
    elif (new.limit_price is not None) != (new.kind in LIMIT_KINDS):
        wrong = f"a {new.kind.value} order {'needs' if new.kind in LIMIT_KINDS else 'has no'} limit price"
    elif (new.trigger_price is not None) != (new.kind in TRIGGERED_KINDS):
        wrong = f"a {new.kind.value} order {'needs' if new.kind in TRIGGERED_KINDS else 'has no'} trigger price"
    elif new.post_only and (new.kind is not OrderKind.LIMIT or new.time_in_force in {TimeInForce.IOC, TimeInForce.FOK}):
        wrong = "post-only is for limit orders that may rest"
    elif new.time_in_force in {TimeInForce.IOC, TimeInForce.FOK} and new.kind in TRIGGERED_KINDS:
        wrong = "an order with a trigger cannot be immediate"
    if wrong is not None:
        raise Refusal(RefusalCode.INVALID_COMBINATION, wrong)


def _check_prices(new: NewOrder, listing: Listing) -> None:
    for price in (new.limit_price, new.trigger_price):
        if price is None:
            continue
        if not price.is_finite() or not 0 < price <= LARGEST_PRICE:
            raise Refusal(RefusalCode.INVALID_PRICE, f"{price} is not a price")
        if price % listing.tick_size:
            detail = f"{listing.symbol} price can only be specified up to {listing.price_decimals} decimals."
            raise Refusal(RefusalCode.TICK_SIZE, detail)


def _check_quantity(new: NewOrder, listing: Listing) -> None:
    amount = new.quantity if new.quantity is not None else new.quote_amount
    assert amount is not None
    if not amount.is_finite() or not 0 < amount <= LARGEST_QUANTITY:
        raise Refusal(RefusalCode.INVALID_QUANTITY, f"{amount} is not a quantity")
    if new.quantity is not None and new.quantity % listing.lot_step:
        detail = f"{listing.symbol} quantity can only be specified up to {listing.lot_decimals} decimals."
        raise Refusal(RefusalCode.LOT_SIZE, detail)


def _check_times(new: NewOrder, now_ns: int) -> None:
    if new.deadline_ns is not None and now_ns > new.deadline_ns:
        raise Refusal(RefusalCode.DEADLINE_ELAPSED, "the order's deadline has passed")
    if (new.time_in_force is TimeInForce.GTD) != (new.expires_at_ns is not None):
        raise Refusal(RefusalCode.INVALID_EXPIRY, "good till date needs an expiry, and nothing else has one")
    if new.expires_at_ns is not None and new.expires_at_ns <= now_ns:
        raise Refusal(RefusalCode.INVALID_EXPIRY, "the expiry has passed")


def _check_minimums(new: NewOrder, listing: Listing, last: Decimal) -> None:
    price = new.limit_price or new.trigger_price or last
    quantity = new.quantity if new.quantity is not None else (new.quote_amount or Decimal(0)) / price
    if quantity < listing.minimum_quantity:
        detail = f"the smallest order of {listing.symbol} is {listing.minimum_quantity:f} {listing.base}"
        raise Refusal(RefusalCode.QUANTITY_BELOW_MINIMUM, detail)
    if quantity * price < listing.minimum_notional:
        detail = f"the smallest order of {listing.symbol} costs {listing.minimum_notional:f} {listing.quote}"
        raise Refusal(RefusalCode.NOTIONAL_BELOW_MINIMUM, detail)
