"""Rows of notifications: what people outside are told, one per message and channel, until it was told or given up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from bot.storage.schema import notification


class Telling(StrEnum):
    """What became of a row. Those that were told are the leading one of a message and those told with it."""

    WAITING = "waiting"
    SENT = "sent"
    GROUPED = "grouped"
    GIVEN_UP = "given_up"


TOLD = (Telling.SENT, Telling.GROUPED)


@dataclass(frozen=True, kw_only=True)
class Notification:
    """`cause` and `subject` as of an alert; `severity` is "over" when it tells that the cause has gone."""

    id: int
    cause: str
    subject: str
    severity: str
    text: str
    channel: str
    at: datetime
    due_at: datetime
    tries: int
    state: Telling
    ended_at: datetime | None
    problem: str


def add_notification(
    connection: Connection,
    *,
    cause: str,
    subject: str,
    severity: str,
    text: str,
    channels: Iterable[str],
    now: datetime,
) -> None:
    """A row for each channel, due at once."""
    row = {"cause": cause, "subject": subject, "severity": severity, "text": text, "at": now, "due_at": now}
    rows = [row | {"channel": channel, "tries": 0, "state": Telling.WAITING, "problem": ""} for channel in channels]
    if rows:
        connection.execute(insert(notification), rows)


def waiting_for(connection: Connection, channel: str, *, limit: int = 500) -> Sequence[Notification]:
    """What has not been told by a channel, oldest first; of more than `limit` what is critical is among them."""
    query = select(notification).where(notification.c.state == Telling.WAITING, notification.c.channel == channel)
    chosen = query.order_by(notification.c.severity != "critical", notification.c.id).limit(limit)
    return sorted(map(_of, connection.execute(chosen)), key=lambda row: row.id)


def told_since(connection: Connection, channel: str, since: datetime) -> Sequence[Notification]:
    """What a channel has told since then."""
    query = select(notification).where(
        notification.c.state.in_(TOLD), notification.c.channel == channel, notification.c.ended_at > since
    )
    return [_of(row) for row in connection.execute(query)]


def note_told(connection: Connection, leading: int, others: Sequence[int], *, now: datetime, problem: str = "") -> None:
    """One message told all of them; `problem`: who of several receivers did not get it."""
    for ids, state in (([leading], Telling.SENT), (list(others), Telling.GROUPED)):
        _change(connection, ids, state=state, ended_at=now, problem=problem, tries=notification.c.tries + 1)


def note_failed(connection: Connection, ids: Sequence[int], *, due_at: datetime, problem: str) -> None:
    """It could not be told; it is tried again."""
    _change(connection, ids, due_at=due_at, problem=problem, tries=notification.c.tries + 1)


def give_up(connection: Connection, ids: Sequence[int], *, now: datetime, problem: str) -> None:
    """It is not tried again."""
    _change(connection, ids, state=Telling.GIVEN_UP, ended_at=now, problem=problem)


def give_up_other_channels(connection: Connection, channels: Iterable[str], *, now: datetime, problem: str) -> int:
    """What waits for a channel that there is no more; returns how many."""
    query = update(notification).where(
        notification.c.state == Telling.WAITING, notification.c.channel.not_in(list(channels))
    )
    return connection.execute(query.values(state=Telling.GIVEN_UP, ended_at=now, problem=problem)).rowcount


def was_written(connection: Connection, cause: str, subject: str, *, since: datetime | None = None) -> bool:
    """Whether somebody is or was to be told of this, in a row at or after `since`."""
    query = select(notification.c.id).where(notification.c.cause == cause, notification.c.subject == subject)
    query = query if since is None else query.where(notification.c.at >= since)
    return connection.execute(query.limit(1)).first() is not None


def count_waiting(connection: Connection) -> int:
    """How many have not been told."""
    query = select(func.count()).select_from(notification).where(notification.c.state == Telling.WAITING)
    return int(connection.execute(query).scalar_one())


def latest_notifications(connection: Connection, *, limit: int) -> Sequence[Notification]:
    """Newest first."""
    return [
        _of(row) for row in connection.execute(select(notification).order_by(notification.c.id.desc()).limit(limit))
    ]


def _change(connection: Connection, ids: Sequence[int], **values: Any) -> None:
    if ids:
        connection.execute(
            update(notification)
            .where(notification.c.id.in_(list(ids)), notification.c.state == Telling.WAITING)
            .values(values)
        )


def _of(row: Row[Any]) -> Notification:
    return Notification(**{**row._asdict(), "state": Telling(row.state)})
