"""Changes to open orders over the socket, by the code that REST changes go through."""

from __future__ import annotations

from dataclasses import replace

from paper_exchange.kraken import order_changes, order_edit, order_writes
from paper_exchange.kraken.envelope import KrakenError, invalid_argument
from paper_exchange.kraken.ws.answers import Answer
from paper_exchange.kraken.ws.order_fields import deadline_ns, price_text, rest_fields
from paper_exchange.kraken.ws.requests import check_names, flag, number_text, text, whole_number
from paper_exchange.kraken.ws.trading import Order

AMEND_NAMES = frozenset(
    {
        "order_id", "cl_ord_id", "order_qty", "limit_price", "limit_price_type", "trigger_price", "trigger_price_type",
        "display_qty", "post_only", "deadline", "symbol", "token",
    }
)  # fmt: skip
EDIT_NAMES = frozenset(
    {
        "order_id", "symbol", "order_qty", "limit_price", "limit_price_type", "triggers", "display_qty", "post_only",
        "reduce_only", "fee_preference", "no_mpp", "order_userref", "deadline", "validate", "token",
    }
)  # fmt: skip
AFTER_NAMES = frozenset({"timeout", "token"})


def amend_order(order: Order) -> list[Answer]:
    """The answer has the name that the request used."""
    params = order.params
    check_names(params, AMEND_NAMES, order.method)
    order_id, client_order_id = text(params, "order_id"), text(params, "cl_ord_id")
    if (order_id is None) == (client_order_id is None):
        raise invalid_argument("order_id")
    fields: dict[str, object] = {
        "txid": order_id,
        "cl_ord_id": client_order_id,
        "order_qty": number_text(params, "order_qty"),
        "display_qty": number_text(params, "display_qty"),
        "limit_price": price_text(params, "limit_price", "limit_price_type"),
        "trigger_price": price_text(params, "trigger_price", "trigger_price_type"),
        "post_only": "true" if flag(params, "post_only") else None,
    }
    latest_ns = deadline_ns(params, order.call.received_ns)
    context = order.context(fields)
    change = replace(order_changes.read_change(context), deadline_ns=latest_ns)
    name = {"order_id": order_id} if order_id is not None else {"cl_ord_id": client_order_id}
    return [Answer({"amend_id": order_changes.amend(context, change), **name})]


def edit_order(order: Order) -> list[Answer]:
    """The order is cancelled and another takes its place; if that is refused, the old one is gone all the same."""
    check_names(order.params, EDIT_NAMES, order.method)
    order_id = text(order.params, "order_id")
    deadline_ns(order.params, order.call.received_ns)
    fields = {name: value for name, value in rest_fields(order.params).items() if value not in (None, "")}
    result = order_edit.edit_order(order.context({**fields, "txid": order_id}))
    assert isinstance(result, dict)
    if result.get("status") == "err":
        raise KrakenError(str(result["error_message"]))
    edited = {"original_order_id": result.get("originaltxid", order_id)}
    return [Answer({"order_id": result["txid"], **edited} if "txid" in result else edited)]


def cancel_all_orders_after(order: Order) -> list[Answer]:
    check_names(order.params, AFTER_NAMES, order.method)
    seconds = whole_number(order.params, "timeout")
    if seconds is None:
        raise invalid_argument("timeout")
    return [Answer(order_writes.cancel_all_after(order.context({"timeout": str(seconds)})))]
