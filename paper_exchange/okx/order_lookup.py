"""Looking up orders and fills. A fault (``lookup_lag``) can keep the youngest ones out of sight."""

from __future__ import annotations

from collections.abc import Iterable

from paper_exchange.clock import NANOSECONDS_PER_SECOND
from paper_exchange.http import Reply
from paper_exchange.okx.algo_ids import is_order
from paper_exchange.okx.instruments import INSTRUMENT_TYPES, SPOT, symbol_of
from paper_exchange.okx.order_entry import orders_named
from paper_exchange.okx.order_records import bill_number, order_type, render_fill, render_order, state_of
from paper_exchange.okx.query import MILLISECOND_NS, page
from paper_exchange.okx.replies import ApiError, data_reply, wrong
from paper_exchange.okx.routes import Request
from paper_exchange.orders import Order, OrderStatus, Trade

MOST_ROWS = 100
HOUR_NS = 3_600 * NANOSECONDS_PER_SECOND
DAY_NS = 24 * HOUR_NS
EMPTY_CANCELS_NS = 2 * HOUR_NS
"""How long an order that was cancelled without a fill can be found."""
HISTORY_NS = 7 * DAY_NS
FILLS_NS = 3 * DAY_NS
ARCHIVE_NS = 92 * DAY_NS


def one_order(request: Request) -> Reply:
    """By ``ordId``, or the latest by ``clOrdId``; 51603 if there is none, or none any more."""
    query = request.query
    symbol, order_id, client_id = symbol_of(query.required("instId")), query.text("ordId"), query.text("clOrdId")
    if order_id is None and client_id is None:
        raise ApiError("50015", "Either parameter ordId or clOrdId is required")
    for order in orders_named(request, order_id, client_id):
        if order.symbol == symbol and is_shown(request, order):
            return data_reply([render(request, order)])
    raise ApiError("51603")


def pending(request: Request) -> Reply:
    """Orders in the book, newest first."""
    live = request.exchange.engine.open_orders(request.account_id)
    return _orders(request, [order for order in live if order.status is OrderStatus.OPEN])


def history(request: Request) -> Reply:
    """Orders that ended in the last seven days, newest first."""
    return _history(request, HISTORY_NS)


def archive(request: Request) -> Reply:
    """Orders that ended in the last three months, newest first."""
    return _history(request, ARCHIVE_NS)


def fills(request: Request) -> Reply:
    """Fills of the last three days, newest first, in pages by ``billId``."""
    return _fills(request, FILLS_NS)


def old_fills(request: Request) -> Reply:
    """Fills of the last three months."""
    request.query.required("instType")
    return _fills(request, ARCHIVE_NS)


def is_shown(request: Request, order: Order) -> bool:
    """Whether a look-up shows the order: not too young for it, and no empty cancel that has been forgotten."""
    if not request.is_visible(order.opened_at_ns) or not is_order(order):
        return False
    ended_empty = order.closed_at_ns is not None and not order.filled_quantity
    return not ended_empty or request.now_ns - (order.closed_at_ns or 0) <= EMPTY_CANCELS_NS


def render(request: Request, order: Order) -> dict[str, object]:
    engine = request.exchange.engine
    return render_order(order, engine.trade(order.trades[-1]) if order.trades else None)


def instrument_type(request: Request) -> str:
    """The asked type, spot if none is asked for. Raises ApiError for one that OKX doesn't have."""
    kind = request.query.text("instType") or SPOT
    if kind not in INSTRUMENT_TYPES:
        raise wrong("instType")
    return kind


def _history(request: Request, age_ns: int) -> Reply:
    request.query.required("instType")
    closed = request.exchange.engine.closed_orders(request.account_id)
    return _orders(request, [order for order in closed if request.now_ns - (order.closed_at_ns or 0) <= age_ns])


def _orders(request: Request, known: Iterable[Order]) -> Reply:
    query = request.query
    kind, inst_id, limit = instrument_type(request), query.text("instId"), query.limit(MOST_ROWS, MOST_ROWS)
    types, state = query.texts("ordType"), query.text("state")
    begin_ns, end_ns = query.time_ns("begin"), query.time_ns("end")
    chosen = [
        order
        for order in known
        if kind == SPOT
        and is_shown(request, order)
        and (inst_id is None or order.symbol == symbol_of(inst_id))
        and (not types or order_type(order) in types)
        and state in (None, state_of(order))
        and _is_between(order.opened_at_ns, begin_ns, end_ns)
    ]
    rows = page(query, chosen, lambda order: int(order.order_id), limit=limit)
    return data_reply([render(request, order) for order in rows])


def _fills(request: Request, age_ns: int) -> Reply:
    query, engine = request.query, request.exchange.engine
    kind, limit = instrument_type(request), query.limit(MOST_ROWS, MOST_ROWS)
    begin_ns, end_ns = query.time_ns("begin"), query.time_ns("end")
    inst_id, order_id = query.text("instId"), query.text("ordId")

    def wanted(trade: Trade) -> bool:
        return (
            kind == SPOT
            and request.now_ns - age_ns <= trade.time_ns
            and request.is_visible(trade.time_ns)
            and (inst_id is None or trade.symbol == symbol_of(inst_id))
            and order_id in (None, trade.order_id)
            and _is_between(trade.time_ns, begin_ns, end_ns)
        )

    chosen = [trade for trade in engine.trades(request.account_id) if wanted(trade)]
    rows = page(query, chosen, bill_number, limit=limit)
    return data_reply([render_fill(trade, engine.order(trade.order_id)) for trade in rows])


def _is_between(time_ns: int, begin_ns: int | None, end_ns: int | None) -> bool:
    """To the millisecond, both ends included."""
    shown_ns = time_ns // MILLISECOND_NS * MILLISECOND_NS
    return (begin_ns is None or shown_ns >= begin_ns) and (end_ns is None or shown_ns <= end_ns)
