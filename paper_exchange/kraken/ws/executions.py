"""The items of the ``executions`` channel.

A client can't rely on an item to describe its order: ``new``, ``canceled`` and ``expired`` carry little more than the
order's id, as on the real wire, and ``trade`` says ``partially_filled`` even of the last fill.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.catalogue import Listing
from paper_exchange.clock import rfc3339
from paper_exchange.kraken.naming import Names, cost_decimals
from paper_exchange.kraken.ws.numbers import number
from paper_exchange.orders import (
    LIVE_STATUSES,
    Accepted,
    Amended,
    Canceled,
    Event,
    Expired,
    Filled,
    Order,
    OrderStatus,
    Trade,
    Triggered,
)

ZERO = Decimal(0)
Item = dict[str, object]


@dataclass(frozen=True, slots=True)
class Grid:
    """Decimals in which the amounts of a pair are shown."""

    price: int
    quantity: int
    cost: int
    quote: str

    @classmethod
    def of(cls, listing: Listing) -> Grid:
        return cls(listing.price_decimals, listing.lot_decimals, cost_decimals(listing), listing.quote)


class Executions:
    """Makes items of events, orders and trades."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def items(self, event: Event) -> list[Item]:
        """Each is a message of its own: what a client must bear to get one by one."""
        match event:
            case Accepted():
                return [self._accepted(event.order, event.time_ns), _opened(event)]
            case Filled():
                fill = self.trade(event.trade, event.order, "partially_filled")
                return [fill] if event.order.status is not OrderStatus.FILLED else [fill, self._ended(event, "filled")]
            case Canceled():
                return [self._ended(event, "canceled")]
            case Expired():
                return [self._ended(event, "expired")]
            case Amended():
                return [self._amended(event)]
            case Triggered():
                return [self._triggered(event)]
        return []

    def order(self, order: Order) -> Item:
        """An open order as the snapshot shows it."""
        grid = self._grid(order)
        partly = order.filled_quantity > ZERO
        item = {
            **self._description(order, grid),
            **_totals(order, grid),
            "order_status": "partially_filled" if partly else "new",
            "exec_type": "new",
            "timestamp": rfc3339(order.opened_at_ns),
        }
        if order.amendments:
            item["amended"] = True
        return item

    def trade(self, trade: Trade, order: Order, order_status: str) -> Item:
        """A fill; totals are the order's as it then stood. ``exec_id`` is the trade id that REST shows."""
        grid = self._grid(order)
        item: Item = {
            "order_id": order.order_id,
            "exec_id": trade.trade_id,
            "exec_type": "trade",
            "trade_id": trade.trade_number,
            "symbol": order.symbol,
            "side": order.side.value,
            "last_qty": number(trade.quantity, grid.quantity),
            "last_price": number(trade.price, grid.price),
            "liquidity_ind": "m" if trade.maker else "t",
            "cost": number(trade.cost, grid.cost),
            "order_userref": order.user_reference or 0,
            "order_status": order_status,
            "order_type": order.kind.value,
            **_totals(order, grid),
            "fees": [{"asset": grid.quote, "qty": number(trade.fee, grid.cost)}],
            "timestamp": rfc3339(trade.time_ns),
        }
        if order.client_order_id is not None:
            item["cl_ord_id"] = order.client_order_id
        return item

    def past_trade(self, trade: Trade, order: Order) -> Item:
        """A fill as the snapshot shows it, where a finished order's fills say so."""
        done = order.status not in LIVE_STATUSES
        return self.trade(trade, order, "filled" if done else "partially_filled")

    def _accepted(self, order: Order, time_ns: int) -> Item:
        grid = self._grid(order)
        return {
            **self._description(order, grid),
            "cum_qty": number(ZERO, grid.quantity),
            "cum_cost": number(ZERO, grid.cost),
            "avg_price": number(ZERO, grid.price),
            "order_status": "pending_new",
            "exec_type": "pending_new",
            "fee_usd_equiv": number(ZERO, grid.cost),
            "timestamp": rfc3339(time_ns),
        }

    def _ended(self, event: Event, status: str) -> Item:
        order = event.order
        item: Item = {
            "order_id": order.order_id,
            "order_userref": order.user_reference or 0,
            "exec_type": status,
            "order_status": status,
            **_totals(order, self._grid(order)),
            "timestamp": rfc3339(event.time_ns),
        }
        if order.close_reason is not None:
            item["reason"] = item["cancel_reason"] = order.close_reason
        return item

    def _amended(self, event: Event) -> Item:
        order, grid = event.order, self._grid(event.order)
        item: Item = {
            "order_id": order.order_id,
            "order_userref": order.user_reference or 0,
            "exec_type": "amended",
            "order_status": "partially_filled" if order.filled_quantity else "new",
            "amended": True,
            "reason": "User requested",
            "timestamp": rfc3339(event.time_ns),
        }
        if order.quantity is not None:
            item["order_qty"] = number(order.quantity, grid.quantity)
        if order.limit_price is not None:
            item["limit_price"] = number(order.limit_price, grid.price)
            item["limit_price_type"] = "static"
        return item

    def _triggered(self, event: Event) -> Item:
        order, grid = event.order, self._grid(event.order)
        return {
            "order_id": order.order_id,
            "order_userref": order.user_reference or 0,
            "exec_type": "status",
            "order_status": "new",
            "triggers": _triggers(order, grid),
            "timestamp": rfc3339(event.time_ns),
        }

    def _description(self, order: Order, grid: Grid) -> Item:
        item: Item = {
            "order_id": order.order_id,
            "symbol": order.symbol,
            "side": order.side.value,
            "order_type": order.kind.value,
            "time_in_force": order.time_in_force.value.upper(),
            "order_userref": order.user_reference or 0,
            "post_only": order.post_only,
            "reduce_only": False,
            "margin": False,
            "fee_ccy_pref": "fciq",
        }
        if order.client_order_id is not None:
            item["cl_ord_id"] = order.client_order_id
        if order.quantity is not None:
            item["order_qty"] = number(order.quantity, grid.quantity)
        if order.quote_amount is not None:
            item["cash_order_qty"] = number(order.quote_amount, grid.cost)
        if order.limit_price is not None:
            item["limit_price"] = number(order.limit_price, grid.price)
            item["limit_price_type"] = "static"
        if order.trigger_price is not None:
            item["triggers"] = _triggers(order, grid)
        if order.expires_at_ns is not None:
            item["expire_time"] = rfc3339(order.expires_at_ns)
        return item

    def _grid(self, order: Order) -> Grid:
        return Grid.of(self._names.listing(self._names.pairs[order.symbol]))


def _opened(event: Event) -> Item:
    return {
        "order_id": event.order.order_id,
        "order_userref": event.order.user_reference or 0,
        "exec_type": "new",
        "order_status": "new",
        "timestamp": rfc3339(event.time_ns),
    }


def _totals(order: Order, grid: Grid) -> Item:
    fee_usd = order.fee if grid.quote == "USD" else ZERO
    return {
        "cum_qty": number(order.filled_quantity, grid.quantity),
        "cum_cost": number(order.filled_cost, grid.cost),
        "avg_price": number(order.average_price or ZERO, grid.price),
        "fee_usd_equiv": number(fee_usd, grid.cost),
    }


def _triggers(order: Order, grid: Grid) -> Item:
    assert order.trigger_price is not None
    price = number(order.trigger_price, grid.price)
    status = "untriggered" if order.triggered_at_ns is None else "triggered"
    triggers: Item = {
        "reference": "last", "price": price, "price_type": "static", "actual_price": price, "status": status,
    }  # fmt: skip
    if order.triggered_at_ns is not None:
        triggers["timestamp"] = rfc3339(order.triggered_at_ns)
    return triggers
