"""The accounts' own orders of one symbol: those that rest, by price and time, and those that wait."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.orders import STOP_LOSS_KINDS, Order, OrderStatus, Side


@dataclass(frozen=True)
class Offer:
    """Something to trade with: a resting order of an account, or (order None) generated liquidity."""

    price: Decimal
    quantity: Decimal
    order: Order | None


class RestingOrders:
    def __init__(self) -> None:
        self._open: dict[Side, list[Order]] = {Side.BUY: [], Side.SELL: []}
        self.pending: list[Order] = []

    def __bool__(self) -> bool:
        return bool(self.pending or self._open[Side.BUY] or self._open[Side.SELL])

    def add(self, order: Order) -> None:
        if order.status is OrderStatus.PENDING:
            self.pending.append(order)
            return
        orders = self._open[order.side]
        orders.append(order)
        orders.sort(key=_priority)

    def remove(self, order: Order) -> None:
        orders = self.pending if order.status is OrderStatus.PENDING else self._open[order.side]
        orders.remove(order)

    def open(self, side: Side) -> list[Order]:
        """By price, then by time: who is filled first comes first."""
        return list(self._open[side])

    def triggered_at(self, last: Decimal) -> list[Order]:
        """The waiting orders that a last price lets into the market, in the order of their arrival."""
        return [order for order in self.pending if is_triggered(order, last)]

    def taken_from_queue(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        """Generated liquidity at a price has gone; the orders that stood behind it move up."""
        for order in self._open[side]:
            if order.limit_price == price and order.queue_ahead:
                order.queue_ahead = max(Decimal(0), order.queue_ahead - quantity)


def is_triggered(order: Order, last: Decimal) -> bool:
    """A stop-loss sells when the price falls and buys when it rises to the trigger; a take-profit the other way.

    An order without a trigger has only waited for its market to open.
    """
    trigger = order.trigger_price
    if trigger is None:
        return True
    falling = (order.side is Side.SELL) == (order.kind in STOP_LOSS_KINDS)
    return last <= trigger if falling else last >= trigger


def _priority(order: Order) -> tuple[Decimal, int]:
    price = order.limit_price
    assert price is not None
    return (-price if order.side is Side.BUY else price), order.sequence


def offers(generated: Iterable[tuple[Decimal, Decimal]], orders: list[Order], side: Side) -> Iterator[Offer]:
    """All that rests on `side`, best first; at one price an order comes after the quantity that stood before it."""
    waiting = list(orders)
    for price, quantity in generated:
        while waiting and _is_better(waiting[0], price, side):
            yield _offer(waiting.pop(0))
        left = quantity
        while waiting and waiting[0].limit_price == price:
            order = waiting.pop(0)
            before = min(left, max(Decimal(0), order.queue_ahead - (quantity - left)))
            if before:
                yield Offer(price, before, None)
            left -= before
            yield _offer(order)
        if left:
            yield Offer(price, left, None)
    yield from map(_offer, waiting)


def _is_better(order: Order, price: Decimal, side: Side) -> bool:
    assert order.limit_price is not None
    return order.limit_price > price if side is Side.BUY else order.limit_price < price


def _offer(order: Order) -> Offer:
    assert order.limit_price is not None
    return Offer(order.limit_price, order.remaining, order)
