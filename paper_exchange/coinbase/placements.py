"""Which order a request of Coinbase asks for, read but not decided."""

from __future__ import annotations

from paper_exchange.coinbase.market_data import find_listing
from paper_exchange.coinbase.order_forms import new_order, read_form
from paper_exchange.coinbase.refusals import OrderRefused
from paper_exchange.coinbase.replies import ApiError
from paper_exchange.coinbase.routes import Request
from paper_exchange.write_ahead import Placement


def placements(request: Request) -> list[Placement]:
    """One for the endpoint that places orders, also when the client order id is known already; else none."""
    if (request.call.method, request.call.endpoint) != ("POST", "orders"):
        return []
    client_order_id = request.call.client_order_id
    try:
        body = request.body
        listing = find_listing(request, str(body.get("product_id")))
        new = new_order(
            read_form(body), listing, account_id=request.account.account_id, client_order_id=client_order_id
        )
    except (ApiError, OrderRefused):
        return [Placement(client_order_id, request.call.symbol, request.call.side)]
    return [Placement(client_order_id, new.symbol, new.side.value, new)]
