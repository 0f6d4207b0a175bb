"""Finds the live orders that a request names, and counts what is done to them."""

from __future__ import annotations

from paper_exchange.kraken.context import Context
from paper_exchange.kraken.envelope import (
    INVALID_ORDER,
    ORDER_RATE_LIMIT,
    UNKNOWN_ORDER,
    KrakenError,
    invalid_argument,
)
from paper_exchange.kraken.order_entry import same_client_id, whole_number
from paper_exchange.orders import Order, UnknownOrder


def named_orders(context: Context) -> list[Order]:
    """By ``txid`` (an order id or a userref) or ``cl_ord_id``. Raises KrakenError if there are none.

    An order that is gone, filled or cancelled alike, is an unknown order; an id that never was is an invalid one.
    """
    text = context.params.text("txid")
    client_order_id = context.params.text("cl_ord_id")
    if text is not None:
        return _by_reference(context, text) if whole_number(text) is not None else [order_by_id(context, text)]
    if client_order_id is not None:
        return _by_client_id(context, client_order_id)
    raise invalid_argument("txid")


def order_by_id(context: Context, order_id: str) -> Order:
    order = any_order(context, order_id)
    if not order.is_live:
        raise KrakenError(UNKNOWN_ORDER)
    return order


def any_order(context: Context, order_id: str) -> Order:
    """Live or closed, but the account's own. Raises KrakenError."""
    try:
        order = context.exchange.engine.order(order_id)
    except UnknownOrder:
        raise KrakenError(INVALID_ORDER) from None
    if order.account_id != context.account.account_id:
        raise KrakenError(INVALID_ORDER)
    return order


def charge(context: Context, symbol: str, cost: float) -> None:
    """Count an order's traffic; strict accounts only, and also if it is refused afterwards. Raises KrakenError."""
    if not within_rate(context, symbol, cost):
        raise KrakenError(ORDER_RATE_LIMIT)


def within_rate(context: Context, symbol: str, cost: float) -> bool:
    """Count; False when the account is over its limit."""
    account = context.account
    return not account.strict or context.counters.order_allowed(
        account.account_id, symbol, account.tier, cost, context.now_ns
    )


def _by_reference(context: Context, text: str) -> list[Order]:
    reference = whole_number(text)
    live = context.exchange.engine.open_orders(context.account.account_id)
    found = [order for order in live if order.user_reference == reference]
    if not found:
        raise KrakenError(UNKNOWN_ORDER)
    return found


def _by_client_id(context: Context, client_order_id: str) -> list[Order]:
    live = context.exchange.engine.open_orders(context.account.account_id)
    found = [order for order in live if same_client_id(order.client_order_id, client_order_id)]
    if not found:
        raise KrakenError(UNKNOWN_ORDER)
    return found
