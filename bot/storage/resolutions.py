"""What a person says about an order whose outcome the venue does not tell, or contradicts."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from bot.storage.intents import OrderIntent, intent_of
from bot.storage.schema import order_event, order_intent

_MATCHES = 20


def orders_beginning_with(connection: Connection, beginning: str) -> Sequence[OrderIntent]:
    """Orders by the beginning of their id (hexadecimal digits), at most twenty."""
    query = (
        select(order_intent)
        # A range, not a pattern: the primary key finds it.
        .where(order_intent.c.client_order_id >= beginning, order_intent.c.client_order_id < beginning + "g")
        .order_by(order_intent.c.client_order_id)
        .limit(_MATCHES)
    )
    return [intent_of(row) for row in connection.execute(query)]


def record_resolution(
    connection: Connection, order: OrderIntent, *, resolution: str, by: str, reason: str, now: datetime
) -> None:
    """Write the word down beside the order, and that it was said; the account's own thread carries it out."""
    values = {"resolution": resolution, "resolved_by": by, "resolved_at": now}
    connection.execute(
        update(order_intent).where(order_intent.c.client_order_id == order.client_order_id).values(values)
    )
    detail = f"{by} says {resolution}" + (f": {reason}" if reason else "")
    event = {"old": str(order.state), "new": str(order.state), "detail": detail}
    connection.execute(insert(order_event).values(client_order_id=order.client_order_id, at=now, **event))
