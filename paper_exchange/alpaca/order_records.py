"""Orders as Alpaca shows them: amounts are text or null, times RFC 3339 in UTC."""

from __future__ import annotations

from paper_exchange.alpaca.context import Venue
from paper_exchange.alpaca.instruments import ASSET_CLASS, asset_id
from paper_exchange.alpaca.numbers import AVERAGE_DIGITS, text, text_or_none
from paper_exchange.alpaca.order_terms import DAY, Terms
from paper_exchange.clock import rfc3339
from paper_exchange.orders import CloseReason, Order, OrderStatus

FINAL_STATUSES = {
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELED: "canceled",
    OrderStatus.EXPIRED: "expired",
}


def render_order(venue: Venue, order: Order, now_ns: int) -> dict[str, object]:
    """The order as it stands, at ``now_ns``."""
    terms = Terms.of(order.new)
    stock = order.symbol.partition("/")[0]
    return {
        "id": order.order_id,
        "client_order_id": order.client_order_id,
        **_times(venue, order, terms, now_ns),
        "replaced_by": venue.client_orders.replacement_of(order),
        "replaces": terms.replaces,
        "asset_id": asset_id(stock),
        "symbol": stock,
        "asset_class": ASSET_CLASS,
        "notional": terms.notional,
        "qty": None if terms.notional is not None else text_or_none(order.quantity),
        "filled_qty": text(order.filled_quantity),
        "filled_avg_price": _average(order),
        "order_class": "",
        "order_type": terms.kind,
        "type": terms.kind,
        "side": order.side.value,
        "position_intent": f"{order.side.value}_to_{'open' if order.side.value == 'buy' else 'close'}",
        "time_in_force": terms.time_in_force,
        # The limit that a buy stop gets once it triggers is not the client's.
        "limit_price": text_or_none(order.limit_price) if terms.kind in ("limit", "stop_limit") else None,
        "stop_price": text_or_none(order.trigger_price),
        "status": status_of(venue, order),
        "extended_hours": terms.extended_hours,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "subtag": None,
        "source": None,
    }


def status_of(venue: Venue, order: Order) -> str:
    """An order that came outside the session is ``accepted`` until the opening."""
    if order.close_reason == CloseReason.REPLACED:
        return "replaced"
    if not order.is_live:
        return FINAL_STATUSES[order.status]
    if order.filled_quantity:
        return "partially_filled"
    waits = order.status is OrderStatus.PENDING
    return "accepted" if waits and (order.trigger_price is None or venue.exchange.market.closed) else "new"


def _times(venue: Venue, order: Order, terms: Terms, now_ns: int) -> dict[str, str | None]:
    created, closed_ns = rfc3339(order.opened_at_ns), order.closed_at_ns
    last_fill_ns = venue.exchange.engine.trade(order.trades[-1]).time_ns if order.trades else None
    updated_ns = max(time_ns for time_ns in (order.opened_at_ns, closed_ns, last_fill_ns) if time_ns is not None)
    status = status_of(venue, order)
    expires = terms.time_in_force == DAY and order.is_live
    return {
        "created_at": created,
        "updated_at": rfc3339(updated_ns),
        "submitted_at": created,
        "filled_at": _time(last_fill_ns) if status == "filled" else None,
        "expired_at": _time(closed_ns) if status == "expired" else None,
        "expires_at": rfc3339(venue.exchange.session.next_close(now_ns)) if expires else None,
        "canceled_at": _time(closed_ns) if status == "canceled" else None,
        "failed_at": None,
        "replaced_at": _time(closed_ns) if status == "replaced" else None,
    }


def _time(time_ns: int | None) -> str | None:
    return None if time_ns is None else rfc3339(time_ns)


def _average(order: Order) -> str | None:
    average = order.average_price
    return None if average is None else text(average.quantize(AVERAGE_DIGITS))
