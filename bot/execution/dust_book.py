"""The end of a position as dust: its row, its round trip and its exits, in one transaction."""

from datetime import datetime

from sqlalchemy import Connection

from bot.domain.position import Position
from bot.execution.trips import add_trip_to_dust
from bot.storage.dust import close_as_dust
from bot.storage.exit_states import forget_exit_state


def end_as_dust(
    connection: Connection, position: Position, *, now: datetime, reason: str, retry_at: datetime | None = None
) -> None:
    """`reason` says what is too small; `retry_at` when that is looked at again (None = by the account's settings)."""
    add_trip_to_dust(connection, position, now=now)
    close_as_dust(connection, position, now=now, reason=reason, retry_at=retry_at)
    forget_exit_state(connection, position.account_id, position.symbol)
