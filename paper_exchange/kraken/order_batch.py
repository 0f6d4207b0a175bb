"""AddOrderBatch: up to fifteen orders of one pair in one request."""

from __future__ import annotations

from collections.abc import Sequence

from paper_exchange.kraken.context import Context
from paper_exchange.kraken.envelope import REFUSALS, KrakenError, invalid_argument
from paper_exchange.kraken.form import Params
from paper_exchange.kraken.live_orders import charge
from paper_exchange.kraken.order_entry import Entry, read_entry
from paper_exchange.kraken.order_view import describe
from paper_exchange.kraken.order_writes import place
from paper_exchange.orders import Refusal, RefusalCode
from paper_exchange.rate_counters import BATCH_ADD_COST

BATCH_ORDERS = (2, 15)
SHARED_FIELDS = ("deadline", "validate")
DECIDED_BY_THE_BOOK = frozenset(
    {
        RefusalCode.INSUFFICIENT_FUNDS,
        RefusalCode.POST_ONLY_WOULD_CROSS,
        RefusalCode.STOP_WOULD_TRIGGER,
        RefusalCode.DEADLINE_ELAPSED,
        RefusalCode.TOO_MANY_OPEN_ORDERS,
        RefusalCode.NO_LIQUIDITY,
    }
)
"""Refusals that depend on money, book or time; all others are plain from the order and the rules of its pair."""


def add_order_batch(context: Context) -> object:
    """An order that can't be right refuses the whole batch; one that only the engine refuses fails alone.

    The answers come in the order of the request, and ``txid`` is text here, not a list.
    """
    orders = context.params.objects("orders")
    if not BATCH_ORDERS[0] <= len(orders) <= BATCH_ORDERS[1]:
        raise invalid_argument("orders")
    shared = {name: context.params.text(name) for name in SHARED_FIELDS}
    pair = context.params.text("pair") or ""
    entries = [read_entry(context, Params.merged(shared, order), pair_text=pair) for order in orders]
    # Counted as a whole, and before anything is checked.
    charge(context, entries[0].new.symbol, BATCH_ADD_COST * len(entries))
    refuse_unsound(context, entries)
    return {"orders": [_placed(context, entry) for entry in entries]}


def refuse_unsound(context: Context, entries: Sequence[Entry]) -> None:
    """Raise KrakenError if one of the orders breaks a rule of its pair; nothing is placed or held."""
    for entry in entries:
        try:
            context.exchange.engine.validate(entry.new, context.now_ns)
        except Refusal as refusal:
            if refusal.code not in DECIDED_BY_THE_BOOK:
                raise KrakenError(REFUSALS[refusal.code]) from None


def _placed(context: Context, entry: Entry) -> dict[str, object]:
    try:
        order_id = place(context, entry, cost=0.0)
    except KrakenError as problem:
        return {"error": problem.text}
    answer: dict[str, object] = {"descr": {"order": describe(entry.new, entry.pair, entry.listing)}}
    if entry.close is not None:
        answer["close"] = entry.close.describe()
    return answer if order_id is None else {**answer, "txid": order_id}
