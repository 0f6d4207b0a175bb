"""Positions with the distance to each exit, exits that are owed, and what is too small to be sold."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from bot.console.answers import Asked
from bot.console.query_words import wanted_account
from bot.diagnostics.debts import read_debts
from bot.diagnostics.held_positions import nearest_first, read_positions
from bot.diagnostics.row_fields import fields_of, with_age
from bot.storage.schema import dust


def positions(asked: Asked) -> dict[str, Any]:
    """All, or those of `?account=`; whoever is nearest to an exit comes first."""
    with asked.context.read() as connection:
        account_id = wanted_account(connection, asked.query)
        return {"positions": nearest_first(read_positions(connection, asked.context.now(), account_id))}


def debts(asked: Asked) -> dict[str, Any]:
    """Exits that are owed and not done, and orders of one's own that are on their way."""
    now = asked.context.now()
    with asked.context.read() as connection:
        seen = read_debts(connection, now)
    return {"debts": list(seen.debts), "own_exits": list(seen.own)}


def too_small(asked: Asked) -> dict[str, Any]:
    """What is left of positions and cannot be sold, and when that is looked at again."""
    now = asked.context.now()
    names = ("account_id", "symbol", "quantity", "average_entry_price", "closed_at", "reason", "retry_at")
    query = select(dust).where(dust.c.reopened_at.is_(None)).order_by(dust.c.id.desc()).limit(500)
    with asked.context.read() as connection:
        rows: Sequence[Any] = connection.execute(query).all()
    return {"dust": [with_age(fields_of(row, names), row.closed_at, now) for row in rows]}
