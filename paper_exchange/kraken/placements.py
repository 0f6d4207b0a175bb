"""Which orders a request of Kraken asks for, read but not decided."""

from __future__ import annotations

from paper_exchange.kraken.context import Context
from paper_exchange.kraken.envelope import KrakenError
from paper_exchange.kraken.form import Params
from paper_exchange.kraken.order_batch import SHARED_FIELDS
from paper_exchange.kraken.order_entry import read_entry
from paper_exchange.write_ahead import Placement


def placements(context: Context) -> list[Placement]:
    """None for anything but AddOrder, AddOrderBatch and EditOrder, and none for one that is only to be validated."""
    params = context.params
    if context.call.endpoint == "EditOrder" and not params.flag("validate"):
        return [Placement(None)]
    if context.call.endpoint not in ("AddOrder", "AddOrderBatch") or params.flag("validate"):
        return []
    if context.call.endpoint == "AddOrder":
        return [_placement(context, params, params.text("pair"))]
    shared = {name: params.text(name) for name in SHARED_FIELDS}
    orders = params.objects("orders")
    return [_placement(context, Params.merged(shared, order), params.text("pair")) for order in orders]


def _placement(context: Context, params: Params, pair: str | None) -> Placement:
    client_order_id = params.text("cl_ord_id")
    try:
        new = read_entry(context, params, pair_text=pair).new
    except KrakenError:
        return Placement(client_order_id, side=params.text("type"))
    return Placement(client_order_id, new.symbol, new.side.value, new)
