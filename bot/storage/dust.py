"""Rows of dust: what was left of a position when it became too small to be sold."""

from datetime import datetime

from sqlalchemy import Connection, insert

from bot.domain.position import Position
from bot.storage.positions import close_position
from bot.storage.schema import dust


def close_as_dust(connection: Connection, item: Position, *, now: datetime) -> None:
    """End a position whose rest nobody can sell; the coins stay where they are, and count for no exit any more."""
    connection.execute(
        insert(dust).values(
            account_id=item.account_id,
            symbol=item.symbol,
            quantity=item.quantity,
            average_entry_price=item.average_entry_price,
            signal_id=item.signal_id,
            closed_at=now,
        )
    )
    close_position(connection, item.account_id, item.symbol)
