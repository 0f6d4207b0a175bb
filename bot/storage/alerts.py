"""Rows of alerts: what a person should know of, from when it begins until it has cleared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from bot.storage.schema import alert


@dataclass(frozen=True)
class AlertNow:
    """A cause that holds now. `subject` is the account, order or market that it is about; "" = the whole."""

    cause: str
    subject: str
    severity: str
    text: str

    @property
    def key(self) -> tuple[str, str]:
        return (self.cause, self.subject)


def open_alerts(connection: Connection) -> Mapping[tuple[str, str], Row[Any]]:
    """Those that have not cleared, by cause and subject."""
    rows = connection.execute(select(alert).where(alert.c.cleared_at.is_(None))).all()
    return {(row.cause, row.subject): row for row in rows}


def latest_alerts(connection: Connection, *, limit: int) -> Sequence[Row[Any]]:
    """Those that are open first, then the newest of those that are over."""
    query = select(alert).order_by(alert.c.cleared_at.is_not(None), alert.c.id.desc()).limit(limit)
    return connection.execute(query).all()


def begin_alert(connection: Connection, one: AlertNow, *, now: datetime) -> None:
    connection.execute(
        insert(alert).values(
            cause=one.cause,
            subject=one.subject,
            severity=one.severity,
            text=one.text,
            since=now,
            last_at=now,
            count=1,
            acked_by="",
        )
    )


def renew_alert(connection: Connection, alert_id: int, one: AlertNow, *, now: datetime) -> None:
    """It goes on, and says something else than before."""
    connection.execute(
        update(alert)
        .where(alert.c.id == alert_id)
        .values(text=one.text, severity=one.severity, last_at=now, count=alert.c.count + 1)
    )


def clear_alerts(connection: Connection, ids: Sequence[int], *, now: datetime) -> None:
    connection.execute(update(alert).where(alert.c.id.in_(list(ids))).values(cleared_at=now))


def acknowledge(connection: Connection, alert_id: int, *, by: str, now: datetime) -> bool:
    """Somebody has seen it; False when it is over, or there is none."""
    query = update(alert).where(alert.c.id == alert_id, alert.c.cleared_at.is_(None))
    return connection.execute(query.values(acked_by=by, acked_at=now)).rowcount > 0
