"""Round trips: what a position has cost and brought from its first lot to its last, told by its fills."""

import logging
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from bot.domain.fill import Fill
from bot.domain.order import Side
from bot.domain.position import Position
from bot.domain.symbol import base_of, quote_of
from bot.execution.position_math import received_quantity
from bot.storage.fills import fills_of_position
from bot.storage.intents import OrderIntent, find_by_venue_order
from bot.storage.round_trips import RoundTrip, add_round_trip

log = logging.getLogger(__name__)

# What ended a position when it was no rule of its own.
BY_HAND = "by_hand"
MASTER_EXIT = "master_exit"


def add_trip(connection: Connection, position: Position, closing: Sequence[Fill], intent: OrderIntent | None) -> None:
    """The position as it was before the sales that ended it, all of one order. In the transaction of their booking.

    Older rows that make no sense cost the trip, never the booking.
    """
    try:
        _add_trip(connection, position, closing, intent)
    except (ValueError, ArithmeticError):
        log.exception("%s: the round trip in %s cannot be worked out", position.account_id, position.symbol)


def _add_trip(connection: Connection, position: Position, closing: Sequence[Fill], intent: OrderIntent | None) -> None:
    quantity = sum((fill.quantity for fill in closing), Decimal(0))
    # Coins beyond the lots that were sold with them, at the order's average price.
    beyond = max(Decimal(0), quantity - position.quantity)
    notional = sum((fill.notional for fill in closing), Decimal(0)) * beyond / quantity
    trip = _trip(position, fills_of_position(connection, position), beyond=beyond, beyond_quote=notional)
    _add(connection, trip, closed_at=closing[-1].executed_at, exit_rule=exit_rule_of(intent))


def add_trip_to_dust(connection: Connection, position: Position, *, now: datetime) -> None:
    """A position whose rest cannot be sold: a trip of what was sold of it, if anything was."""
    try:
        fills = fills_of_position(connection, position)
        sales = [fill for fill in fills if fill.side is Side.SELL]
        if sales:
            last = find_by_venue_order(connection, position.account_id, sales[-1].venue_order_id)
            _add(connection, _trip(position, fills), closed_at=now, exit_rule=exit_rule_of(last))
    except (ValueError, ArithmeticError):
        log.exception("%s: the round trip in %s cannot be worked out", position.account_id, position.symbol)


def exit_rule_of(intent: OrderIntent | None) -> str:
    """The word for what sold: the first word of an own decision (`hard_stop: …`, `flatten #3 …`)."""
    if intent is None:
        return BY_HAND
    if intent.signal_id is not None:
        return MASTER_EXIT
    return intent.decision.partition(" ")[0].rstrip(":")


def _add(connection: Connection, trip: dict[str, Any], *, closed_at: datetime, exit_rule: str) -> None:
    add_round_trip(connection, RoundTrip(closed_at=closed_at, exit_rule=exit_rule, **trip))


def _trip(
    position: Position,
    fills: Sequence[Fill],
    *,
    beyond: Decimal = Decimal(0),
    beyond_quote: Decimal = Decimal(0),
) -> dict[str, Any]:
    """As columns of a trip. `beyond` of what was sold was none of the lots.

    Lots without a purchase in the ledger (dust that came back) and purchases whose lots have gone (dust, a shortfall)
    count at the average entry price: the trip has as much bought as sold.
    """
    buys = [(received_quantity(fill), fill.price) for fill in fills if fill.side is Side.BUY]
    sales = [fill for fill in fills if fill.side is Side.SELL]
    bought = sum((quantity for quantity, _ in buys), Decimal(0))
    paid = sum((quantity * price for quantity, price in buys), Decimal(0))
    sold = sum((fill.quantity for fill in sales), -beyond)
    brought = sum((fill.notional for fill in sales), -beyond_quote)
    unmatched = sold - bought
    return {
        "account_id": position.account_id,
        "symbol": position.symbol,
        "opened_at": position.opened_at,
        "bought_quantity": sold,
        "bought_quote": paid + unmatched * position.average_entry_price,
        "sold_quote": brought,
        "fees_quote": _fees(fills),
        "signal_id": position.signal_id,
    }


def _fees(fills: Sequence[Fill]) -> Decimal | None:
    """In quote units; None where one was taken in a third currency."""
    total = Decimal(0)
    for fill in fills:
        if fill.fee == 0:
            continue
        if fill.fee_currency not in (base_of(fill.symbol), quote_of(fill.symbol)):
            return None
        total += fill.fee if fill.fee_currency == quote_of(fill.symbol) else fill.fee * fill.price
    return total
