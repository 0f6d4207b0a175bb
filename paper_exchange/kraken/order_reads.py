"""OpenOrders, ClosedOrders and QueryOrders."""

from __future__ import annotations

from collections.abc import Iterable

from paper_exchange.kraken.context import Context
from paper_exchange.kraken.envelope import INVALID_ORDER, KrakenError, invalid_argument
from paper_exchange.kraken.order_entry import same_client_id, whole_number
from paper_exchange.kraken.order_view import show_order
from paper_exchange.kraken.page import Bounds, counted, newest_page, read_bounds
from paper_exchange.orders import Order, UnknownOrder

MAXIMUM_QUERIED = 50
CLOSE_TIMES = frozenset({"open", "close", "both"})


def open_orders(context: Context) -> object:
    """All live orders, newest first."""
    orders = _asked_for(context, context.exchange.engine.open_orders(context.account.account_id))
    return {"open": _shown(context, sorted(orders, key=lambda order: order.opened_at_ns, reverse=True))}


def closed_orders(context: Context) -> object:
    """Fifty a page; by ``cl_ord_id`` every order that ever used the id."""
    which = context.params.text("closetime") or "both"
    if which not in CLOSE_TIMES:
        raise invalid_argument("closetime")
    bounds = read_bounds(context.params, lambda order_id: _opened_at(context, order_id))
    orders = _asked_for(context, context.exchange.engine.closed_orders(context.account.account_id))
    found = sorted((order for order in orders if _within(order, bounds, which)), key=_closed_at)
    return counted("closed", _shown(context, newest_page(found, context.params)), len(found), context.params)


def query_orders(context: Context) -> object:
    """Orders by ``txid``; ``cl_ord_id`` and ``userref`` only narrow them, so a wrong one gives an empty result."""
    ids = context.params.items("txid")
    if not ids or len(ids) > MAXIMUM_QUERIED:
        raise invalid_argument("txid")
    orders = [_own_order(context, order_id) for order_id in ids]
    known = _asked_for(context, [order for order in orders if order is not None])
    if not known and all(order is None for order in orders):
        raise KrakenError(INVALID_ORDER)
    return _shown(context, [order for order in known if _may_see(context, order)])


def _asked_for(context: Context, orders: Iterable[Order]) -> list[Order]:
    client_order_id = context.params.text("cl_ord_id")
    reference = _user_reference(context)
    return [
        order
        for order in orders
        if order.opened_at_ns <= context.visible_until_ns
        and (client_order_id is None or same_client_id(order.client_order_id, client_order_id))
        and (reference is None or order.user_reference == reference)
    ]


def _user_reference(context: Context) -> int | None:
    text = context.params.text("userref")
    if text is None:
        return None
    reference = whole_number(text)
    if reference is None:
        raise invalid_argument("userref")
    return reference


def _own_order(context: Context, order_id: str) -> Order | None:
    try:
        order = context.exchange.engine.order(order_id)
    except UnknownOrder:
        return None
    return order if order.account_id == context.account.account_id else None


def _may_see(context: Context, order: Order) -> bool:
    """QueryOrders opens with either permission, and then shows the orders that one covers."""
    return ("query-open-trades" if order.is_live else "query-closed-trades") in context.account.permissions


def _opened_at(context: Context, order_id: str) -> int | None:
    order = _own_order(context, order_id)
    return order.opened_at_ns if order is not None else None


def _closed_at(order: Order) -> int:
    return order.closed_at_ns or order.opened_at_ns


def _within(order: Order, bounds: Bounds, which: str) -> bool:
    times = {"open": [order.opened_at_ns], "close": [_closed_at(order)]}.get(
        which, [order.opened_at_ns, _closed_at(order)]
    )
    return any(bounds.hold(time_ns) for time_ns in times)


def _shown(context: Context, orders: Iterable[Order]) -> dict[str, object]:
    with_trades = context.params.flag("trades")
    return {
        order.order_id: show_order(
            order, context.names, with_trades=with_trades, close=context.closes.describe(order.order_id)
        )
        for order in orders
    }
