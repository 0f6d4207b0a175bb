"""Opening a state directory: a lost, foreign or damaged database is never a first run, and an old one says so."""

import json
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from bot.domain.errors import ConfigurationError
from bot.seams import failpoints
from bot.storage import migrations, process, sqlite
from bot.storage.backups import KEPT, back_up, backups_of
from bot.storage.installation import Installation, open_installation
from bot.storage.marker import MARKER_FILE
from bot.storage.store import Store, open_engine, sqlite_url

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
ID = "0123456789abcdef" * 2


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "nija.db"


@pytest.fixture(autouse=True)
def no_drill_is_left() -> Iterator[None]:
    yield
    failpoints.install("")


def opened(database: Path, *, fresh: str = ID, now: datetime = NOW) -> Installation:
    return open_installation(database, now=now, fresh_id=lambda: fresh)


def refused(database: Path) -> str:
    """The sentence; nothing that was there has changed."""
    before = contents(database.parent)
    with pytest.raises(ConfigurationError) as error:
        opened(database, fresh="f" * 32)
    assert contents(database.parent) == before
    (sentence,) = error.value.problems
    assert "\n" not in sentence
    return sentence


def contents(directory: Path) -> dict[str, bytes]:
    """What lies there; the index of the write-ahead log is scratch that any reader makes."""
    files = [path for path in directory.rglob("*") if path.is_file() and not path.name.endswith("-shm")]
    return {
        path.name: path.read_bytes() for path in files if not (path.name.endswith("-wal") and not path.stat().st_size)
    }


def meta(database: Path, key: str) -> str | None:
    engine = open_engine(sqlite_url(database), writer=False)
    with engine.connect() as connection:
        value = process.get_meta(connection, key)
    engine.dispose()
    return value


def marker(database: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((database.parent / MARKER_FILE).read_text())
    return content


def run_once(database: Path, *works: Callable[[Connection], None], now: datetime = NOW) -> Installation:
    """One run of a bot that did this and stopped."""
    installation = opened(database, now=now)
    store = Store(installation.url)
    store.start()
    for work in works:
        store.write(work)
    with store.read() as connection:
        installation.mark(connection)
    store.close()
    return installation


def test_a_first_run_makes_a_private_database_and_a_private_marker_that_agree(database: Path) -> None:
    assert opened(database).install_id == ID
    assert meta(database, "install_id") == ID
    assert marker(database)["install_id"] == ID
    assert marker(database)["schema"] == migrations.head()
    assert {path.stat().st_mode & 0o777 for path in database.parent.iterdir()} == {0o600}
    assert {path.name for path in database.parent.iterdir()} == {"nija.db", MARKER_FILE}


def test_every_later_start_keeps_the_id_and_the_date_and_counts_itself(database: Path) -> None:
    opened(database)
    again = opened(database, fresh="f" * 32, now=LATER)
    assert (again.install_id, again.created_at) == (ID, NOW)
    assert meta(database, "starts") == "2"


@pytest.mark.parametrize("size", [0, 1, 100, 4096, 5000, 40_000])
def test_a_truncated_database_is_refused_and_never_a_first_run(database: Path, size: int) -> None:
    opened(database)
    os.truncate(database, size)
    assert str(database) in refused(database)


def test_a_missing_database_is_refused_while_its_marker_is_there(database: Path) -> None:
    opened(database)
    database.unlink()
    sentence = refused(database)
    assert "is missing" in sentence
    assert "no first run" in sentence
    assert "STATE_DIR" in sentence


def test_a_database_that_says_nothing_of_an_installation_is_refused_while_the_marker_is_there(database: Path) -> None:
    opened(database)
    database.unlink()
    migrations.upgrade(sqlite_url(database))
    assert "has no install id" in refused(database)


def test_a_missing_database_is_refused_even_if_the_marker_cannot_be_read(database: Path) -> None:
    (database.parent / MARKER_FILE).write_text("{")
    assert "is missing" in refused(database)


def test_a_write_ahead_log_without_its_database_is_no_first_run(database: Path) -> None:
    database.with_name("nija.db-wal").write_bytes(b"x" * 5000)
    assert "write-ahead log" in refused(database)


def test_the_database_of_another_installation_is_refused(database: Path) -> None:
    opened(database)
    other = database.parent / "other" / "nija.db"
    other.parent.mkdir()
    opened(other, fresh="f" * 32)
    shutil.copy(other, database)
    sentence = refused(database)
    assert "another installation (ffffffff)" in sentence
    assert "01234567" in sentence


def test_a_database_with_flipped_bytes_is_refused_and_the_newest_copy_is_named(database: Path) -> None:
    opened(database)
    copy = back_up(database, revision="0001", now=NOW)
    content = bytearray(database.read_bytes())
    content[8192:9192] = b"\xa5" * 1000
    database.write_bytes(content)
    sentence = refused(database)
    assert "damaged" in sentence or "malformed" in sentence
    assert f"The newest copy is {copy}" in sentence


@pytest.mark.parametrize("marked", [False, True])
def test_a_file_that_is_no_database_is_refused(database: Path, marked: bool) -> None:
    if marked:
        opened(database)
    database.write_bytes(b"not a database" * 1000)
    assert "not a database" in refused(database)


def test_the_database_of_another_program_is_left_alone(database: Path) -> None:
    with closing(sqlite3.connect(database)) as other:
        other.execute("CREATE TABLE theirs (x)")
    assert "tables of another program" in refused(database)


def test_a_locked_database_is_not_called_a_bad_one(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(database)
    monkeypatch.setitem(sqlite.SQLITE_SETTINGS, "busy_timeout", 50)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        sentence = refused(database)
    assert "locked" in sentence
    assert "end that program" in sentence


def test_a_database_of_a_newer_version_is_refused_with_what_to_start(database: Path) -> None:
    opened(database)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    sentence = refused(database)
    assert "newer version" in sentence
    assert "9999" in sentence


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"format": "other/1"}', '{"format": "nija-install/1"}'])
def test_a_marker_that_is_missing_or_makes_no_sense_is_written_anew_beside_a_good_database(
    database: Path, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    opened(database)
    file = database.parent / MARKER_FILE
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    assert opened(database, fresh="f" * 32, now=LATER).install_id == ID
    assert marker(database)["install_id"] == ID
    assert "written anew" in caplog.text


def test_a_first_run_that_was_cut_short_is_begun_again(database: Path) -> None:
    database.touch()
    assert opened(database).install_id == ID


def test_a_first_run_cut_short_before_it_had_an_id_gets_one(database: Path) -> None:
    migrations.upgrade(sqlite_url(database))
    assert opened(database).install_id == ID


# -- an older copy --------------------------------------------------------------------------------------------------
def test_a_restored_copy_starts_says_so_aloud_and_remembers_it(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_once(database)
    old = database.read_bytes()
    run_once(database)
    database.write_bytes(old)
    assert opened(database, now=LATER).install_id == ID
    (record,) = [one for one in caplog.records if one.levelno == logging.CRITICAL]
    assert "IS OLDER THAN IT WAS" in record.getMessage()
    assert "starts 1 of 2" in record.getMessage()
    engine = open_engine(sqlite_url(database), writer=False)
    with engine.connect() as connection:
        assert process.restored_at(connection) == LATER
    engine.dispose()


def test_an_older_copy_is_said_once_and_its_time_is_kept(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    run_once(database)
    old = database.read_bytes()
    run_once(database)
    database.write_bytes(old)
    opened(database, now=LATER)
    caplog.clear()
    opened(database, now=LATER + timedelta(days=1))
    assert "OLDER" not in caplog.text
    assert meta(database, "restored_at") == "2026-01-02T00:00:00.000000Z"


def test_a_lost_write_ahead_log_is_noticed(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    run_once(database)
    installation = opened(database)
    store = Store(installation.url)
    store.start()
    store.write(process.count_start)
    with store.read() as connection:
        installation.mark(connection)
    without_log = database.read_bytes()
    store.close()
    database.write_bytes(without_log)
    opened(database, now=LATER)
    assert "IS OLDER THAN IT WAS" in caplog.text


def test_an_ordinary_restart_is_not_called_a_restored_copy(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        run_once(database)
    assert "OLDER" not in caplog.text
    assert meta(database, "restored_at") is None


def test_a_run_that_never_ended_is_called_crashed_at_the_next_start(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def begin(connection: Connection) -> None:
        process.start_process(connection, pid=1, mode="paper", now=NOW)

    run_once(database, begin)
    opened(database)
    assert "did not end cleanly" in caplog.text
    assert meta(database, "run_state") == "crashed"
    caplog.clear()
    run_once(database, begin, lambda connection: process.end_process(connection, reason="asked", now=NOW))
    opened(database)
    assert "did not end cleanly" not in caplog.text
    assert meta(database, "run_state") == "clean"


# -- migrations -----------------------------------------------------------------------------------------------------
@pytest.fixture
def old_database(database: Path) -> Path:
    """As the first version left it."""
    migrations.upgrade(sqlite_url(database), to="0001")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("INSERT INTO meta VALUES ('install_id', ?)", (ID,))
        connection.commit()
    return database


def revision(file: Path) -> str:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(found)


def test_a_copy_is_made_before_the_tables_change_and_it_is_private_and_whole(old_database: Path) -> None:
    opened(old_database)
    assert revision(old_database) == migrations.head()
    (copy,) = backups_of(old_database)
    assert copy.name == "nija-0001-20260101T000000.000000Z.db"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.parent.stat().st_mode & 0o777 == 0o700
    assert revision(copy) == "0001"
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_no_copy_is_made_when_nothing_changes(database: Path) -> None:
    opened(database)
    opened(database)
    assert list(backups_of(database)) == []


def test_the_newest_five_copies_are_kept(database: Path) -> None:
    opened(database)
    made = [back_up(database, revision="0001", now=NOW + timedelta(seconds=n)) for n in range(KEPT + 2)]
    assert list(backups_of(database)) == made[:1:-1]


def test_a_migration_that_fails_leaves_the_old_database_working_and_names_the_copy(old_database: Path) -> None:
    failpoints.install("migrate:raise")
    with pytest.raises(ConfigurationError) as error:
        opened(old_database)
    (copy,) = backups_of(old_database)
    assert str(copy) in str(error.value)
    assert revision(old_database) == "0001"
    failpoints.install("")
    assert opened(old_database, now=LATER).install_id == ID
    assert revision(old_database) == migrations.head()


def test_without_a_copy_nothing_is_migrated(old_database: Path) -> None:
    (old_database.parent / "backups").write_text("in the way")
    assert "no copy of it could be made" in refused(old_database)
    assert revision(old_database) == "0001"


def test_a_copy_of_an_older_schema_can_be_put_back(old_database: Path, caplog: pytest.LogCaptureFixture) -> None:
    run_once(old_database)
    (copy,) = backups_of(old_database)
    shutil.copy(copy, old_database)
    assert opened(old_database, now=LATER).install_id == ID
    assert "IS OLDER THAN IT WAS" in caplog.text
    assert revision(old_database) == migrations.head()
