"""Rows of memberships: which signals each user is owed an answer to. An audit needs nobody's memory of it.

A membership of kind `all` is owed every signal of its brokerage that was made in its time. One of kind `exits_only`,
that of a user who does not copy any more and still holds copied positions, is owed the exits alone, of whatever
symbol: what it does not hold is answered with "nothing held". Neither is owed a signal from before it began.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, insert, or_, select, update

from bot.domain.account import AccountRef
from bot.domain.order import OrderKind
from bot.storage.schema import membership, signal
from bot.storage.signals import newest_sequence


class MembershipKind(StrEnum):
    """What a membership is owed."""

    ALL = "all"
    EXITS_ONLY = "exits_only"


def covers() -> Any:
    """The rule: the same brokerage, made after the membership's beginning and up to its end, and of its kind."""
    return and_(
        # Joined to nothing, so that no index by brokerage is taken: it would lead through all signals ever made.
        membership.c.broker == signal.c.broker.concat(""),
        membership.c.from_sequence < signal.c.sequence,
        or_(membership.c.to_sequence.is_(None), membership.c.to_sequence >= signal.c.sequence),
        or_(membership.c.kind == str(MembershipKind.ALL), signal.c.kind == str(OrderKind.EXIT)),
    )


# Written once: it is read for every signal.
_MEMBERS = (
    select(membership.c.account_id)
    .join(signal, covers())
    .where(signal.c.signal_id == bindparam("signal_id"))
    .order_by(membership.c.account_id)
)


def set_active(
    connection: Connection, active: Mapping[str, AccountRef], exits_only: Mapping[str, AccountRef] | None = None
) -> None:
    """Open a membership for every user (by label) that has none of its kind, and close those of all others.

    Who joins is owed the signals after the newest one; who leaves is owed those up to it.
    """
    newest = newest_sequence(connection)
    wanted = {(label, MembershipKind.EXITS_ONLY): user for label, user in (exits_only or {}).items()}
    wanted |= {(label, MembershipKind.ALL): user for label, user in active.items()}
    rows = connection.execute(select(membership).where(_is_open()))
    open_ones = {(row.account_id, MembershipKind(row.kind)) for row in rows}
    for label, kind in open_ones - wanted.keys():
        _close(connection, membership.c.account_id == label, membership.c.kind == str(kind), at=newest)
    for label, kind in wanted.keys() - open_ones:
        values = {"account_id": label, "broker": str(wanted[label, kind].broker), "kind": str(kind)}
        connection.execute(insert(membership).values(from_sequence=newest, **values))


def close_membership(connection: Connection, account_id: str) -> None:
    """The user is owed nothing that is signalled from now on."""
    _close(connection, membership.c.account_id == account_id, at=newest_sequence(connection))


def members_of(connection: Connection, signal_id: str) -> list[str]:
    """The labels of the users who are owed an answer to this signal."""
    return list(connection.execute(_MEMBERS, {"signal_id": signal_id}).scalars())


def owed(connection: Connection) -> list[Row[Any]]:
    """Every pair of signal and user that must have an answer: the signal's columns and `user_account_id`.

    A pair that is not in this list must have none: entries made after a user has left are nobody's debt.
    """
    query = select(signal, membership.c.account_id.label("user_account_id")).join(membership, covers())
    return list(connection.execute(query.order_by(signal.c.sequence, membership.c.account_id)).all())


def _close(connection: Connection, *whose: Any, at: int) -> None:
    connection.execute(update(membership).where(*whose, _is_open()).values(to_sequence=at))


def _is_open() -> Any:
    return membership.c.to_sequence.is_(None)
