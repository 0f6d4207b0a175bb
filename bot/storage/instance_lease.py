"""The row that says which process works with this database, and until when by the database's own clock.

One row, one epoch, three rules: who takes the lease raises the epoch; nobody takes it before it has run out or was
given back; nobody sends under an epoch that is not in the row. On SQLite the lock on the state directory proves that
an earlier owner is gone, so there its lease need not run out.
"""

import platform
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, insert, select, update

from bot.storage.schema import instance_lease

_ONLY_ROW = 1
_EPOCH = select(instance_lease.c.epoch)
_RENEW = update(instance_lease).where(instance_lease.c.epoch == bindparam("mine"))


@dataclass(frozen=True)
class Holder:
    """The process that took the lease last, and until when nobody else may."""

    epoch: int
    owner: str
    host: str
    pid: int
    acquired_at: datetime
    renewed_at: datetime
    expires_at: datetime

    def __str__(self) -> str:
        return f"{self.host}/{self.pid} until {self.expires_at:%H:%M:%S} UTC"


def this_host() -> str:
    return platform.node() or "unknown host"


def database_time(connection: Connection, *, now: datetime) -> datetime:
    """The clock that all processes on this database share: PostgreSQL's own, or this machine's (`now`)."""
    if connection.dialect.name == "sqlite":
        return now
    moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return moment


def holder_of(connection: Connection) -> Holder | None:
    """Who has the lease or had it last; None = nobody ever."""
    row = connection.execute(select(instance_lease)).first()
    if row is None:
        return None
    return Holder(row.epoch, row.owner, row.host, row.pid, row.acquired_at, row.renewed_at, row.expires_at)


def epoch_of(connection: Connection) -> int | None:
    """The epoch in force; None = nobody ever took the lease."""
    return connection.execute(_EPOCH).scalar()


def take(
    connection: Connection, *, owner: str, pid: int, lease_seconds: float, now: datetime, owner_is_gone: bool = False
) -> Holder | None:
    """Take the lease and return it with its new epoch; None while another process has it.

    In a writing transaction, which no other can come between. `owner_is_gone`: it need not have run out.
    """
    moment = database_time(connection, now=now)
    old = holder_of(connection)
    if old is not None and not owner_is_gone and moment < old.expires_at:
        return None
    mine = Holder(
        epoch=1 if old is None else old.epoch + 1,
        owner=owner,
        host=this_host(),
        pid=pid,
        acquired_at=moment,
        renewed_at=moment,
        expires_at=moment + timedelta(seconds=lease_seconds),
    )
    statement = insert(instance_lease) if old is None else update(instance_lease)
    connection.execute(statement.values(id=_ONLY_ROW, **vars(mine)))
    return mine


def renew(connection: Connection, *, epoch: int, lease_seconds: float, now: datetime) -> bool:
    """Hold it for another while; False when another process has taken it."""
    moment = database_time(connection, now=now)
    values = {"mine": epoch, "renewed_at": moment, "expires_at": moment + timedelta(seconds=lease_seconds)}
    return bool(connection.execute(_RENEW, values).rowcount)


def give_back(connection: Connection, *, epoch: int, now: datetime) -> None:
    """Let another process take it at once. Nothing may be sent under this epoch any more."""
    moment = database_time(connection, now=now)
    connection.execute(_RENEW, {"mine": epoch, "expires_at": moment})
