"""Algo orders have ids of their own; the order that one becomes has another.

In the engine they are one order: before it triggers it is OKX's algo order, afterwards the order as well. The engine's
id is the order's; its ``user_reference`` keeps which kind of algo order it was.
"""

from __future__ import annotations

from paper_exchange.orders import CloseReason, Order

CONDITIONAL, TRIGGER = 1, 2
"""Values of ``user_reference``."""
KINDS = {"conditional": CONDITIONAL, "trigger": TRIGGER}
NAMES = {number: name for name, number in KINDS.items()}
SOURCES = {CONDITIONAL: "7", TRIGGER: "6"}
"""How an order tells what it came from."""
DISTANCE = 2 * 10**18


def algo_id_of(order: Order) -> str:
    return str(int(order.order_id) + DISTANCE)


def order_id_of(algo_id: str) -> str | None:
    """The engine's id behind an algo id; None for text that is none."""
    if not (algo_id.isascii() and algo_id.isdigit() and len(algo_id) == len(str(DISTANCE))):
        return None
    return str(int(algo_id) - DISTANCE)


def is_algo(order: Order) -> bool:
    """Whether it was placed with a trigger, whatever has become of it."""
    return order.trigger_price is not None


def has_failed(order: Order) -> bool:
    """Whether it triggered when there was no money for it: then no order was made."""
    lacked = order.close_reason == CloseReason.INSUFFICIENT_FUNDS
    return is_algo(order) and lacked and not order.filled_quantity


def is_order(order: Order) -> bool:
    """Whether there is, or was, an order: for an algo order, whether it has become one."""
    return not is_algo(order) or (order.triggered_at_ns is not None and not has_failed(order))


def kind_of(order: Order) -> str:
    return NAMES.get(order.user_reference or CONDITIONAL, "conditional")


def source_of(order: Order) -> str:
    return SOURCES.get(order.user_reference or CONDITIONAL, "")
