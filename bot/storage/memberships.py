"""Rows of memberships: which signals each user is owed an answer to. An audit needs nobody's memory of it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from bot.domain.account import AccountRef, BrokerType
from bot.storage.schema import membership, signal
from bot.storage.signals import newest_sequence


def set_active(connection: Connection, active: Mapping[str, AccountRef]) -> None:
    """Open a membership for every active user (by label) that has none, and close those of all others.

    Who joins is owed the signals after the newest one; who leaves is owed those up to it.
    """
    newest = newest_sequence(connection)
    open_ones = {row.account_id for row in connection.execute(select(membership).where(_is_open()))}
    for label in open_ones - active.keys():
        query = update(membership).where(membership.c.account_id == label, _is_open())
        connection.execute(query.values(to_sequence=newest))
    for label in active.keys() - open_ones:
        broker = str(active[label].broker)
        connection.execute(insert(membership).values(account_id=label, broker=broker, from_sequence=newest))


def members_of(connection: Connection, broker: BrokerType, sequence: int) -> list[str]:
    """The labels of the users who are owed an answer to this signal."""
    query = (
        select(membership.c.account_id)
        .where(
            membership.c.broker == str(broker),
            membership.c.from_sequence < sequence,
            or_(membership.c.to_sequence.is_(None), membership.c.to_sequence >= sequence),
        )
        .order_by(membership.c.account_id)
    )
    return list(connection.execute(query).scalars())


def owed(connection: Connection) -> list[Row[Any]]:
    """Every pair of signal and user that must have an answer: the signal's columns and `user_account_id`."""
    covers = and_(
        membership.c.broker == signal.c.broker,
        membership.c.from_sequence < signal.c.sequence,
        or_(membership.c.to_sequence.is_(None), membership.c.to_sequence >= signal.c.sequence),
    )
    query = select(signal, membership.c.account_id.label("user_account_id")).join(membership, covers)
    return list(connection.execute(query.order_by(signal.c.sequence, membership.c.account_id)).all())


def _is_open() -> Any:
    return membership.c.to_sequence.is_(None)
