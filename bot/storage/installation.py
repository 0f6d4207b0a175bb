"""Opening the database of a state directory: only if it is whole, ours, and not older than we know it to be."""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import ConfigurationError, StoreUnavailable
from bot.storage import migrations, process
from bot.storage.backups import back_up, backups_of
from bot.storage.marker import MARKER_FILE, InstallMarker, MarkerUnreadable, behind, marks_of, read_marker
from bot.storage.place import describe
from bot.storage.sqlite import sqlite_url
from bot.storage.store import open_engine

log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
READ_ON = 'docs/runbook.md, section "The database", says how.'


@dataclass(frozen=True)
class Installation:
    """An opened database, its schema up to date. Every order id derives from `install_id`."""

    url: URL
    state_dir: Path
    install_id: str
    created_at: datetime

    def mark(self, connection: Connection) -> None:
        """Write into the marker how far the database has come. Raises `OSError` when the marker cannot be written."""
        marker = InstallMarker(self.install_id, migrations.head(), self.created_at, marks_of(connection))
        marker.write(self.state_dir)


@dataclass(frozen=True)
class Look:
    """What a database says of itself before anything is changed. All None: it has no tables of ours."""

    revision: str | None = None
    install_id: str | None = None
    has_orders: bool = False


def open_installation(database: Path, *, now: datetime, fresh_id: Callable[[], str]) -> Installation:
    """Check, back up, migrate and mark the database; makes one when there was never one here.

    Raises `ConfigurationError` with a sentence that says what to do, and then has changed nothing that was there.
    """
    try:
        return _Opening(database, now, fresh_id).run()
    except (StoreUnavailable, SQLAlchemyError, sqlite3.Error, OSError) as error:
        cause = error.__cause__ or error
        raise _refusal(database, f"cannot be used ({cause})", advice=_advice(cause)) from error


class _Opening:
    """One opening, step by step; the order of the steps is what protects the rows."""

    def __init__(self, database: Path, now: datetime, fresh_id: Callable[[], str]) -> None:
        self._database = database
        self._now = now
        self._fresh_id = fresh_id
        self._backup: Path | None = None

    def run(self) -> Installation:
        marker = found_marker(self._database.parent)
        look = self._look(expected=marker is not None)
        self._judge(look, marker)
        self._migrate(look)
        return settle(
            sqlite_url(self._database), self._database.parent, look, marker, now=self._now, fresh_id=self._fresh_id
        )

    def _look(self, *, expected: bool) -> Look:
        """Read without writing a byte: what is damaged must stay as it is for whoever repairs it."""
        if not self._database.exists() or self._database.stat().st_size == 0:
            if expected:
                raise self._lost("is empty" if self._database.exists() else "is missing")
            if self._database.with_name(self._database.name + "-wal").exists():
                raise _refusal(self._database, "is gone or empty, but its write-ahead log (-wal) is still there")
            return Look()
        uri = f"{self._database.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if answer != "ok":
                raise _refusal(self._database, f"is damaged ({' '.join(answer.split())})")
            return _look_at(connection)

    def _judge(self, look: Look, marker: InstallMarker | MarkerUnreadable | None) -> None:
        """Refuse what is not the database that belongs here."""
        refuse_newer(look, str(self._database))
        if look.install_id is None and (marker is not None or look.has_orders):
            raise (
                self._lost("has no install id") if marker else _refusal(self._database, "has orders but no install id")
            )
        if isinstance(marker, InstallMarker) and look.install_id != marker.install_id:
            raise ConfigurationError(
                f"{self._database} belongs to another installation ({_short(look.install_id)}) than {MARKER_FILE} "
                f"beside it ({_short(marker.install_id)}): orders sent from here would not be recognised. Put the "
                f"files of one installation together. {READ_ON}"
            )
        if isinstance(marker, MarkerUnreadable):
            log.error("%s; the database is good, so it is written anew", marker)
        elif marker is None and look.install_id is not None:
            log.warning("%s is missing beside a good database; it is written anew", MARKER_FILE)

    def _migrate(self, look: Look) -> None:
        if look.revision == migrations.head():
            return
        if look.revision is not None:
            self._back_up(look.revision)
        try:
            migrations.upgrade(sqlite_url(self._database))
        except StoreUnavailable as error:
            kept = f" A copy from before is {self._backup}." if self._backup else ""
            raise ConfigurationError(
                f"{self._database} could not be brought from schema {look.revision} to {migrations.head()} ({error}). "
                f"Nothing was changed: the version that wrote it can still use it.{kept}"
            ) from error

    def _back_up(self, revision: str) -> None:
        try:
            self._backup = back_up(self._database, revision=revision, now=self._now)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(
                f"{self._database} needs a new schema, and no copy of it could be made before ({error}). Nothing was "
                "changed. Make room on the disk and start again."
            ) from error
        log.info("The database gets a new schema; a copy from before is %s", self._backup)

    def _lost(self, what: str) -> ConfigurationError:
        return _refusal(
            self._database,
            f"{what}, but {MARKER_FILE} beside it says that an installation lived here: this is no first run, and its "
            "orders and positions were in that file",
        )


def found_marker(state_dir: Path) -> InstallMarker | MarkerUnreadable | None:
    """The marker beside the state; what is wrong with it is the answer when it makes no sense."""
    try:
        return read_marker(state_dir)
    except MarkerUnreadable as error:
        return error


def refuse_newer(look: Look, name: str) -> None:
    """Raises `ConfigurationError` for a database whose tables this version does not know."""
    if look.revision is None or migrations.is_known(look.revision):
        return
    raise ConfigurationError(
        f"{name} was written by a newer version of NIJA (its schema is {look.revision}, this version knows up to "
        f"{migrations.head()}). Start that version, or restore a copy made before it. {READ_ON}"
    )


def settle(
    url: URL,
    state_dir: Path,
    look: Look,
    found: InstallMarker | MarkerUnreadable | None,
    *,
    now: datetime,
    fresh_id: Callable[[], str],
    alone: bool = True,
) -> Installation:
    """The writes of a start: the id, the count of starts, what is missing; then the marker. `alone`: no other runs."""
    marker = found if isinstance(found, InstallMarker) else None
    engine = open_engine(url, writer=True)
    try:
        with engine.begin() as connection:
            # Read where nobody comes between: of several processes that find a new database one gives it its id.
            install_id = process.get_meta(connection, process.INSTALL_ID) or look.install_id or fresh_id()
            created_at = marker.created_at if marker is not None else now
            installation = Installation(url, state_dir, install_id, created_at)
            # Before anything is counted: what the database had when it was found.
            missing = behind(marks_of(connection), marker.marks) if marker else []
            _begin(connection, installation, missing, now, alone=alone)
        with engine.connect() as connection:
            installation.mark(connection)
    finally:
        engine.dispose()
    return installation


def _begin(
    connection: Connection, installation: Installation, missing: list[str], now: datetime, *, alone: bool
) -> None:
    process.set_meta(connection, process.INSTALL_ID, installation.install_id)
    if process.count_start(connection, alone=alone):
        log.warning("The last run did not end cleanly. What it left unfinished is asked about before it goes on")
    if missing:
        process.set_restored(connection, now=now)
        log.critical(
            "%s IS OLDER THAN IT WAS when the bot last ran (%s): a copy was restored, or its -wal file was lost. "
            "What was sent since is not known here. Orders of ours that the brokerage shows are booked and listed "
            "(python bot.py drift), and their markets are not entered until you say so. Compare open orders and "
            "holdings by hand now. %s",
            describe(installation.url),
            ", ".join(missing),
            READ_ON,
        )


def _look_at(connection: sqlite3.Connection) -> Look:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "alembic_version" not in tables:
        if tables:
            raise sqlite3.DatabaseError("it has tables of another program")
        return Look()
    revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    known = connection.execute("SELECT value FROM meta WHERE key = ?", (process.INSTALL_ID,)).fetchone()
    orders = connection.execute("SELECT count(*) FROM order_intent").fetchone()
    return Look(revision and revision[0], known and known[0], bool(orders[0]))


def _refusal(database: Path, what: str, *, advice: str = "") -> ConfigurationError:
    copies = backups_of(database)
    newest = f" The newest copy is {copies[0]}." if copies else ""
    restore = f"Put a good copy in its place, or name another directory with STATE_DIR.{newest} {READ_ON}"
    return ConfigurationError(f"{database} {what}. Nothing was changed. {advice or restore}")


def _advice(error: BaseException) -> str:
    """What helps when the file itself may be good; empty when it is not."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "Another program holds it: end that program and start again."
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) or isinstance(error, OSError):
        return "Make room on the disk, or see what is wrong with it, and start again."
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return "See to it that its directory and files can be written to, and start again."
    return ""


def _short(install_id: str | None) -> str:
    return (install_id or "none")[:8]
