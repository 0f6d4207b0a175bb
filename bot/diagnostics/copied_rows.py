"""What backup, restore and copy-books share: two databases opened side by side, progress, and what was copied."""

import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, NullPool, create_engine
from sqlalchemy.exc import SQLAlchemyError

from bot.diagnostics.store_reading import check_version
from bot.domain.errors import ConfigurationError, StoreUnavailable
from bot.storage import migrations
from bot.storage.copying import NotCopied, TableSum, copy_rows, count_by_table
from bot.storage.place import describe
from bot.storage.store import open_engine

# Progress is told each time so many more rows are copied.
TELL_EVERY = 20_000


class Refused(Exception):
    """Nothing was changed. The message says why, and what to do."""


def copy_into(source: Connection, url: URL) -> Sequence[TableSum]:
    """Bring an empty database to the present schema and copy all rows into it. Raises `Refused`."""
    name = describe(url)
    try:
        migrations.upgrade(url)
        engine = open_engine(url, writer=True)
        try:
            with engine.begin() as target:
                return copy_rows(source, target, tell=_teller(sum(count_by_table(source).values())))
        finally:
            engine.dispose()
    except NotCopied as error:
        raise Refused(f"{name}: {error}. Nothing was written. Name an empty database") from error
    except (SQLAlchemyError, StoreUnavailable, ConfigurationError) as error:
        raise Refused(f"{name} cannot be written ({error.__cause__ or error}). Nothing was written") from error


@contextmanager
def opened_copy(file: Path) -> Iterator[Connection]:
    """The rows of a backup, which is whole and of the present schema. Raises `Refused`."""
    check_file(file)
    engine = create_engine("sqlite://", creator=lambda: _read_only(file), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            check_version(connection, str(file))
            yield connection
    finally:
        engine.dispose()


def check_file(file: Path) -> None:
    """Raises `Refused` for a file that is not there, is no database of ours, or is damaged."""
    if not file.is_file():
        raise Refused(f"there is no file {file}")
    try:
        with closing(_read_only(file)) as connection:
            (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone() if tables else None
    except sqlite3.Error as error:
        raise Refused(f"{file} is no backup of NIJA ({error})") from error
    if answer != "ok":
        raise Refused(f"{file} is damaged ({' '.join(answer.split())})")
    if revision is None or "order_intent" not in tables:
        raise Refused(f"{file} is no backup of NIJA: it has no tables of ours")
    if not migrations.is_known(revision[0]):
        raise Refused(f"{file} was written by a newer version of NIJA (schema {revision[0]}): use that version")


def in_words(rows: dict[str, int]) -> str:
    """The rows that people know of."""
    named = (("signal", "signals"), ("order_intent", "orders"), ("fill", "fills"), ("copy_result", "copies"))
    parts = [f"{rows.get(table, 0):,} {word}" for table, word in named]
    return f"{sum(rows.values()):,} rows, of them {', '.join(parts)}"


def _read_only(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _teller(total: int) -> Callable[[str, int], None]:
    """Progress of a long copy, to a person who watches."""
    if total < TELL_EVERY or not sys.stderr.isatty():
        return lambda _table, _rows: None
    done: dict[str, int] = {}

    def tell(table: str, rows: int) -> None:
        before = sum(done.values()) // TELL_EVERY
        done[table] = rows
        if sum(done.values()) // TELL_EVERY > before:
            print(f"{sum(done.values()):,} of {total:,} rows copied ({table})", file=sys.stderr, flush=True)

    return tell
