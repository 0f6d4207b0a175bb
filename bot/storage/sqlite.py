"""What makes a SQLite connection ours: write-ahead log, full durability, one writer at a time, read-only readers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, event

from bot.domain.errors import StoreUnavailable

# With less than synchronous=FULL (2) a commit that was reported may be gone after a loss of power.
SQLITE_SETTINGS = {"busy_timeout": 5000, "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
# Kibibytes of pages that a connection keeps. There are many readers, and the machine keeps the file's pages anyway; the
# writer is one, and counts many rows before an entry.
WRITER_CACHE_KIB = 4_000
READER_CACHE_KIB = 500


def sqlite_url(path: Path) -> URL:
    """The database URL of a SQLite file, whatever characters its path has."""
    return URL.create("sqlite", database=str(path))


def set_up(engine: Engine, *, writer: bool, create: bool) -> None:
    """Give every connection of the engine our settings. Without `create` a missing file is an error."""
    event.listen(engine, "do_connect", _create_if_missing if create else _only_existing)
    event.listen(engine, "connect", _set_up_connection)
    event.listen(engine, "connect", _keep_pages(WRITER_CACHE_KIB if writer else READER_CACHE_KIB))
    if not writer:
        event.listen(engine, "connect", _forbid_writing)
    event.listen(engine, "begin", _begin_immediate if writer else _begin_deferred)
    event.listen(engine, "commit", _assert_in_transaction)


def _only_existing(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
    arguments[0] = f"{Path(arguments[0]).as_uri()}?mode=rw"
    options["uri"] = True


def _create_if_missing(_dialect: object, _record: object, arguments: list[Any], _options: dict[str, Any]) -> None:
    path = Path(arguments[0])
    if not path.exists():
        # By ourselves, because of its mode: the files that SQLite puts beside it have the same.
        path.touch(mode=0o600)


def _set_up_connection(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for name, wanted in SQLITE_SETTINGS.items():
        cursor.execute(f"PRAGMA {name}={wanted}")
        (found,) = cursor.execute(f"PRAGMA {name}").fetchone()
        if found != wanted:
            raise StoreUnavailable(f"the database does not take {name}={wanted}, it keeps {found}")
    cursor.close()


def _keep_pages(kibibytes: int) -> Callable[[Any, object], None]:
    def keep(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA cache_size={-kibibytes}")

    return keep


def _forbid_writing(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA query_only=ON")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _assert_in_transaction(connection: Connection) -> None:
    """After some errors SQLite ends a transaction by itself, and a commit of nothing would look like success."""
    if not getattr(connection.connection.dbapi_connection, "in_transaction", False):
        raise StoreUnavailable("the database has dropped the transaction")
