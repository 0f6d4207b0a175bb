"""Order entry over the socket. Every order goes through the code that REST orders go through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from paper_exchange.http import Call
from paper_exchange.kraken import order_writes
from paper_exchange.kraken.context import Context
from paper_exchange.kraken.envelope import KrakenError, invalid_argument
from paper_exchange.kraken.form import Params
from paper_exchange.kraken.front import KrakenFront
from paper_exchange.kraken.live_orders import charge
from paper_exchange.kraken.order_batch import refuse_unsound
from paper_exchange.kraken.order_entry import INT32, Entry, read_entry
from paper_exchange.kraken.ws.answers import Answer
from paper_exchange.kraken.ws.order_fields import ADD_ORDER_NAMES, ORDER_NAMES, deadline_ns, rest_fields
from paper_exchange.kraken.ws.requests import check_names, flag, items
from paper_exchange.rate_counters import ADD_COST, BATCH_ADD_COST
from paper_exchange.write_ahead import Placement

BATCH_ORDERS = (2, 15)
BATCH_CANCELS = (2, 50)
BATCH_ADD_NAMES = frozenset({"symbol", "orders", "deadline", "validate", "token"})
CANCEL_NAMES = frozenset({"order_id", "cl_ord_id", "order_userref", "token"})
BATCH_CANCEL_NAMES = frozenset({"orders", "cl_ord_id", "token"})
TOKEN_ONLY = frozenset({"token"})


@dataclass(frozen=True, slots=True)
class Order:
    """A trading request at exchange time ``now_ns``, of an account that may make it."""

    front: KrakenFront
    call: Call
    method: str
    params: Mapping[str, Any]
    now_ns: int

    def context(self, fields: dict[str, object]) -> Context:
        return self.front.context(self.call, Params(fields), self.now_ns)


Trade = Callable[[Order], list[Answer]]


def add_order(order: Order) -> list[Answer]:
    check_names(order.params, ADD_ORDER_NAMES, order.method)
    return [Answer(_placed(order, order.params, _entry(order, order.params)))]


def batch_add(order: Order) -> list[Answer]:
    """An order that can't be right refuses the whole batch; one that only the engine refuses fails alone."""
    entries = [(params, _entry(order, params)) for params in _batch(order)]
    # Counted as a whole, and before anything is checked.
    charge(order.context({}), entries[0][1].new.symbol, BATCH_ADD_COST * len(entries))
    refuse_unsound(order.context({}), [entry for _, entry in entries])
    return [Answer([_placed_or_error(order, params, entry) for params, entry in entries])]


def cancel_order(order: Order) -> list[Answer]:
    """One answer for each id, in the order of the request."""
    check_names(order.params, CANCEL_NAMES, order.method)
    wanted: list[tuple[str, object, dict[str, object]]] = []
    wanted += [("order_id", one, {"txid": _text(one, "order_id")}) for one in items(order.params, "order_id")]
    wanted += [("cl_ord_id", one, {"cl_ord_id": _text(one, "cl_ord_id")}) for one in items(order.params, "cl_ord_id")]
    wanted += [("order_userref", one, {"txid": _reference(one)}) for one in items(order.params, "order_userref")]
    if not wanted:
        raise invalid_argument("order_id")
    return [_cancelled(order, name, one, fields) for name, one, fields in wanted]


def cancel_all(order: Order) -> list[Answer]:
    check_names(order.params, TOKEN_ONLY, order.method)
    return [Answer(order_writes.cancel_all(order.context({})))]


def batch_cancel(order: Order) -> list[Answer]:
    check_names(order.params, BATCH_CANCEL_NAMES, order.method)
    ids, client_order_ids = items(order.params, "orders"), items(order.params, "cl_ord_id")
    if not BATCH_CANCELS[0] <= len(ids) + len(client_order_ids) <= BATCH_CANCELS[1]:
        raise invalid_argument("orders")
    fields: dict[str, object] = {"orders": [str(one) for one in ids], "cl_ord_ids": client_order_ids}
    result = order_writes.cancel_order_batch(order.context(fields))
    assert isinstance(result, dict)
    # Wire captures of 2024 have the count at the top, the pages of 2026 in the result.
    return [Answer(result, more={"orders_cancelled": result["count"]})]


def placements(order: Order) -> list[Placement]:
    """The orders that a request asks for, read but not decided; none of one that is only to be validated."""
    if order.method not in ("add_order", "batch_add"):
        return []
    try:
        if flag(order.params, "validate"):
            return []
        wanted = [order.params] if order.method == "add_order" else _batch(order)
    except KrakenError:
        return []
    return [_placement(order, params) for params in wanted]


def _placement(order: Order, params: Mapping[str, Any]) -> Placement:
    client_order_id = params.get("cl_ord_id")
    try:
        new = _entry(order, params).new
    except KrakenError:
        return Placement(str(client_order_id) if client_order_id is not None else None)
    return Placement(new.client_order_id, new.symbol, new.side.value, new)


def _batch(order: Order) -> list[Mapping[str, Any]]:
    check_names(order.params, BATCH_ADD_NAMES, order.method)
    orders = items(order.params, "orders")
    if not BATCH_ORDERS[0] <= len(orders) <= BATCH_ORDERS[1] or not all(isinstance(one, dict) for one in orders):
        raise invalid_argument("orders")
    shared = {name: order.params[name] for name in ("symbol", "deadline", "validate") if name in order.params}
    for one in orders:
        check_names(one, ORDER_NAMES - {"symbol"}, order.method)
    return [{**one, **shared} for one in orders]


def _entry(order: Order, params: Mapping[str, Any]) -> Entry:
    latest_ns = deadline_ns(params, order.call.received_ns)
    context = order.context(rest_fields(params))
    return read_entry(context, context.params, deadline_ns=latest_ns)


def _placed(order: Order, params: Mapping[str, Any], entry: Entry, cost: float = ADD_COST) -> dict[str, object]:
    """``cl_ord_id`` and ``order_userref`` are echoed; without ``order_id`` nothing was placed."""
    order_id = order_writes.place(order.context({}), entry, cost)
    echo = {name: params[name] for name in ("cl_ord_id", "order_userref") if params.get(name) is not None}
    return {"order_id": order_id, **echo} if order_id is not None else echo


def _placed_or_error(order: Order, params: Mapping[str, Any], entry: Entry) -> dict[str, object]:
    try:
        return _placed(order, params, entry, cost=0.0)
    except KrakenError as problem:
        echo = {name: params[name] for name in ("cl_ord_id", "order_userref") if params.get(name) is not None}
        return {**echo, "success": False, "error": problem.text}


def _cancelled(order: Order, name: str, one: object, fields: dict[str, object]) -> Answer:
    try:
        order_writes.cancel_order(order.context(fields))
    except KrakenError as problem:
        return Answer(error=problem.text, more={name: one})
    return Answer({name: one})


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise invalid_argument(name)
    return value


def _reference(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > INT32:
        raise invalid_argument("order_userref")
    return str(value)
