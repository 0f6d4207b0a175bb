"""Where the database of an installation is: beside the other state, or on the PostgreSQL server of DATABASE_URL."""

from pathlib import Path

from sqlalchemy import URL

from bot.settings import Settings
from bot.storage import postgres
from bot.storage.sqlite import sqlite_url

DATABASE_FILE = "nija.db"


def database_url(settings: Settings) -> URL:
    """The database that these settings mean. Raises `ConfigurationError` for a DATABASE_URL that cannot be used."""
    if settings.database_url is None:
        return sqlite_url(settings.state_dir / DATABASE_FILE)
    return postgres.postgres_url(settings.database_url.get_secret_value())


def is_a_file(url: URL) -> bool:
    """Whether the database is SQLite's file in the state directory, which one process at a time can lock."""
    return url.get_backend_name() == "sqlite"


def describe(url: URL) -> str:
    """Which database it is, in words that may be logged."""
    return str(Path(str(url.database)).resolve()) if is_a_file(url) else postgres.describe(url)
