"""Looking up orders and fills. A fault (``lookup_lag``) can keep the youngest ones out of sight."""

from __future__ import annotations

from collections.abc import Callable

from paper_exchange.coinbase.order_records import STATUSES, TIMES_IN_FORCE, order_type, render_fill, render_order
from paper_exchange.coinbase.products import product_id
from paper_exchange.coinbase.query import Query, page_after
from paper_exchange.coinbase.replies import ApiError, json_reply
from paper_exchange.coinbase.routes import Request
from paper_exchange.http import Reply
from paper_exchange.orders import Order, Trade, UnknownOrder

MOST_ORDERS = 1000
DEFAULT_FILLS = 100
MOST_FILLS = 3000
NOT_FOUND = "order with this orderID was not found"


def one_order(request: Request) -> Reply:
    try:
        order = request.exchange.engine.order(request.parameters["order_id"])
    except UnknownOrder:
        raise ApiError("NOT_FOUND", NOT_FOUND) from None
    if order.account_id != request.account.account_id or not _is_visible(request, order.opened_at_ns):
        raise ApiError("NOT_FOUND", NOT_FOUND)
    return json_reply({"order": _render(request, order)})


def list_orders(request: Request) -> Reply:
    """Orders, newest first, also closed ones, narrowed by whatever filters are given."""
    query, engine = request.query, request.exchange.engine
    account_id = request.account.account_id
    wanted = _order_filter(query)
    known = [*engine.closed_orders(account_id), *engine.open_orders(account_id)]
    chosen = [order for order in known if _is_visible(request, order.opened_at_ns) and wanted(order)]
    chosen.sort(key=lambda order: order.sequence, reverse=True)
    limit = query.whole("limit", MOST_ORDERS, minimum=0, maximum=MOST_ORDERS) or MOST_ORDERS
    page = page_after([(order.order_id, order) for order in chosen], query.text("cursor"), limit)
    return json_reply(
        {
            "orders": [_render(request, order) for order in page.rows],
            "sequence": "0",
            "has_next": bool(page.cursor),
            "cursor": page.cursor,
        }
    )


def list_fills(request: Request) -> Reply:
    """Fills, newest first. There is no ``has_next``: an empty cursor ends the list."""
    query, engine = request.query, request.exchange.engine
    wanted = _fill_filter(query)
    trades = reversed(engine.trades(request.account.account_id))
    rows = [(trade.trade_id, trade) for trade in trades if _is_visible(request, trade.time_ns) and wanted(trade)]
    limit = query.whole("limit", DEFAULT_FILLS, minimum=0, maximum=MOST_FILLS) or DEFAULT_FILLS
    page = page_after(rows, query.text("cursor"), limit)
    fills = [render_fill(trade, engine.order(trade.order_id), request.account) for trade in page.rows]
    return json_reply({"fills": fills, "cursor": page.cursor})


def _is_visible(request: Request, time_ns: int) -> bool:
    lag_ns = request.call.lookup_lag_ns
    return not lag_ns or time_ns <= request.now_ns - lag_ns


def _render(request: Request, order: Order) -> dict[str, object]:
    engine = request.exchange.engine
    last_fill = engine.trade(order.trades[-1]) if order.trades else None
    return render_order(order, request.account, last_fill)


def _order_filter(query: Query) -> Callable[[Order], bool]:
    order_ids, statuses = query.texts("order_ids"), query.texts("order_status")
    products, types = query.texts("product_ids", "product_id"), query.texts("order_types", "order_type")
    forces, assets = query.texts("time_in_forces"), query.texts("asset_filters")
    side, client_order_id = query.text("order_side"), query.text("client_order_id")
    start_ns, end_ns = query.time_ns("start_date"), query.time_ns("end_date")
    spot = query.text("product_type", "SPOT") in ("SPOT", "UNKNOWN_PRODUCT_TYPE")

    def wanted(order: Order) -> bool:
        return (
            spot
            and _is_in(order.order_id, order_ids)
            and _is_in(STATUSES[order.status], statuses)
            and _is_in(product_id(order.symbol), products)
            and _is_in(order_type(order), types)
            and _is_in(TIMES_IN_FORCE[order.time_in_force], forces)
            and (not assets or any(asset in assets for asset in order.symbol.split("/")))
            and side in ("", "UNKNOWN_ORDER_SIDE", order.side.value.upper())
            and client_order_id in ("", order.client_order_id)
            and (start_ns is None or order.opened_at_ns >= start_ns)
            and (end_ns is None or order.opened_at_ns < end_ns)
        )

    return wanted


def _fill_filter(query: Query) -> Callable[[Trade], bool]:
    order_ids, trade_ids = query.texts("order_ids", "order_id"), query.texts("trade_ids")
    products = query.texts("product_ids", "product_id")
    start_ns, end_ns = query.time_ns("start_sequence_timestamp"), query.time_ns("end_sequence_timestamp")

    def wanted(trade: Trade) -> bool:
        return (
            _is_in(trade.order_id, order_ids)
            and _is_in(trade.trade_id, trade_ids)
            and _is_in(product_id(trade.symbol), products)
            and (start_ns is None or trade.time_ns >= start_ns)
            and (end_ns is None or trade.time_ns < end_ns)
        )

    return wanted


def _is_in(value: str, wanted: list[str]) -> bool:
    return not wanted or value in wanted
