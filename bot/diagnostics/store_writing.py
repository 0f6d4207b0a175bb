"""The few things that a person writes into the store beside a running bot, each in a transaction of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.diagnostics.store_reading import NoStore, check_version, refuse_missing
from bot.domain.errors import StoreUnavailable
from bot.settings import Settings
from bot.storage.place import database_url, describe, is_a_file
from bot.storage.sqlite import sqlite_url
from bot.storage.store import open_engine


@contextmanager
def write_store(settings: Settings) -> Iterator[Connection]:
    """A transaction that no other writer can come between, committed when the block ends.

    What the block reads is true until its end, and an exception in it leaves nothing written. Raises `NoStore` when
    there is no database, when it is of another version, or when it does not take the write.
    """
    url = database_url(settings)
    name = describe(url)
    if is_a_file(url):
        refuse_missing(Path(name))
        url = sqlite_url(Path(name))
    engine = open_engine(url, writer=True)
    try:
        with engine.begin() as connection:
            check_version(connection, name)
            yield connection
    except (SQLAlchemyError, StoreUnavailable) as error:
        raise NoStore(f"{name} does not take the write, nothing was changed: {error.__cause__ or error}") from error
    finally:
        engine.dispose()
