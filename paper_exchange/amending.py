"""What an amendment makes of an order: pure rules, applied before anything changes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from paper_exchange.orders import AmendRequest, NewOrder, Order, OrderStatus, Refusal, RefusalCode


def amended_terms(order: Order, change: AmendRequest, now_ns: int) -> NewOrder:
    """The terms with the change made; no less is asked for than is filled. Raises `Refusal`."""
    if change.deadline_ns is not None and now_ns > change.deadline_ns:
        raise Refusal(RefusalCode.DEADLINE_ELAPSED, "the deadline of the change has passed")
    if order.status is OrderStatus.OPEN and change.trigger_price not in (None, order.trigger_price):
        raise Refusal(RefusalCode.INVALID_COMBINATION, "the order has triggered already, or has no trigger price")
    return replace(
        order.new,
        quantity=_quantity(order, change.quantity),
        limit_price=order.limit_price if change.limit_price is None else change.limit_price,
        trigger_price=order.trigger_price if change.trigger_price is None else change.trigger_price,
    )


def _quantity(order: Order, asked: Decimal | None) -> Decimal | None:
    if asked is None:
        return order.quantity
    if not asked.is_finite() or asked <= 0:
        raise Refusal(RefusalCode.INVALID_QUANTITY, f"{asked} is not a quantity")
    return max(asked, order.filled_quantity)


def leaves_nothing(order: Order, new: NewOrder) -> bool:
    """Whether the new terms end the order: all they ask for is filled."""
    return new.quantity is not None and new.quantity <= order.filled_quantity


def loses_place(order: Order, new: NewOrder) -> bool:
    """Another price or more quantity goes to the back of the queue; less quantity keeps its place in it."""
    if (new.limit_price, new.trigger_price) != (order.limit_price, order.trigger_price):
        return True
    assert new.quantity is not None and order.quantity is not None
    return new.quantity > order.quantity
