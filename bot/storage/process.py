"""The row of the running process, and what belongs to the installation as a whole."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from bot.storage.schema import meta, process_state

_ONLY_ROW = 1


def get_meta(connection: Connection, key: str) -> str | None:
    return connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()


def set_meta(connection: Connection, key: str, value: str) -> None:
    if not connection.execute(update(meta).where(meta.c.key == key).values(value=value)).rowcount:
        connection.execute(insert(meta).values(key=key, value=value))


def start_process(connection: Connection, *, pid: int, mode: str, now: datetime) -> None:
    connection.execute(delete(process_state))
    connection.execute(insert(process_state).values(id=_ONLY_ROW, pid=pid, mode=mode, started_at=now, heartbeat_at=now))


def beat(connection: Connection, *, now: datetime) -> None:
    connection.execute(update(process_state).values(heartbeat_at=now))


def end_process(connection: Connection, *, reason: str, now: datetime) -> None:
    connection.execute(update(process_state).values(ended_at=now, end_reason=reason, heartbeat_at=now))


def process_row(connection: Connection) -> Row[Any] | None:
    return connection.execute(select(process_state)).first()
