"""Rows of dust: what was left of a position when it became too small to be sold, and when that is looked at again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from bot.domain.position import Position
from bot.storage.positions import close_position
from bot.storage.schema import dust


@dataclass(frozen=True, kw_only=True)
class Dust:
    """One rest (base units, quote per base). `retry_at` is None until the account's thread has seen it once."""

    id: int
    account_id: str
    symbol: str
    quantity: Decimal
    average_entry_price: Decimal
    signal_id: str | None
    closed_at: datetime
    reason: str
    retry_at: datetime | None


def close_as_dust(
    connection: Connection, item: Position, *, now: datetime, reason: str = "", retry_at: datetime | None = None
) -> None:
    """End a position whose rest nobody can sell; the coins stay where they are, and count for no exit meanwhile."""
    connection.execute(
        insert(dust).values(
            account_id=item.account_id,
            symbol=item.symbol,
            quantity=item.quantity,
            average_entry_price=item.average_entry_price,
            signal_id=item.signal_id,
            closed_at=now,
            reason=reason,
            retry_at=retry_at,
        )
    )
    close_position(connection, item.account_id, item.symbol)


def dust_of(connection: Connection, account_id: str, *, symbol: str | None = None) -> Sequence[Dust]:
    """What has not become a position again, oldest first; of one market or of all."""
    query = select(dust).where(dust.c.account_id == account_id, dust.c.reopened_at.is_(None)).order_by(dust.c.id)
    if symbol is not None:
        query = query.where(dust.c.symbol == symbol)
    return [_dust(row) for row in connection.execute(query)]


def due_dust(connection: Connection, account_id: str, *, now: datetime) -> Sequence[Dust]:
    """What is to be looked at now, or was never given a time for that, oldest first."""
    query = select(dust).where(
        dust.c.account_id == account_id,
        dust.c.reopened_at.is_(None),
        or_(dust.c.retry_at.is_(None), dust.c.retry_at <= now),
    )
    return [_dust(row) for row in connection.execute(query.order_by(dust.c.id))]


def schedule_dust(connection: Connection, items: Collection[Dust], *, after: timedelta) -> None:
    """Give those without a time one: so long after they were closed."""
    for item in items:
        if item.retry_at is None:
            connection.execute(update(dust).where(dust.c.id == item.id).values(retry_at=item.closed_at + after))


def postpone_dust(connection: Connection, items: Collection[Dust], *, until: datetime, reason: str) -> None:
    """It was looked at, and cannot be sold yet."""
    ids = [item.id for item in items]
    connection.execute(update(dust).where(dust.c.id.in_(ids)).values(retry_at=until, reason=reason))


def mark_reopened(connection: Connection, items: Collection[Dust], *, now: datetime) -> None:
    """It is part of a position again."""
    ids = [item.id for item in items]
    connection.execute(update(dust).where(dust.c.id.in_(ids)).values(reopened_at=now))


def _dust(row: Row[Any]) -> Dust:
    return Dust(
        id=row.id,
        account_id=row.account_id,
        symbol=row.symbol,
        quantity=row.quantity,
        average_entry_price=row.average_entry_price,
        signal_id=row.signal_id,
        closed_at=row.closed_at,
        reason=row.reason,
        retry_at=row.retry_at,
    )
