"""Reading the store without disturbing the bot, and knowing whether the bot runs."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import SQLAlchemyError

from bot.seams.clock import SystemClock
from bot.settings import Settings
from bot.storage import instance_lease, migrations, process, processes
from bot.storage.instance_lease import Holder
from bot.storage.place import database_url, describe, is_a_file
from bot.storage.process import process_row
from bot.storage.processes import TradingProcess
from bot.storage.store import open_engine

# The bot beats every second; a store under load may be late.
BEAT_LIMIT = timedelta(seconds=15)
BUSY_SECONDS = 5.0


class NoStore(Exception):
    """There is nothing to read yet. The message says what to run."""


@dataclass(frozen=True)
class BotState:
    """Whether the bot runs, in which mode, and as of when the store speaks."""

    running: bool
    mode: str
    started_at: datetime | None
    last_seen_at: datetime | None
    sentence: str


@contextmanager
def read_store(settings: Settings) -> Iterator[Connection]:
    """A read-only connection that sees one state of the store. Raises `NoStore` when there is none to be read."""
    url = database_url(settings)
    name = describe(url)
    engine = _open_file(Path(name)) if is_a_file(url) else open_engine(url, writer=False)
    try:
        with engine.connect() as connection:
            if is_a_file(url):
                # All that follows is read from the same moment.
                connection.exec_driver_sql("BEGIN")
            check_version(connection, name)
            yield connection
    except SQLAlchemyError as error:
        raise NoStore(f"{name} cannot be read: {error.__cause__ or error}") from error
    finally:
        engine.dispose()


def refuse_missing(path: Path) -> None:
    """Raises `NoStore` when there is no such file: a command makes no database."""
    if not path.is_file():
        raise NoStore(f"NIJA has not run yet: there is no {path}. Start it with ./start.sh")


def check_version(connection: Connection, name: str) -> None:
    """Raises `NoStore` for a database whose tables are those of another version: its rows could be misread."""
    found, wanted = migrations.revision_of(connection), migrations.head()
    if found == wanted:
        return
    if found is None:
        raise NoStore(f"{name} has no tables of NIJA yet. Start it with ./start.sh")
    older = migrations.is_known(found)
    advice = "Start NIJA once; it brings the database up to date" if older else "Use the version of NIJA that wrote it"
    raise NoStore(
        f"{name} is of {'an older' if older else 'a newer'} version (its schema is {found}, this program reads "
        f"{wanted}). {advice}"
    )


def _open_file(path: Path) -> Engine:
    refuse_missing(path)
    return create_engine("sqlite://", creator=lambda: _open_read_only(path), poolclass=NullPool)


def _open_read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def bot_state(connection: Connection, *, now: datetime) -> BotState:
    """From the process row: a bot runs if it has not ended, beats, and its process is there."""
    row = process_row(connection)
    many = processes.living(connection, now=now)
    if many:
        return _state_of_many(many, process.get_meta(connection, "mode") or "")
    if row is None:
        return BotState(False, "", None, None, "NIJA has not run yet. Start it with ./start.sh")
    age = now - row.heartbeat_at
    if row.ended_at is not None:
        sentence = f"NIJA is not running: it stopped {describe_age(now - row.ended_at)} ago ({row.end_reason})"
    elif not _alive(row.pid, instance_lease.holder_of(connection)):
        sentence = f"NIJA is not running: its process ended without a word, last seen {describe_age(age)} ago"
    elif abs(age) > BEAT_LIMIT:
        sentence = f"NIJA's process {row.pid} is there but has not been heard of for {describe_age(abs(age))}"
    else:
        return BotState(True, row.mode, row.started_at, row.heartbeat_at, f"NIJA is running in {row.mode} mode")
    return BotState(False, row.mode, row.started_at, row.heartbeat_at, sentence)


def _state_of_many(many: Sequence[TradingProcess], mode: str) -> BotState:
    """While one of them is heard of, the bot runs, since the first of these was started."""
    word = "one process" if len(many) == 1 else f"{len(many)} processes"
    started, seen = min(each.started_at for each in many), max(each.renewed_at for each in many)
    return BotState(True, mode, started, seen, f"NIJA is running in {mode} mode, in {word}")


def _alive(pid: int, holder: Holder | None) -> bool:
    """False only for a process that is certainly gone; of one on another host nothing is known but its beats."""
    if holder is not None and holder.host != instance_lease.this_host():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def describe_age(age: timedelta) -> str:
    """`12 s`, `5 min`, `3 h`, `4 d`: as exact as a person needs."""
    seconds = max(0, round(age.total_seconds()))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def now(settings: Settings) -> datetime:
    """The time as the bot of these settings tells it."""
    return SystemClock(offset_seconds=settings.test_clock_offset_seconds).now()
