"""Whose account each of our accounts is at its brokerage: pinned when its key is first used."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from bot.storage.schema import account, fill


@dataclass(frozen=True)
class Pin:
    """What an account's key opened when it was first used, and when that was."""

    identity: str
    at: datetime


def pin_of(connection: Connection, account_id: str) -> Pin | None:
    """None before the first use, and after a person has accepted another account."""
    query = select(account.c.venue_identity, account.c.identity_pinned_at).where(account.c.account_id == account_id)
    row = connection.execute(query).one()
    return None if row.venue_identity is None else Pin(row.venue_identity, row.identity_pinned_at)


def pinned_by(
    connection: Connection, identity: str, *, broker: str, besides: str, among: Collection[str]
) -> str | None:
    """Which other account of a brokerage has this identity; only `among` these account ids."""
    query = (
        select(account.c.account_id)
        .where(account.c.broker == broker, account.c.venue_identity == identity, account.c.account_id != besides)
        .order_by(account.c.account_id)
    )
    return next((found for (found,) in connection.execute(query) if found in among), None)


def pin(connection: Connection, account_id: str, identity: str, *, at: datetime) -> None:
    """From now on a key of this account must open this one."""
    values = {"venue_identity": identity, "identity_pinned_at": at}
    connection.execute(update(account).where(account.c.account_id == account_id).values(values))


def unpin(connection: Connection, account_id: str, *, word: str) -> None:
    """The account that the next key opens is the right one, says `word`."""
    values = {"venue_identity": None, "identity_pinned_at": None, "identity_word": word}
    connection.execute(update(account).where(account.c.account_id == account_id).values(values))


def is_known(connection: Connection, account_id: str) -> bool:
    """Whether an account of this id was ever seen here."""
    return (
        connection.execute(select(account.c.account_id).where(account.c.account_id == account_id)).first() is not None
    )


def traded_orders(connection: Connection, account_id: str, *, limit: int) -> Sequence[str]:
    """The brokerage's ids of the orders that traded last on the account: it shows them for good."""
    query = (
        select(fill.c.venue_order_id)
        .where(fill.c.account_id == account_id)
        .group_by(fill.c.venue_order_id)
        .order_by(func.max(fill.c.executed_at).desc())
        .limit(limit)
    )
    return list(connection.execute(query).scalars())
