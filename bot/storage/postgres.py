"""What makes a PostgreSQL connection ours: bounded waits, durable commits, one writing transaction at a time.

Every writing transaction begins by taking one advisory lock of the database, as `BEGIN IMMEDIATE` does on SQLite. So
what a transaction has read stays true until its end, whoever else writes (an operator's command, a process that is
being replaced), and nothing has to be undone because two of them collided. Readers see one snapshot and cannot write.

Needs a connection of one's own to the server: behind a pooler that hands out a connection per transaction, session
settings do not hold.
"""

from types import MappingProxyType
from typing import Any

from sqlalchemy import URL, Connection, Engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from bot.domain.errors import ConfigurationError, StoreUnavailable

DRIVER = "postgresql+psycopg"
SCHEMES = ("postgres", "postgresql", DRIVER)
CONNECT_SECONDS = 5
# A server that went away without a word is noticed by the kernel: seconds until it asks, and until it gives up.
CONNECT_ARGUMENTS = MappingProxyType(
    {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "nija",
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 8_000,
    }
)
# Milliseconds. The last one frees the writers' lock when its holder hangs or is stopped in the middle of a transaction.
_SESSION = MappingProxyType(
    {
        "TimeZone": "UTC",
        "statement_timeout": "8000",
        "lock_timeout": "5000",
        "idle_in_transaction_session_timeout": "10000",
    }
)
# Any number that no other program in the same database uses.
WRITERS_LOCK = 0x4E494A41
# Serialization failure and deadlock: the server has undone the transaction, and doing it again is right.
_LOST = frozenset({"40001", "40P01"})


def postgres_url(text: str) -> URL:
    """The URL that DATABASE_URL means. Raises `ConfigurationError`, which never shows the text: it has a password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigurationError("DATABASE_URL is no URL such as postgresql://user:password@host:5432/name") from None
    if url.drivername not in SCHEMES:
        raise ConfigurationError(
            f"DATABASE_URL begins with {url.drivername}://, and only postgresql:// is supported. Without DATABASE_URL "
            "the state is in SQLite, in STATE_DIR"
        )
    if not url.database:
        raise ConfigurationError("DATABASE_URL names no database: postgresql://user:password@host:5432/name")
    return url.set(drivername=DRIVER)


def describe(url: URL) -> str:
    """Which database it is, for a log: without password and options."""
    host = url.host or str(url.query.get("host", "local"))
    return f"PostgreSQL {url.database} at {host}" + (f":{url.port}" if url.port else "")


def set_up(engine: Engine, *, writer: bool, in_turn: bool = True) -> None:
    """Give every connection of the engine our settings. A writer that is not `in_turn` does not wait for the others."""
    event.listen(engine, "connect", _set_up_connection)
    if in_turn or not writer:
        event.listen(engine, "begin", _begin_writing if writer else _begin_reading)
    event.listen(engine, "commit", _assert_in_transaction)


def lost_against_another(error: DBAPIError) -> bool:
    """Whether the server has undone a transaction only because of another one."""
    return getattr(error.orig, "sqlstate", None) in _LOST


def _set_up_connection(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        for name, wanted in _SESSION.items():
            cursor.execute(f"SET SESSION {name} = '{wanted}'")
        (commit,) = cursor.execute("SELECT current_setting('synchronous_commit')").fetchone()
        if commit == "off":
            # With less a commit that was reported may be gone after a crash of the server.
            cursor.execute("SET SESSION synchronous_commit = 'on'")
    # What is set in a transaction that is rolled back is not set.
    connection.commit()


def _begin_writing(connection: Connection) -> None:
    # The first statement of the transaction: all that follows sees what the writer before it has committed.
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def _assert_in_transaction(connection: Connection) -> None:
    """The server answers the commit of a transaction that had an error with a rollback, and calls that success."""
    driver_connection: Any = connection.connection.dbapi_connection
    if driver_connection.info.transaction_status.name != "INTRANS":
        raise StoreUnavailable("the database has dropped the transaction")
