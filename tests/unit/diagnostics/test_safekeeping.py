"""backup, restore and copy-books, as an operator types them, from and into both databases."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select

from bot.app import main
from bot.domain.account import AccountRef
from bot.domain.fill import Fill
from bot.domain.order import Side
from bot.storage import fills
from bot.storage.copying import sum_of
from bot.storage.place import describe
from bot.storage.postgres import postgres_url
from bot.storage.schema import fill, health_transition, metadata
from bot.storage.store import open_engine
from bot.supervision.instance_lock import InstanceLock
from tests.postgres_server import PostgresServer
from tests.stored_bot import DAIVON, KRAKEN, StoredBot
from tests.unit.diagnostics.conftest import Answer, Ask

MOMENT = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
FILLS = 2500


@pytest.fixture
def say(ask: Ask) -> Ask:
    """`say("backup", "x.db")` is `python bot.py backup x.db`."""

    def run(*words: str) -> Answer:
        return ask(main, *words)

    return run


@pytest.fixture
def books(bot: StoredBot) -> StoredBot:
    """More rows than one portion, amounts with many digits, numbers from a counter; the bot has stopped."""
    bot.runs()
    bot.accounts((KRAKEN, DAIVON))
    _book(bot, KRAKEN, FILLS)
    bot.store.write(
        lambda connection: connection.execute(
            insert(health_transition),
            [
                {"account_id": "kraken", "at": MOMENT, "old": "healthy", "new": "degraded", "reason": "ünlucky 'quote'"}
                for _ in range(3)
            ],
        )
    )
    bot.ended()
    return bot


def _book(bot: StoredBot, account: AccountRef, number: int, *, first: int = 0) -> None:
    def work(connection: Connection) -> None:
        for one in range(first, first + number):
            item = Fill(
                trade_id=f"T{one}", venue_order_id="O1", symbol="BTC/USD", side=Side.BUY,
                quantity=Decimal("0.00000001") * (one + 1), price=Decimal("97123.10"), fee=Decimal("0.0001"),
                fee_currency="USD", executed_at=MOMENT,
            )  # fmt: skip
            fills.add_fill(connection, account, item, client_order_id=None, now=MOMENT)

    bot.store.write(work)


@contextmanager
def reading(url: str) -> Iterator[Connection]:
    engine = open_engine(postgres_url(url), writer=False)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def same_rows(bot: StoredBot, url: str) -> bool:
    with bot.store.read() as here, reading(url) as there:
        return all(sum_of(here, table) == sum_of(there, table) for table in metadata.sorted_tables)


def fills_in(database: Path) -> int:
    with sqlite3.connect(database) as connection:
        (found,) = connection.execute("SELECT count(*) FROM fill").fetchone()
    return int(found)


def test_a_backup_of_a_running_bots_books_is_whole_private_and_overwrites_nothing(
    books: StoredBot, say: Ask, tmp_path: Path
) -> None:
    books.runs()
    file = tmp_path / "copy.db"
    made = say("backup", str(file), "--json")
    assert (made.code, made.json["rows"]["fill"], made.json["file"]) == (0, FILLS, str(file))
    assert fills_in(file) == FILLS
    assert file.stat().st_mode & 0o777 == 0o600
    again = say("backup", str(file))
    assert again.code == 2
    assert "overwrites nothing" in again.errors
    assert say("backup", str(tmp_path)).code == 0, "a directory gets a file named by the time"


@pytest.mark.sqlite_only("a file is put in the place of another")
def test_restored_books_are_those_of_the_backup_and_what_was_there_is_kept(
    books: StoredBot, say: Ask, tmp_path: Path
) -> None:
    file = tmp_path / "copy.db"
    say("backup", str(file))
    _book(books, KRAKEN, 5, first=FILLS)
    books.close()
    shown = say("restore", str(file))
    assert (shown.code, fills_in(tmp_path / "nija.db")) == (1, FILLS + 5), "without --yes it is only shown"
    assert f"{FILLS + 5:,} fills" in shown.text
    assert f"{FILLS:,} fills" in shown.text
    assert say("restore", str(file), "--yes").code == 0
    assert fills_in(tmp_path / "nija.db") == FILLS
    (kept,) = (tmp_path / "backups").glob("replaced-*.db")
    assert fills_in(kept) == FILLS + 5


@pytest.mark.sqlite_only("a file is put in the place of another")
def test_nothing_is_restored_under_a_running_bot_or_from_what_is_no_whole_backup(
    books: StoredBot, say: Ask, tmp_path: Path
) -> None:
    file, torn, other = tmp_path / "copy.db", tmp_path / "torn.db", tmp_path / "other.db"
    say("backup", str(file))
    body = bytearray(file.read_bytes())
    body[8192:40960] = bytes(32768)
    torn.write_bytes(body)
    other.write_text("no database")
    books.close()
    for wrong, why in ((torn, "damaged"), (other, "no backup"), (tmp_path / "none.db", "there is no file")):
        answer = say("restore", str(wrong), "--yes")
        assert answer.code == 2
        assert why in answer.errors or "no backup" in answer.errors
    lock = InstanceLock(tmp_path)
    lock.acquire()
    try:
        answer = say("restore", str(file), "--yes")
    finally:
        lock.release()
    assert (answer.code, "already works in" in answer.errors) == (2, True)
    assert fills_in(tmp_path / "nija.db") == FILLS


def test_books_copied_to_postgresql_are_equal_row_by_row_and_are_gone_on_with_there(
    books: StoredBot, say: Ask, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.empty_database()
    monkeypatch.setenv("TARGET_DATABASE_URL", url)
    answer = say("copy-books", "--json")
    assert (answer.code, answer.json["rows"]["fill"]) == (0, FILLS)
    assert same_rows(books, url)
    assert answer.json["to"] == describe(postgres_url(url))
    # A row that the server numbers itself does not collide with those that were copied.
    engine = open_engine(postgres_url(url), writer=True)
    with engine.begin() as connection:
        values = {"account_id": "kraken", "at": MOMENT, "old": "degraded", "new": "healthy", "reason": ""}
        connection.execute(insert(health_transition), values)
        assert len(connection.execute(select(health_transition.c.id)).all()) == 4
    engine.dispose()
    again = say("copy-books")
    assert again.code == 2
    assert "has rows already" in again.errors


def test_a_copy_that_breaks_off_leaves_nothing_and_can_be_made_again(
    books: StoredBot, say: Ask, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.migrated_database()
    # The server takes no fill of one of the rows in the middle.
    postgres.ask("ALTER TABLE fill ADD CONSTRAINT odd CHECK (trade_id <> 'T1700')", database=url.rpartition("/")[2])
    monkeypatch.setenv("TARGET_DATABASE_URL", url)
    answer = say("copy-books")
    assert (answer.code, "Nothing was written" in answer.errors) == (2, True)
    with reading(url) as there:
        assert all(sum_of(there, table).rows == 0 for table in metadata.sorted_tables)
    postgres.ask("ALTER TABLE fill DROP CONSTRAINT odd", database=url.rpartition("/")[2])
    assert say("copy-books").code == 0
    assert same_rows(books, url)


def test_nothing_is_copied_from_under_a_running_bot_or_to_no_url_and_no_password_is_shown(
    books: StoredBot, say: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "set TARGET_DATABASE_URL" in say("copy-books").errors
    monkeypatch.setenv("NEW_DATABASE", "postgresql://anna:s3cret-canary@127.0.0.1:1/books")
    answer = say("copy-books", "--to-env", "NEW_DATABASE")
    assert answer.code == 2
    assert "s3cret-canary" not in answer.errors + answer.text
    books.runs()
    assert "Stop it first" in say("copy-books", "--to-env", "NEW_DATABASE").errors


def test_books_on_postgresql_are_backed_up_into_a_file_and_restored_into_an_empty_database(
    books: StoredBot, say: Ask, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, second, file = postgres.empty_database(), postgres.empty_database(), tmp_path / "copy.db"
    monkeypatch.setenv("TARGET_DATABASE_URL", first)
    assert say("copy-books").code == 0
    monkeypatch.setenv("DATABASE_URL", first)
    assert say("backup", str(file)).code == 0
    assert fills_in(file) == FILLS
    assert not list(tmp_path.glob("copy.db?*")), "nothing is left beside it"
    full = say("restore", str(file), "--yes")
    assert (full.code, "has books already" in full.errors) == (2, True)
    monkeypatch.setenv("DATABASE_URL", second)
    assert say("restore", str(file)).code == 1
    assert say("restore", str(file), "--yes").code == 0
    assert same_rows(books, second)


def test_a_fill_is_one_row_of_the_sum(books: StoredBot) -> None:
    """What compares copies would see one changed digit."""
    with books.store.read() as connection:
        before = sum_of(connection, fill)
    books.store.write(
        lambda connection: connection.execute(
            fill.update().where(fill.c.trade_id == "T7").values(fee=Decimal("0.0002"))
        )
    )
    with books.store.read() as connection:
        after = sum_of(connection, fill)
    assert (before.rows, before.digest != after.digest) == (after.rows, True)
