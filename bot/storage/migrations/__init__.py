"""Bringing a database to the present schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection

from bot.domain.errors import StoreUnavailable
from bot.seams.failpoints import failpoint
from bot.storage.store import open_engine


def head() -> str:
    """The revision that this version of the program works with."""
    return str(_scripts().get_current_head())


def revision_of(connection: Connection) -> str | None:
    """The revision that a database is at; None when it has no tables of ours."""
    return MigrationContext.configure(connection).get_current_revision()


def is_known(revision: str) -> bool:
    """Whether this version of the program has the revision; if not, a newer one has written the database."""
    return any(script.revision == revision for script in _scripts().walk_revisions())


def upgrade(url: URL, *, to: str = "head") -> None:
    """Run all migrations that are missing, in one transaction: all or none. Makes the database if there is none.

    Raises `StoreUnavailable` when the file is no database, is damaged, was written by a newer version, or when a
    migration fails.
    """
    engine = open_engine(url, writer=True, create=True)
    try:
        with engine.begin() as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, to)
            failpoint("migrate")
    except Exception as error:
        raise StoreUnavailable(f"{error.__cause__ or error}") from error
    finally:
        engine.dispose()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
