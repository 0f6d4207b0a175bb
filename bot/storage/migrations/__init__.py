"""Bringing a database to the present schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Engine
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import StoreUnavailable
from bot.storage.store import open_engine


def upgrade(url: URL) -> None:
    """Run all migrations that are missing. Each runs in a transaction.

    Raises `StoreUnavailable` when the file is no database, is damaged, or was written by a newer version.
    """
    engine = open_engine(url, writer=True)
    try:
        _upgrade(engine)
    except (SQLAlchemyError, CommandError) as error:
        raise StoreUnavailable(f"{error.__cause__ or error}") from error
    finally:
        engine.dispose()


def _upgrade(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
