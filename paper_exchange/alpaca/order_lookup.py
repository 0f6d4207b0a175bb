"""Looking up orders. A fault (``lookup_lag``) can keep the youngest ones out of sight."""

from __future__ import annotations

from collections.abc import Callable

from paper_exchange.alpaca.order_records import render_order
from paper_exchange.alpaca.query import Query
from paper_exchange.alpaca.replies import BAD_PARAMETER, NOT_FOUND, ApiError, json_reply
from paper_exchange.alpaca.routes import Request
from paper_exchange.http import Reply
from paper_exchange.orders import Order, UnknownOrder

DEFAULT_ORDERS = 50
MOST_ORDERS = 500
MICROSECOND_NS = 1000


def one_order(request: Request) -> Reply:
    order = find_order(request, request.parameters["order_id"])
    if not request.is_visible(order.opened_at_ns):
        raise _not_found(order.order_id)
    return json_reply(render_order(request.venue, order, request.now_ns))


def by_client_order_id(request: Request) -> Reply:
    """404 if there is no such order (yet)."""
    client_order_id = request.query.text("client_order_id")
    if not client_order_id:
        raise ApiError(BAD_PARAMETER, "client_order_id is required")
    request.call.client_order_id = client_order_id
    order = request.venue.client_orders.find(request.account_id, client_order_id)
    if order is None or not request.is_visible(order.opened_at_ns):
        raise _not_found(client_order_id)
    return json_reply(render_order(request.venue, order, request.now_ns))


def list_orders(request: Request) -> Reply:
    """By default the 50 newest open ones; ``after`` and ``until`` are times of submission, both exclusive."""
    query, engine = request.query, request.exchange.engine
    status = query.choice("status", ("open", "closed", "all"))
    known = [] if status == "open" else engine.closed_orders(request.account_id)
    if status != "closed":
        known = [*known, *engine.open_orders(request.account_id)]
    wanted = _order_filter(query)
    chosen = [order for order in known if request.is_visible(order.opened_at_ns) and wanted(order)]
    descending = query.choice("direction", ("desc", "asc")) == "desc"
    chosen.sort(key=lambda order: order.sequence, reverse=descending)
    limit = query.whole("limit", DEFAULT_ORDERS, maximum=MOST_ORDERS)
    return json_reply([render_order(request.venue, order, request.now_ns) for order in chosen[:limit]])


def find_order(request: Request, order_id: str) -> Order:
    """The account's order; raises ApiError when it has none of that id."""
    try:
        order = request.exchange.engine.order(order_id)
    except UnknownOrder:
        raise _not_found(order_id) from None
    if order.account_id != request.account_id:
        raise _not_found(order_id)
    return order


def _not_found(name: str) -> ApiError:
    return ApiError(NOT_FOUND, f"order not found for {name}")


def _order_filter(query: Query) -> Callable[[Order], bool]:
    after_ns, until_ns = query.time_ns("after"), query.time_ns("until")
    symbols = {f"{stock.upper()}/USD" for stock in query.texts("symbols")}
    side = query.text("side")

    def wanted(order: Order) -> bool:
        return (
            (not symbols or order.symbol in symbols)
            and side in ("", order.side.value)
            and (after_ns is None or _shown(order.opened_at_ns) > _shown(after_ns))
            and (until_ns is None or _shown(order.opened_at_ns) < _shown(until_ns))
        )

    return wanted


def _shown(time_ns: int) -> int:
    """As precise as times are shown, so that a time that was shown excludes its own order."""
    return time_ns // MICROSECOND_NS
