"""Which orders a request of OKX asks for, read but not decided."""

from __future__ import annotations

from paper_exchange.okx.algo_entry import read_algo_order
from paper_exchange.okx.instruments import symbol_of
from paper_exchange.okx.order_entry import listing_for_order, read_order
from paper_exchange.okx.order_forms import read_form
from paper_exchange.okx.replies import ApiError, OrderRefused
from paper_exchange.okx.routes import Fields, Request, bodies
from paper_exchange.orders import NewOrder
from paper_exchange.write_ahead import Placement

ORDERS = frozenset({"trade/order", "trade/batch-orders"})
ALGO_ORDERS = frozenset({"trade/order-algo"})


def placements(request: Request) -> list[Placement]:
    """One for each order of an endpoint that places orders, also for one that will be refused; else none."""
    call = request.call
    if call.method != "POST" or call.endpoint not in ORDERS | ALGO_ORDERS:
        return []
    return [_placement(request, request.with_instrument(fields)) for fields in bodies(call.body) or []]


def _placement(request: Request, fields: Fields) -> Placement:
    algo = request.call.endpoint in ALGO_ORDERS
    try:
        new = read_algo_order(request, fields) if algo else _order(request, fields)
    except (ApiError, OrderRefused):
        client_id = fields.get("algoClOrdId" if algo else "clOrdId")
        symbol = symbol_of(str(fields.get("instId") or ""))
        return Placement(client_id if isinstance(client_id, str) else None, symbol or None)
    return Placement(new.client_order_id, new.symbol, new.side.value, new)


def _order(request: Request, fields: Fields) -> NewOrder:
    form = read_form(fields)
    listing = listing_for_order(request, form.inst_id)
    return read_order(request, form, listing)
