"""Rows of the processes that share one database: who joined, who is heard of, who has gone.

A process is heard of until its `expires_at`, by the database's own clock. One that is not may be declared gone by any
other; after that it renews nothing any more, so what it held can be taken. Going is final: who comes back joins anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from bot.storage import instance_lease
from bot.storage.instance_lease import Holder, database_time, this_host
from bot.storage.schema import trading_process

# Rows of processes that ended longer ago are of no use to anybody.
KEPT = timedelta(days=30)
NOT_HEARD_OF = "not heard of any more"

_THERE = trading_process.c.ended_at.is_(None)
_MINE = trading_process.c.process_id == bindparam("mine")
_CHANGE = update(trading_process).where(_MINE, _THERE)
_EPOCH = select(trading_process.c.epoch).where(_MINE, _THERE)
_NEXT_EPOCH = select(func.coalesce(func.max(trading_process.c.epoch), 0) + 1)
_OPEN = select(trading_process).where(_THERE).order_by(trading_process.c.epoch)


@dataclass(frozen=True, kw_only=True)
class TradingProcess:
    """One process as its row says. `share`: how many accounts it takes at most; None = its part of all of them."""

    process_id: str
    epoch: int
    host: str
    pid: int
    accounts_sha256: str
    share: int | None
    started_at: datetime
    renewed_at: datetime
    expires_at: datetime
    takes_since: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str = ""

    @property
    def name(self) -> str:
        """`host/pid`."""
        return f"{self.host}/{self.pid}"

    def as_holder(self) -> Holder:
        """As whoever waits for it is told of it."""
        return Holder(
            epoch=self.epoch,
            owner=self.process_id,
            host=self.host,
            pid=self.pid,
            acquired_at=self.started_at,
            renewed_at=self.renewed_at,
            expires_at=self.expires_at,
        )

    def lives(self, moment: datetime) -> bool:
        """Whether it counts at this moment of the database's clock."""
        return self.ended_at is None and moment < self.expires_at


def join(
    connection: Connection,
    *,
    process_id: str,
    pid: int,
    accounts_sha256: str,
    share: int | None,
    lease_seconds: float,
    now: datetime,
) -> TradingProcess | None:
    """Become one of the processes of this database; None while a process works with it alone.

    In a writing transaction. Whoever worked alone before and was not heard of is shut out by it.
    """
    # Taken and given back at once: the epoch rises, and with it everybody is shut out who held the database alone.
    alone = instance_lease.take(connection, owner=process_id, pid=pid, lease_seconds=lease_seconds, now=now)
    if alone is None:
        return None
    instance_lease.give_back(connection, epoch=alone.epoch, now=now)
    moment = database_time(connection, now=now)
    connection.execute(delete(trading_process).where(trading_process.c.ended_at < moment - KEPT))
    mine = TradingProcess(
        process_id=process_id,
        epoch=connection.execute(_NEXT_EPOCH).scalar_one(),
        host=this_host(),
        pid=pid,
        accounts_sha256=accounts_sha256,
        share=share,
        started_at=moment,
        renewed_at=moment,
        expires_at=moment + timedelta(seconds=lease_seconds),
    )
    connection.execute(insert(trading_process).values(**vars(mine)))
    return mine


def renew(connection: Connection, process_id: str, *, lease_seconds: float, now: datetime) -> bool:
    """Be heard of for another while; False when this process was declared gone."""
    moment = database_time(connection, now=now)
    values = {"renewed_at": moment, "expires_at": moment + timedelta(seconds=lease_seconds)}
    return bool(connection.execute(_CHANGE, {"mine": process_id, **values}).rowcount)


def set_taking(connection: Connection, process_id: str, *, takes: bool, now: datetime) -> None:
    """From here on it takes accounts; or it takes none any more, because it ends."""
    moment = database_time(connection, now=now) if takes else None
    connection.execute(_CHANGE, {"mine": process_id, "takes_since": moment})


def leave(connection: Connection, process_id: str, *, reason: str, now: datetime) -> None:
    """What it held may be taken at once. Nothing may be sent by it any more."""
    moment = database_time(connection, now=now)
    connection.execute(_CHANGE, {"mine": process_id, "ended_at": moment, "takes_since": None, "end_reason": reason})


def epoch_of(connection: Connection, process_id: str) -> int | None:
    """Its place in the order of joining; None when it was declared gone."""
    return connection.execute(_EPOCH, {"mine": process_id}).scalar()


def not_ended(connection: Connection) -> Sequence[TradingProcess]:
    """Those that have neither left nor been declared gone, in the order of joining."""
    return [_process_of(row) for row in connection.execute(_OPEN)]


def living(connection: Connection, *, now: datetime) -> Sequence[TradingProcess]:
    """Those that are heard of, in the order of joining."""
    moment = database_time(connection, now=now)
    return [each for each in not_ended(connection) if each.lives(moment)]


def declare_gone(connection: Connection, *, now: datetime) -> Sequence[TradingProcess]:
    """Shut out who was not heard of in time; returns them. In a writing transaction.

    Who has renewed its lease in this very moment, which needs no turn among the writers, is not among them: after this
    everyone who has not ended lives.
    """
    moment = database_time(connection, now=now)
    late = [each for each in not_ended(connection) if not each.lives(moment)]
    return [each for each in late if _end_if_late(connection, each, moment)]


def _end_if_late(connection: Connection, one: TradingProcess, moment: datetime) -> bool:
    late = _CHANGE.where(trading_process.c.expires_at <= moment)
    values = {"ended_at": moment, "takes_since": None, "end_reason": NOT_HEARD_OF}
    return bool(connection.execute(late, {"mine": one.process_id, **values}).rowcount)


def latest(connection: Connection, *, ended: int) -> Sequence[TradingProcess]:
    """Those that have not ended, and so many of those that have, the newest first."""
    query = select(trading_process).where(~_THERE).order_by(trading_process.c.epoch.desc()).limit(ended)
    rows = [_process_of(row) for row in connection.execute(query)]
    return sorted([*not_ended(connection), *rows], key=lambda each: -each.epoch)


def _process_of(row: "Row[tuple[object, ...]]") -> TradingProcess:
    return TradingProcess(**row._mapping)
