"""AddOrder and the cancels."""

from __future__ import annotations

from collections.abc import Iterable

from paper_exchange.kraken.context import Context
from paper_exchange.kraken.envelope import (
    CL_ORD_ID_NOT_UNIQUE,
    INVALID_ORDER,
    ORDER_RATE_LIMIT,
    REFUSALS,
    UNKNOWN_ORDER,
    KrakenError,
    invalid_argument,
)
from paper_exchange.kraken.order_entry import Entry, read_entry, same_client_id, whole_number
from paper_exchange.kraken.order_view import describe
from paper_exchange.orders import Order, OrderAlreadyClosed, Refusal, UnknownOrder
from paper_exchange.rate_counters import ADD_COST, TIERS, cancel_cost

MAXIMUM_BATCH = 50


def add_order(context: Context) -> object:
    """``validate`` checks everything and places nothing; then there is no ``txid``. ``cl_ord_id`` is not echoed."""
    entry = read_entry(context, context.params)
    order_id = place(context, entry)
    answer: dict[str, object] = {"descr": describe_entry(entry)}
    if order_id is not None:
        answer["txid"] = [order_id]
    return answer


def place(context: Context, entry: Entry) -> str | None:
    """Place one order and return its id, or None if it was only to be validated. Raises KrakenError."""
    _charge(context, entry.new.symbol, ADD_COST)
    _check_open_orders(context, entry)
    engine = context.exchange.engine
    try:
        if entry.validate_only:
            engine.validate(entry.new, context.now_ns)
            return None
        order = engine.place(entry.new, context.now_ns)
    except Refusal as refusal:
        raise KrakenError(REFUSALS[refusal.code]) from None
    if entry.close is not None:
        context.closes.attach(order.order_id, entry.close)
    return order.order_id


def describe_entry(entry: Entry) -> dict[str, str]:
    order = {"order": describe(entry.new, entry.pair, entry.listing)}
    return order if entry.close is None else {**order, "close": entry.close.describe()}


def cancel_order(context: Context) -> object:
    """By ``txid`` (an order id or a userref) or ``cl_ord_id``.

    An order that is gone, filled or cancelled alike, is an unknown order; an id that never was is an invalid one.
    """
    text = context.params.text("txid")
    client_order_id = context.params.text("cl_ord_id")
    if text is not None:
        orders = _by_reference(context, text) if whole_number(text) is not None else [_by_id(context, text)]
    elif client_order_id is not None:
        orders = _by_client_id(context, client_order_id)
    else:
        raise invalid_argument("txid")
    return {"count": _cancel(context, orders)}


def cancel_all(context: Context) -> object:
    return {"count": _cancel(context, context.exchange.engine.open_orders(context.account.account_id))}


def cancel_order_batch(context: Context) -> object:
    """Ids, userrefs and client order ids together; those that are not open are passed over."""
    ids, client_order_ids = context.params.items("orders"), context.params.items("cl_ord_ids")
    if not 1 <= len(ids) + len(client_order_ids) <= MAXIMUM_BATCH:
        raise invalid_argument("orders")
    wanted = [
        order
        for order in context.exchange.engine.open_orders(context.account.account_id)
        if order.order_id in ids
        or str(order.user_reference) in ids
        or any(same_client_id(order.client_order_id, one) for one in client_order_ids)
    ]
    return {"count": _cancel(context, wanted)}


def _check_open_orders(context: Context, entry: Entry) -> None:
    """A client order id is unique among the open orders of an account only: once closed it may be used again."""
    live = context.exchange.engine.open_orders(context.account.account_id)
    if any(same_client_id(order.client_order_id, entry.new.client_order_id) for order in live):
        raise KrakenError(CL_ORD_ID_NOT_UNIQUE)
    if context.account.strict:
        same_pair = sum(order.symbol == entry.new.symbol for order in live)
        if same_pair >= TIERS[context.account.tier].open_orders_per_pair:
            raise KrakenError("EOrder:Orders limit exceeded")


def _charge(context: Context, symbol: str, cost: float) -> None:
    """Strict accounts only; charged even if the order is refused afterwards."""
    account = context.account
    if account.strict and not context.counters.order_allowed(
        account.account_id, symbol, account.tier, cost, context.now_ns
    ):
        raise KrakenError(ORDER_RATE_LIMIT)


def _by_id(context: Context, order_id: str) -> Order:
    try:
        order = context.exchange.engine.order(order_id)
    except UnknownOrder:
        raise KrakenError(INVALID_ORDER) from None
    if order.account_id != context.account.account_id:
        raise KrakenError(INVALID_ORDER)
    if not order.is_live:
        raise KrakenError(UNKNOWN_ORDER)
    return order


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


def _cancel(context: Context, orders: Iterable[Order]) -> int:
    """Cancel what is still open and return how many that were."""
    count = 0
    for order in list(orders):
        _charge(context, order.symbol, cancel_cost(context.now_ns - order.opened_at_ns))
        try:
            context.exchange.engine.cancel(context.account.account_id, order.order_id, context.now_ns)
        except (OrderAlreadyClosed, UnknownOrder):
            continue
        count += 1
    return count
