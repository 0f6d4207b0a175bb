"""Rows of leases: who may send orders for an account. A higher epoch shuts out everyone with a lower one.

Where many processes share the database, `owner` is the process that holds the account, and only that process opens it;
it may be taken by another as soon as its owner is not among the living.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, update

from bot.storage.schema import lease

NOBODY = ""
# Bound values of one statement: servers have a limit.
AT_ONCE = 1000

_RAISE = update(lease).where(lease.c.account_id == bindparam("the_account"))
_EPOCH = select(lease.c.epoch).where(lease.c.account_id == bindparam("account_id"))
_OWNER = select(lease.c.owner).where(lease.c.account_id == bindparam("account_id"))
_OWNED = select(lease.c.account_id).where(lease.c.owner == bindparam("owner"))
_COUNTS = select(lease.c.owner, func.count()).group_by(lease.c.owner)


def take_lease(connection: Connection, account_id: str, *, owner: str, now: datetime) -> int:
    """Raise the account's epoch and return it: from the commit on, nothing is sent under an earlier one."""
    old = epoch_of(connection, account_id)
    if old is None:
        connection.execute(insert(lease).values(account_id=account_id, epoch=1, owner=owner, renewed_at=now))
        return 1
    connection.execute(_RAISE, {"the_account": account_id, "epoch": old + 1, "owner": owner, "renewed_at": now})
    return old + 1


def epoch_of(connection: Connection, account_id: str) -> int | None:
    """The epoch in force, or None when nobody ever opened the account."""
    return connection.execute(_EPOCH, {"account_id": account_id}).scalar()


# -- many processes -------------------------------------------------------------------------------------------------
def owner_of(connection: Connection, account_id: str) -> str | None:
    return connection.execute(_OWNER, {"account_id": account_id}).scalar()


def open_anew(connection: Connection, account_id: str, *, owner: str, now: datetime) -> int | None:
    """`take_lease` for an account that `owner` holds already; None when it does not."""
    if owner_of(connection, account_id) != owner:
        return None
    return take_lease(connection, account_id, owner=owner, now=now)


def prepare(connection: Connection, account_ids: Collection[str], *, now: datetime) -> None:
    """A row for each account that has none yet: it is there to be taken."""
    there = set(connection.execute(select(lease.c.account_id)).scalars())
    new = [label for label in account_ids if label not in there]
    if new:
        rows = [{"account_id": label, "epoch": 0, "owner": NOBODY, "renewed_at": now} for label in new]
        connection.execute(insert(lease), rows)


def owned_by(connection: Connection, owner: str) -> frozenset[str]:
    """The accounts that a process holds."""
    return frozenset(connection.execute(_OWNED, {"owner": owner}).scalars())


def counts(connection: Connection) -> Mapping[str, int]:
    """How many accounts each owner holds, dead owners and nobody (empty) among them."""
    return {owner: int(number) for owner, number in connection.execute(_COUNTS)}


def free_ones(connection: Connection, *, living: Collection[str]) -> Sequence[str]:
    """The accounts that nobody holds who lives."""
    query = select(lease.c.account_id).where(lease.c.owner.not_in(list(living))).order_by(lease.c.account_id)
    return connection.execute(query).scalars().all()


def take_all(connection: Connection, account_ids: Sequence[str], *, owner: str, now: datetime) -> None:
    """Hold these accounts, found free in this transaction; whoever held them before is shut out."""
    _hand_to(connection, account_ids, lease.c.account_id.is_not(None), owner=owner, now=now)


def release(connection: Connection, account_ids: Sequence[str], *, owner: str, now: datetime) -> None:
    """Let others have those of them that `owner` holds; nothing is sent under the epochs in force till now."""
    _hand_to(connection, account_ids, lease.c.owner == owner, owner=NOBODY, now=now)


def _hand_to(
    connection: Connection, account_ids: Sequence[str], only: ColumnElement[bool], *, owner: str, now: datetime
) -> None:
    for at in range(0, len(account_ids), AT_ONCE):
        chunk = list(account_ids[at : at + AT_ONCE])
        connection.execute(
            update(lease)
            .where(lease.c.account_id.in_(chunk), only)
            .values(epoch=lease.c.epoch + 1, owner=owner, renewed_at=now)
        )
