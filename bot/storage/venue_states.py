"""How each venue stands for the whole process: one row a venue, as its gate last said."""

from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from bot.storage.schema import venue_state


def note_venue(
    connection: Connection, broker: str, *, breaker: str, reason: str, since: datetime, stopped_until: datetime | None
) -> None:
    """Write down what has changed; what was there before is replaced."""
    values = {"breaker": breaker, "reason": reason, "since": since, "stopped_until": stopped_until}
    known = connection.execute(select(venue_state.c.broker).where(venue_state.c.broker == broker)).first()
    if known is None:
        connection.execute(insert(venue_state).values(broker=broker, **values))
    else:
        connection.execute(update(venue_state).where(venue_state.c.broker == broker).values(**values))
