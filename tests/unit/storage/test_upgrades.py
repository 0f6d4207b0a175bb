"""From every earlier schema to the present one: all rows are kept, and a failure changes nothing."""

import hashlib
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL

from bot import exit_codes
from bot.diagnostics import restore
from bot.domain.errors import ConfigurationError, StoreUnavailable
from bot.settings import Settings
from bot.storage import migrations
from bot.storage.backups import backups_of
from bot.storage.installation import open_installation
from bot.storage.postgres import postgres_url
from bot.storage.store import open_engine, sqlite_url
from tests.postgres_server import PostgresServer
from tests.unit.storage.old_rows import EACH, Rows, fill, names_of, read

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ID = "0123456789abcdef" * 2
EARLIER = migrations._revisions()[:-1]
# Written at each start; everything else stays as it was.
OF_THE_START = {"starts", "run_state"}


def filled(url: URL, revision: str) -> tuple[Rows, Mapping[str, object]]:
    """A database as the version of this revision left it; its rows, and which columns it has."""
    migrations.upgrade(url, to=revision)
    engine = open_engine(url, writer=True)
    with engine.begin() as connection:
        rows, names = fill(connection, ID), names_of(connection)
    engine.dispose()
    return rows, names


def rows_of(url: URL, names: Mapping[str, object] | None = None) -> dict[str, object]:
    engine = open_engine(url, writer=False)
    with engine.connect() as connection:
        found = dict(read(connection, names))  # type: ignore[arg-type]
    engine.dispose()
    found["meta"] = [row for row in found["meta"] if row[0] not in OF_THE_START]
    return dict(found)


def opened(database: Path, *, now: datetime = NOW) -> None:
    installation = open_installation(database, now=now, fresh_id=lambda: "f" * 32)
    assert installation.install_id == ID


@pytest.mark.parametrize("revision", EARLIER)
def test_every_row_of_an_earlier_version_is_kept_and_a_copy_of_it_too(tmp_path: Path, revision: str) -> None:
    database = tmp_path / "nija.db"
    rows, names = filled(sqlite_url(database), revision)
    assert sum(map(len, rows.values())) == EACH * len(rows)
    opened(database)
    assert rows_of(sqlite_url(database), names) == rows
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (migrations.head(),)
    (copy,) = backups_of(database)
    assert revision in copy.name
    assert rows_of(sqlite_url(copy)) == rows
    opened(database, now=NOW + timedelta(days=1))
    assert list(backups_of(database)) == [copy], "a start that changes no table makes no copy"


@pytest.mark.parametrize("revision", [EARLIER[0], EARLIER[-1]])
def test_an_upgrade_that_fails_half_way_leaves_the_books_as_they_were(tmp_path: Path, revision: str) -> None:
    database = tmp_path / "nija.db"
    rows, _ = filled(sqlite_url(database), revision)
    with closing(sqlite3.connect(database)) as connection:
        # What the last of the migrations makes is there already; those before it have done their work by then.
        connection.execute("CREATE TABLE notification (id INTEGER)")
        connection.commit()
    before = digest(database)
    with pytest.raises(ConfigurationError, match="Nothing was changed: the version that wrote it can still use it"):
        opened(database)
    assert rows_of(sqlite_url(database)).keys() - {"notification"} == rows.keys()
    assert digest(database) == before
    (copy,) = backups_of(database)
    assert digest(copy) == before
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DROP TABLE notification")
        connection.commit()
    opened(database, now=NOW + timedelta(days=1))


def test_a_backup_of_an_earlier_version_is_restored_and_brought_up_to_date_at_the_next_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state, backup = tmp_path / "state", tmp_path / "backup.db"
    rows, names = filled(sqlite_url(backup), EARLIER[0])
    settings = Settings.model_validate({"state_dir": state})
    assert restore.run(settings, backup, sure=True, as_json=False) == exit_codes.OK
    assert "books of an older version, which the next start brings up to date" in capsys.readouterr().out
    opened(state / "nija.db")
    assert rows_of(sqlite_url(state / "nija.db"), names) == rows


def digest(database: Path) -> str:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        return hashlib.sha256("\n".join(connection.iterdump()).encode()).hexdigest()


# 0003 is the first that knew PostgreSQL. Each upgrade runs all that follow it.
@pytest.mark.parametrize("revision", ["0003", EARLIER[-1]])
def test_on_postgresql_every_row_is_kept_and_a_failure_changes_nothing(postgres: PostgresServer, revision: str) -> None:
    url = postgres_url(postgres.empty_database())
    rows, names = filled(url, revision)
    postgres.ask("CREATE TABLE notification (id integer)", database=str(url.database))
    with pytest.raises(StoreUnavailable, match="notification"):
        migrations.upgrade(url)
    postgres.ask("DROP TABLE notification", database=str(url.database))
    assert rows_of(url) == rows
    migrations.upgrade(url)
    assert rows_of(url, names) == rows
