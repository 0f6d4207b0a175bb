"""What an account was worth over time, as a line to be drawn: times and equities alone."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, bindparam, select

from bot.storage.book_entries import EVER, NEVER
from bot.storage.schema import equity_point
from bot.storage.streaming import stream

_LINE = (
    select(equity_point.c.at, equity_point.c.equity)
    .where(
        equity_point.c.account_id == bindparam("account_id"),
        equity_point.c.at >= bindparam("since"),
        equity_point.c.at <= bindparam("until"),
    )
    .order_by(equity_point.c.at, equity_point.c.id)
)


def equity_line_of(
    connection: Connection, account_id: str, *, since: datetime | None = None, until: datetime | None = None
) -> list[tuple[datetime, Decimal]]:
    """Oldest first, from `since` to `until`, both with them; None = no bound."""
    keys = {"account_id": account_id, "since": since or EVER, "until": until or NEVER}
    return [(row.at, row.equity) for row in stream(connection, _LINE, keys)]
