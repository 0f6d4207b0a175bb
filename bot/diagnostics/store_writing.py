"""The few things that a person writes into the store beside a running bot, each in a transaction of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.diagnostics.store_reading import DATABASE_FILE, NoStore, check_version
from bot.domain.errors import StoreUnavailable
from bot.storage.store import open_engine, sqlite_url


@contextmanager
def write_store(state_dir: Path) -> Iterator[Connection]:
    """A transaction that no other writer can come between (`BEGIN IMMEDIATE`), committed when the block ends.

    What the block reads is true until its end, and an exception in it leaves nothing written. Raises `NoStore` when
    there is no database, when it is of another version, or when it does not take the write.
    """
    path = (state_dir / DATABASE_FILE).resolve()
    if not path.is_file():
        raise NoStore(f"NIJA has not run yet: there is no {path}. Start it with ./start.sh")
    engine = open_engine(sqlite_url(path), writer=True)
    try:
        with engine.begin() as connection:
            check_version(connection, path)
            yield connection
    except (SQLAlchemyError, StoreUnavailable) as error:
        raise NoStore(f"{path} does not take the write, nothing was changed: {error.__cause__ or error}") from error
    finally:
        engine.dispose()
