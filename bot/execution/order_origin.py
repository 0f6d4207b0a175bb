"""Whose order an order at the venue is."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from bot.domain.account import AccountRef
from bot.domain.money import plain
from bot.domain.order import VenueOrder
from bot.storage.intents import OrderIntent, find_intent

CLIENT_ID_LENGTH = 32


class Origin(StrEnum):
    OURS = "ours"  # our tag, and written down
    ORPHAN = "orphan"  # our tag, and the books do not know it: an older copy of the database, or a second order
    FOREIGN = "foreign"  # somebody else's: never touched


@dataclass(frozen=True)
class OrderOrigin:
    """`intent` is what was written down of an order of ours; `why` says in words what is wrong with an orphan."""

    origin: Origin
    intent: OrderIntent | None = None
    why: str = ""


def origin_of(connection: Connection, account: AccountRef, order: VenueOrder, *, tag: str) -> OrderOrigin:
    """Ours are told by the tag of this installation in their client order id (`bot.seams.ids.order_tag`)."""
    client_order_id = order.client_order_id or ""
    if len(client_order_id) != CLIENT_ID_LENGTH or not client_order_id.startswith(tag):
        return OrderOrigin(Origin.FOREIGN)
    intent = find_intent(connection, client_order_id)
    if intent is None:
        return OrderOrigin(Origin.ORPHAN, why="the books do not know it")
    if intent.account_id != account.label:
        return OrderOrigin(Origin.ORPHAN, why=f"the books know it as one of {intent.account_id}")
    if intent.venue_order_id not in (None, order.venue_order_id):
        return OrderOrigin(Origin.ORPHAN, why=f"it has the client order id of order {intent.venue_order_id}")
    return OrderOrigin(Origin.OURS, intent)


def in_words(order: VenueOrder) -> str:
    """`buy 0.5 BTC/USD (order OABC, ours by its id 1f2e…)` for a sentence."""
    return (
        f"{order.side} {plain(order.quantity)} {order.symbol} (order {order.venue_order_id}, client id "
        f"{order.client_order_id})"
    )
