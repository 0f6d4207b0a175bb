"""Bringing a database to the present schema.

Nearly every start finds nothing to do. Alembic costs as much to import as a good part of the program, so it is
imported only when there is something to migrate; what is asked before is read from the files' names.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, inspect

from bot.domain.errors import StoreUnavailable
from bot.seams.failpoints import failpoint
from bot.storage.store import open_engine

if TYPE_CHECKING:
    from alembic.config import Config

# One statement over a large table takes longer than any of a running bot.
MIGRATION_SECONDS = 600
VERSION_TABLE = "alembic_version"


def head() -> str:
    """The revision that this version of the program works with."""
    return _revisions()[-1]


def revision_of(connection: Connection) -> str | None:
    """The revision that a database is at; None when it has no tables of ours."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar_one_or_none()


def is_known(revision: str) -> bool:
    """Whether this version of the program has the revision; if not, a newer one has written the database."""
    return revision in _revisions()


def upgrade(url: URL, *, to: str = "head") -> None:
    """Run all migrations that are missing, in one transaction: all or none. Makes the database if there is none.

    Raises `StoreUnavailable` when the file is no database, is damaged, was written by a newer version, or when a
    migration fails.
    """
    from alembic import command  # see the module's docstring

    engine = open_engine(url, writer=True, create=True)
    try:
        with engine.begin() as connection:
            if url.get_backend_name() != "sqlite":
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{MIGRATION_SECONDS}s'")
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, to)
            failpoint("migrate")
    except Exception as error:
        raise StoreUnavailable(f"{error.__cause__ or error}") from error
    finally:
        engine.dispose()


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def _revisions() -> list[str]:
    """All revisions, oldest first: `0002_what_it_does.py` is revision 0002. A test holds this against Alembic."""
    return sorted(file.name.partition("_")[0] for file in (Path(__file__).parent / "versions").glob("[0-9]*_*.py"))
