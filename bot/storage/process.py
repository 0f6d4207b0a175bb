"""The row of the running process, and what belongs to the installation as a whole."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from bot.seams.clock import format_time, parse_time
from bot.storage.schema import meta, process_state

_ONLY_ROW = 1

# Keys of `meta`.
INSTALL_ID = "install_id"
STARTS = "starts"
RUN_STATE = "run_state"
RESTORED_AT = "restored_at"

# Values of `run_state`.
RUNNING = "running"
CLEAN = "clean"
CRASHED = "crashed"

_META = select(meta.c.value).where(meta.c.key == bindparam("key"))


def get_meta(connection: Connection, key: str) -> str | None:
    return connection.execute(_META, {"key": key}).scalar()


def set_meta(connection: Connection, key: str, value: str) -> None:
    if not connection.execute(update(meta).where(meta.c.key == key).values(value=value)).rowcount:
        connection.execute(insert(meta).values(key=key, value=value))


def count_start(connection: Connection, *, alone: bool = True) -> bool:
    """Count one more start. True when the run before it did not end cleanly; then `run_state` is `crashed` by now.

    Beside other processes that run now (not `alone`) nothing is known of an earlier run.
    """
    set_meta(connection, STARTS, str(int(get_meta(connection, STARTS) or 0) + 1))
    crashed = alone and get_meta(connection, RUN_STATE) == RUNNING
    if crashed:
        set_meta(connection, RUN_STATE, CRASHED)
    return crashed


def set_restored(connection: Connection, *, now: datetime) -> None:
    """Remember that rows from before `now` are missing: the database is an older copy of itself."""
    set_meta(connection, RESTORED_AT, format_time(now))


def restored_at(connection: Connection) -> datetime | None:
    """When the bot last found itself on an older copy of its database; None = never.

    Whatever was decided before then may have been sent already by the part that is lost.
    """
    known = get_meta(connection, RESTORED_AT)
    return None if known is None else parse_time(known)


def start_process(connection: Connection, *, pid: int, mode: str, now: datetime) -> None:
    connection.execute(delete(process_state))
    connection.execute(insert(process_state).values(id=_ONLY_ROW, pid=pid, mode=mode, started_at=now, heartbeat_at=now))
    set_meta(connection, RUN_STATE, RUNNING)


def beat(connection: Connection, *, now: datetime) -> None:
    connection.execute(update(process_state).values(heartbeat_at=now))


def end_process(connection: Connection, *, reason: str, now: datetime, clean: bool = True) -> None:
    """Write how the run ended. One that left threads behind is not `clean`, though it ended by itself."""
    connection.execute(update(process_state).values(ended_at=now, end_reason=reason, heartbeat_at=now))
    set_meta(connection, RUN_STATE, CLEAN if clean else CRASHED)


def process_row(connection: Connection) -> Row[Any] | None:
    return connection.execute(select(process_state)).first()
