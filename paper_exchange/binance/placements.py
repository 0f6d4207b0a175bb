"""Which order a request of Binance asks for, read but not decided."""

from __future__ import annotations

from paper_exchange.binance.errors import BinanceError
from paper_exchange.binance.order_form import new_order
from paper_exchange.binance.routes import Request
from paper_exchange.write_ahead import Placement

PLACING = frozenset({"order", "cancelReplace"})


def placements(request: Request) -> list[Placement]:
    """One for the endpoints that place orders, also when the client order id is taken; else none."""
    call, parameters = request.call, request.parameters
    if call.data["endpoint"].name not in PLACING:
        return []
    try:
        listing = request.symbols.listing(parameters.symbol())
        new = new_order(
            parameters, listing, account_id=request.account.account_id, client_order_id=call.client_order_id
        )
    except BinanceError:
        return [Placement(call.client_order_id, call.symbol, call.side)]
    return [Placement(call.client_order_id, new.symbol, new.side.value, new)]
