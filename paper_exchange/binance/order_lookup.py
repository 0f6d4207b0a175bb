"""Looking up orders and fills. A fault (``lookup_lag``) can keep the youngest ones out of sight."""

from __future__ import annotations

from collections.abc import Iterable

from paper_exchange.binance.errors import (
    ARCHIVED,
    BAD_COMBINATION,
    MISSING_PARAMETER,
    NO_SUCH_ORDER,
    TOO_LONG,
    BinanceError,
    json_reply,
    missing,
)
from paper_exchange.binance.order_records import render_order, render_trade
from paper_exchange.binance.parameters import Parameters
from paper_exchange.binance.routes import Request
from paper_exchange.http import Reply
from paper_exchange.orders import Order, OrderStatus, Trade, UnknownOrder

DEFAULT_ROWS = 500
MOST_ROWS = 1000
DAY_NS = 86_400_000_000_000
ARCHIVED_AFTER_NS = 90 * DAY_NS
NO_ID = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
TRADE_COMBINATIONS = frozenset(
    frozenset(names)
    for names in (
        (),
        ("orderId",),
        ("startTime",),
        ("endTime",),
        ("fromId",),
        ("startTime", "endTime"),
        ("orderId", "fromId"),
    )
)
"""Of the optional parameters of the list of fills, those that may be sent together."""


def one_order(request: Request) -> Reply:
    symbol = required_symbol(request)
    order = named_order(request, symbol, "orderId", "origClientOrderId")
    if order is None:
        raise BinanceError(NO_SUCH_ORDER)
    untouched = not order.is_live and order.status is not OrderStatus.FILLED and not order.filled_quantity
    if untouched and request.now_ns - (order.closed_at_ns or 0) > ARCHIVED_AFTER_NS:
        raise BinanceError(ARCHIVED)
    request.call.order_id = order.order_id
    return json_reply(render_order(request, order))


def open_orders(request: Request) -> Reply:
    name = request.parameters.symbol()
    wanted = request.symbols.listing(name).symbol if name is not None else None
    live = request.exchange.engine.open_orders(request.account.account_id)
    shown = [order for order in live if wanted in (None, order.symbol) and request.is_visible(order.opened_at_ns)]
    return json_reply([render_order(request, order) for order in shown])


def all_orders(request: Request) -> Reply:
    """Of one symbol, open and closed, oldest first: from ``orderId`` or ``startTime`` on, or else the newest."""
    symbol, parameters, engine = required_symbol(request), request.parameters, request.exchange.engine
    first_id, since_ns, until_ns = parameters.whole("orderId"), *_times(parameters)
    account_id = request.account.account_id
    known = sorted(
        (*engine.closed_orders(account_id), *engine.open_orders(account_id)), key=lambda order: int(order.order_id)
    )
    chosen = [
        order
        for order in known
        if order.symbol == symbol
        and request.is_visible(order.opened_at_ns)
        and (first_id is None or int(order.order_id) >= first_id)
        and _is_between(order.opened_at_ns, since_ns, until_ns)
    ]
    limit, from_start = parameters.limit(DEFAULT_ROWS, MOST_ROWS), first_id is not None or since_ns is not None
    page = chosen[:limit] if from_start else chosen[-limit:]
    return json_reply([render_order(request, order) for order in page])


def my_trades(request: Request) -> Reply:
    """Fills of one symbol, oldest first: from ``fromId`` or ``startTime`` on, or else the newest."""
    symbol, parameters = required_symbol(request), request.parameters
    given = frozenset(name for name in ("orderId", "startTime", "endTime", "fromId") if name in parameters)
    if given not in TRADE_COMBINATIONS:
        raise BinanceError(BAD_COMBINATION)
    order_id, first_id, (since_ns, until_ns) = (
        parameters.whole("orderId"),
        parameters.whole("fromId"),
        _times(parameters),
    )
    chosen = [
        trade
        for trade in _visible(request, request.exchange.engine.trades(request.account.account_id))
        if trade.symbol == symbol
        and (order_id is None or int(trade.order_id) == order_id)
        and (first_id is None or int(trade.trade_id) >= first_id)
        and _is_between(trade.time_ns, since_ns, until_ns)
    ]
    limit, from_start = parameters.limit(DEFAULT_ROWS, MOST_ROWS), bool(given & {"orderId", "fromId", "startTime"})
    page = chosen[:limit] if from_start else chosen[-limit:]
    return json_reply([render_trade(request, trade) for trade in page])


def required_symbol(request: Request) -> str:
    """The symbol that a request must name. Raises BinanceError."""
    name = request.parameters.symbol()
    if name is None:
        raise missing("symbol")
    return request.symbols.listing(name).symbol


def named_order(request: Request, symbol: str, id_name: str, client_id_name: str) -> Order | None:
    """The order of a symbol that a request names by the venue's id, by the client's (the newest that had it) or both.

    None when there is no such order or it is still out of sight. Raises BinanceError when neither id was sent.
    """
    order_id, client_order_id = request.parameters.whole(id_name), request.parameters.text(client_id_name)
    if order_id is None and client_order_id is None:
        raise BinanceError(
            MISSING_PARAMETER, NO_ID.replace("origClientOrderId", client_id_name).replace("orderId", id_name)
        )
    found = _by_id(request, str(order_id)) if order_id is not None else _by_client_id(request, client_order_id or "")
    return next(
        (
            order
            for order in found
            if order.symbol == symbol
            and request.is_visible(order.opened_at_ns)
            and client_order_id in (None, order.client_order_id)
        ),
        None,
    )


def _by_id(request: Request, order_id: str) -> list[Order]:
    try:
        order = request.exchange.engine.order(order_id)
    except UnknownOrder:
        return []
    return [order] if order.account_id == request.account.account_id else []


def _by_client_id(request: Request, client_order_id: str) -> list[Order]:
    return request.shared.client_orders.find(request.account.account_id, client_order_id)


def _visible(request: Request, trades: Iterable[Trade]) -> Iterable[Trade]:
    return (trade for trade in trades if request.is_visible(trade.time_ns))


def _times(parameters: Parameters) -> tuple[int | None, int | None]:
    """``startTime`` and ``endTime``, at most a day apart. Raises BinanceError.

    What ``startTime`` alone reaches the documents do not say; here it is that day, on which a client can rely anyhow.
    """
    since_ns, until_ns = parameters.time_ns("startTime"), parameters.time_ns("endTime")
    if since_ns is None:
        return None, until_ns
    if until_ns is not None and until_ns - since_ns > DAY_NS:
        raise BinanceError(TOO_LONG, "More than 24 hours between startTime and endTime.")
    return since_ns, since_ns + DAY_NS if until_ns is None else until_ns


def _is_between(time_ns: int, since_ns: int | None, until_ns: int | None) -> bool:
    """Times are given in whole milliseconds, so the last one counts to its end."""
    return (since_ns is None or time_ns >= since_ns) and (until_ns is None or time_ns < until_ns + 1_000_000)
