"""AddOrder and the cancels."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from paper_exchange.clock import NANOSECONDS_PER_SECOND
from paper_exchange.kraken.context import Context
from paper_exchange.kraken.envelope import (
    CL_ORD_ID_NOT_UNIQUE,
    REFUSALS,
    KrakenError,
    invalid_argument,
    second_text,
)
from paper_exchange.kraken.live_orders import charge, named_orders, within_rate
from paper_exchange.kraken.order_entry import Entry, read_entry, same_client_id, whole_number
from paper_exchange.kraken.order_view import describe
from paper_exchange.orders import Order, OrderAlreadyClosed, Refusal, UnknownOrder
from paper_exchange.rate_counters import ADD_COST, TIERS, cancel_cost

MAXIMUM_BATCH = 50
LONGEST_TIMEOUT_SECONDS = 86_400


def add_order(context: Context) -> object:
    """``validate`` checks everything and places nothing; then there is no ``txid``. ``cl_ord_id`` is not echoed."""
    entry = read_entry(context, context.params)
    order_id = place(context, entry)
    answer: dict[str, object] = {"descr": describe_entry(entry)}
    if order_id is not None:
        answer["txid"] = [order_id]
    return answer


def place(context: Context, entry: Entry, cost: float = ADD_COST) -> str | None:
    """Place one order and return its id, or None if it was only to be validated. Raises KrakenError."""
    charge(context, entry.new.symbol, cost)
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
    """What ``named_orders`` finds."""
    orders = named_orders(context)
    for order in orders:
        charge(context, order.symbol, cancel_cost(context.now_ns - order.touched_at_ns))
    return {"count": _cancel(context, orders)}


def cancel_all(context: Context) -> object:
    return {"count": _cancel_many(context, context.exchange.engine.open_orders(context.account.account_id))}


def cancel_all_after(context: Context) -> object:
    """A dead man's switch for all orders of the account, by whatever way they come; ``timeout`` 0 takes it off."""
    seconds = whole_number(context.params.text("timeout") or "")
    if seconds is None or not 0 <= seconds < LONGEST_TIMEOUT_SECONDS:
        raise invalid_argument("timeout")
    account_id, switches = context.account.account_id, context.exchange.switches
    context.exchange.note_change()
    if seconds == 0:
        switches.disarm(account_id)
        return {"currentTime": second_text(context.now_ns), "triggerTime": "0"}
    trigger_ns = context.now_ns + seconds * NANOSECONDS_PER_SECOND
    switches.arm(account_id, trigger_ns)
    return {"currentTime": second_text(context.now_ns), "triggerTime": second_text(trigger_ns)}


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
    return {"count": _cancel_many(context, wanted)}


def _check_open_orders(context: Context, entry: Entry) -> None:
    """A client order id is unique among the open orders of an account only: once closed it may be used again."""
    live = context.exchange.engine.open_orders(context.account.account_id)
    if any(same_client_id(order.client_order_id, entry.new.client_order_id) for order in live):
        raise KrakenError(CL_ORD_ID_NOT_UNIQUE)
    if context.account.strict:
        same_pair = sum(order.symbol == entry.new.symbol for order in live)
        if same_pair >= TIERS[context.account.tier].open_orders_per_pair:
            raise KrakenError("EOrder:Orders limit exceeded")


def _cancel_many(context: Context, orders: Iterable[Order]) -> int:
    """Counted like single cancels, but never refused for the count."""
    wanted = list(orders)
    for order in wanted:
        within_rate(context, order.symbol, cancel_cost(context.now_ns - order.touched_at_ns))
    return _cancel(context, wanted)


def _cancel(context: Context, orders: Iterable[Order]) -> int:
    """Cancel what is still open and return how many that were."""
    count = 0
    for order in list(orders):
        with suppress(OrderAlreadyClosed, UnknownOrder):
            context.exchange.engine.cancel(context.account.account_id, order.order_id, context.now_ns)
            count += 1
    return count
