"""AddOrderBatch: up to fifteen orders of one pair in one request."""

from __future__ import annotations

from paper_exchange.kraken.context import Context
from paper_exchange.kraken.envelope import KrakenError, invalid_argument
from paper_exchange.kraken.form import Params
from paper_exchange.kraken.order_entry import Entry, read_entry
from paper_exchange.kraken.order_writes import describe_entry, place

BATCH_ORDERS = (2, 15)
SHARED_FIELDS = ("deadline", "validate")


def add_order_batch(context: Context) -> object:
    """An order that can't be read refuses the whole batch; one that the engine refuses fails alone.

    The answers come in the order of the request, and ``txid`` is text here, not a list.
    """
    orders = context.params.objects("orders")
    if not BATCH_ORDERS[0] <= len(orders) <= BATCH_ORDERS[1]:
        raise invalid_argument("orders")
    shared = {name: context.params.text(name) for name in SHARED_FIELDS}
    pair = context.params.text("pair") or ""
    entries = [read_entry(context, Params.merged(shared, order), pair_text=pair) for order in orders]
    return {"orders": [_placed(context, entry) for entry in entries]}


def _placed(context: Context, entry: Entry) -> dict[str, object]:
    try:
        order_id = place(context, entry)
    except KrakenError as problem:
        return {"error": problem.text}
    answer: dict[str, object] = {"descr": describe_entry(entry)}
    return answer if order_id is None else {**answer, "txid": order_id}
