"""``trade_updates``: what happened to an order, and the order as it stood right after."""

from __future__ import annotations

import json
from uuid import uuid5

from paper_exchange.alpaca.context import Venue
from paper_exchange.alpaca.instruments import IDS_OF_THIS_FRONT
from paper_exchange.alpaca.numbers import text
from paper_exchange.alpaca.order_records import render_order
from paper_exchange.alpaca.stream.session import TRADE_UPDATES
from paper_exchange.clock import rfc3339
from paper_exchange.orders import (
    Accepted,
    Canceled,
    CloseReason,
    Event,
    Expired,
    Filled,
    OrderStatus,
    Triggered,
)


def encode(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def update_of(venue: Venue, event: Event) -> bytes | None:
    """The message for an event; None for one that Alpaca says nothing of."""
    name = _name(venue, event)
    if name is None:
        return None
    order = event.order
    data: dict[str, object] = {
        "event": name,
        "execution_id": str(uuid5(IDS_OF_THIS_FRONT, f"{order.order_id} {name} {event.time_ns}")),
        "timestamp": rfc3339(event.time_ns),
        "order": render_order(venue, order, event.time_ns),
    }
    if isinstance(event, Filled):
        stock = order.symbol.partition("/")[0]
        data |= {
            "execution_id": event.trade.trade_id,
            "price": text(event.trade.price),
            "qty": text(event.trade.quantity),
            "position_qty": text(venue.exchange.engine.balances(order.account_id)[stock].total),
        }
    return encode({"stream": TRADE_UPDATES, "data": data})


def _name(venue: Venue, event: Event) -> str | None:
    order = event.order
    match event:
        case Accepted():
            waits = order.status is OrderStatus.PENDING and venue.exchange.market.closed
            return "accepted" if waits else "new"
        case Triggered() if order.trigger_price is None:
            return "new"  # it waited for the opening
        case Filled():
            return "fill" if order.status is OrderStatus.FILLED else "partial_fill"
        case Canceled():
            return "replaced" if order.close_reason == CloseReason.REPLACED else "canceled"
        case Expired():
            return "expired"
    return None
