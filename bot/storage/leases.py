"""Rows of leases: who may send orders for an account. A higher epoch shuts out everyone with a lower one."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from bot.storage.schema import lease

_RAISE = update(lease).where(lease.c.account_id == bindparam("the_account"))
_EPOCH = select(lease.c.epoch).where(lease.c.account_id == bindparam("account_id"))


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
