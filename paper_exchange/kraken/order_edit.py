"""EditOrder: an order is cancelled and another one put in its place, in one request."""

from __future__ import annotations

from paper_exchange.kraken.context import Context
from paper_exchange.kraken.envelope import KrakenError, fixed, invalid_argument
from paper_exchange.kraken.form import Params
from paper_exchange.kraken.live_orders import charge, named_orders
from paper_exchange.kraken.order_batch import refuse_unsound
from paper_exchange.kraken.order_entry import Entry, read_entry
from paper_exchange.kraken.order_view import flags_of
from paper_exchange.kraken.order_writes import describe_entry, place
from paper_exchange.orders import CloseReason, Order, OrderStatus, TimeInForce
from paper_exchange.rate_counters import edit_cost

OWN_FIELDS = ("volume", "price", "price2", "oflags", "deadline", "validate", "userref")
"""What the new order may have otherwise than the old one."""


def edit_order(context: Context) -> object:
    """The new order takes over what the request does not say; without a volume, what was left to fill.

    A request that can't be right changes nothing. Should only the engine refuse the new order (for want of money), the
    old one is gone all the same, and ``status`` is ``err``.
    """
    order = _editable(context)
    charge(context, order.symbol, edit_cost(context.now_ns - order.touched_at_ns))
    entry = _new_entry(context, order)
    refuse_unsound(context, [entry])
    answer: dict[str, object] = {"descr": describe_entry(entry)}
    if entry.validate_only:
        return answer
    engine = context.exchange.engine
    engine.cancel(order.account_id, order.order_id, context.now_ns, CloseReason.REPLACED)
    answer |= {"originaltxid": order.order_id, "orders_cancelled": 1, **_shown_terms(entry)}
    if order.user_reference is not None:
        answer["olduserref"] = order.user_reference
    try:
        # The edit was paid for as a whole.
        order_id = place(context, entry, cost=0.0)
    except KrakenError as problem:
        return {**answer, "status": "err", "error_message": problem.text}
    return {**answer, "status": "ok", "txid": order_id}


def _editable(context: Context) -> Order:
    """No order with a client's id, with a close, or that has triggered."""
    orders = named_orders(context)
    if len(orders) != 1 or context.params.text("txid") is None:
        raise invalid_argument("txid")
    order = orders[0]
    if order.client_order_id is not None:
        raise invalid_argument("cl_ord_id")
    if context.closes.has(order.order_id):
        raise invalid_argument("close")
    if order.trigger_price is not None and order.status is not OrderStatus.PENDING:
        raise invalid_argument("txid")
    pair = context.names.pair(context.params.text("pair") or "", strict=context.account.strict)
    if pair is None or pair.symbol != order.symbol:
        raise invalid_argument("pair")
    return order


def _new_entry(context: Context, order: Order) -> Entry:
    asked = {name: text for name in OWN_FIELDS if (text := context.params.text(name)) is not None}
    return read_entry(context, Params(_fields_of(context, order) | asked))


def _fields_of(context: Context, order: Order) -> dict[str, object]:
    """What the order would have looked like as a request for what is left of it."""
    listing = context.names.listing(context.names.pairs[order.symbol])
    prices = [price for price in (order.trigger_price, order.limit_price) if price is not None]
    fields: dict[str, object] = {
        "pair": order.symbol,
        "type": order.side.value,
        "ordertype": order.kind.value,
        "volume": fixed(order.remaining, listing.lot_decimals),
        "oflags": ",".join(flags_of(order.new)),
        "timeinforce": order.time_in_force.name,
    }
    fields |= {name: format(price, "f") for name, price in zip(("price", "price2"), prices, strict=False)}
    if order.time_in_force is TimeInForce.GTD and order.expires_at_ns is not None:
        fields["expiretm"] = f"{order.expires_at_ns // 10**9}"
    if order.user_reference is not None:
        fields["userref"] = str(order.user_reference)
    return fields


def _shown_terms(entry: Entry) -> dict[str, object]:
    new, listing = entry.new, entry.listing
    shown: dict[str, object] = {}
    if new.quantity is not None:
        shown["volume"] = fixed(new.quantity, listing.lot_decimals)
    prices = [price for price in (new.trigger_price, new.limit_price) if price is not None]
    shown |= {
        name: fixed(price, listing.price_decimals) for name, price in zip(("price", "price2"), prices, strict=False)
    }
    if new.user_reference is not None:
        shown["newuserref"] = new.user_reference
    return shown
