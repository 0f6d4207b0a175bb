"""The store: one writer, groups of commits, nobody's failure anybody else's, and exact numbers."""

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, insert, select

from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import StoreUnavailable
from bot.storage import accounts, migrations, process
from bot.storage.schema import metadata, signal
from bot.storage.store import Store, open_engine, sqlite_url
from bot.storage.types import Amount, UtcTime

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KRAKEN = AccountRef.master(BrokerType.KRAKEN)


def remember(connection: Connection) -> None:
    accounts.remember_account(connection, KRAKEN, name="master", enabled=True, now=NOW)


def test_the_migrations_make_exactly_the_schema(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "nija.db")
    migrations.upgrade(url)
    engine = open_engine(url, writer=False)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_names_of_the_files_say_what_alembic_says(tmp_path: Path) -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert migrations.head() == scripts.get_current_head()
    assert all(migrations.is_known(revision) for revision in revisions)
    assert not migrations.is_known("9999")
    for revision in revisions:
        url = sqlite_url(tmp_path / f"{revision}.db")
        migrations.upgrade(url, to=revision)
        engine = open_engine(url, writer=False)
        with engine.connect() as connection:
            found = migrations.revision_of(connection)
            assert found == revision == MigrationContext.configure(connection).get_current_revision()
        engine.dispose()


def test_a_start_that_has_nothing_to_migrate_imports_neither_alembic_nor_rich(tmp_path: Path) -> None:
    database = tmp_path / "nija.db"
    migrations.upgrade(sqlite_url(database))
    program = (
        "import sys; import bot.app; from datetime import UTC, datetime; from pathlib import Path\n"
        "from bot.storage.installation import open_installation\n"
        f"open_installation(Path({str(database)!r}), now=datetime.now(UTC), fresh_id=lambda: 'abcdefgh')\n"
        "print([name for name in ('alembic', 'rich') if name in sys.modules])"
    )
    root = Path(migrations.__file__).parents[3]
    said = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=120)
    assert said.stdout.strip() == "[]", said.stderr


def test_migrating_twice_changes_nothing(store: Store) -> None:
    store.write(lambda connection: process.set_meta(connection, "install_id", "abc"))
    migrations.upgrade(store.url)
    with store.read() as connection:
        assert process.get_meta(connection, "install_id") == "abc"


def test_work_that_fails_leaves_its_neighbours_in_the_group_alone(store: Store) -> None:
    def fail(connection: Connection) -> None:
        process.set_meta(connection, "bad", "1")
        raise KeyError("bad")

    gate = threading.Event()
    blocker = threading.Thread(target=lambda: store.write(lambda _connection: gate.wait(5)))
    blocker.start()
    errors: list[Exception] = []

    def failing() -> None:
        try:
            store.write(fail)
        except KeyError as error:
            errors.append(error)

    threads = [threading.Thread(target=failing)] + [
        threading.Thread(target=store.write, args=(lambda connection, n=n: process.set_meta(connection, f"k{n}", "1"),))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in [blocker, *threads]:
        thread.join(10)
    assert len(errors) == 1
    with store.read() as connection:
        assert process.get_meta(connection, "bad") is None
        assert all(process.get_meta(connection, f"k{n}") == "1" for n in range(20))


def test_a_write_is_durable_when_it_returns(store: Store, tmp_path: Path) -> None:
    store.write(lambda connection: process.set_meta(connection, "k", "v"))
    other = open_engine(store.url, writer=False)
    with other.connect() as connection:
        assert process.get_meta(connection, "k") == "v"
    other.dispose()


def test_a_write_that_is_not_taken_in_time_is_never_done_behind_the_callers_back(store: Store) -> None:
    gate = threading.Event()
    blocker = threading.Thread(target=lambda: store.write(lambda _connection: gate.wait(5)))
    blocker.start()
    with pytest.raises(StoreUnavailable):
        store.write(lambda connection: process.set_meta(connection, "late", "1"), timeout_seconds=0.05)
    gate.set()
    blocker.join(10)
    store.write(lambda connection: process.set_meta(connection, "after", "1"))
    with store.read() as connection:
        assert process.get_meta(connection, "late") is None


def test_a_closed_store_takes_nothing(store: Store) -> None:
    store.close()
    with pytest.raises(StoreUnavailable):
        store.write(lambda connection: process.set_meta(connection, "k", "v"))


def test_sixty_four_writers_lose_nothing_and_never_see_a_locked_database(store: Store) -> None:
    def write_many(name: int) -> None:
        for n in range(5):
            store.write(lambda connection, n=n: process.set_meta(connection, f"{name}-{n}", "1"))

    threads = [threading.Thread(target=write_many, args=(name,)) for name in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with store.read() as connection:
        assert all(process.get_meta(connection, f"{name}-{n}") == "1" for name in range(64) for n in range(5))


def test_an_error_of_the_database_is_told_to_every_waiting_caller(store: Store) -> None:
    def no_such_account(connection: Connection) -> None:
        accounts.add_balance_snapshot(
            connection,
            "nobody",
            {"taken_at": NOW, "quote_currency": "USD", "cash_available": Decimal(1), "cash_held": Decimal(0)},
        )

    with pytest.raises(Exception, match=r"(?i)foreign key"):
        store.write(no_such_account)
    store.write(remember)  # the writer is still there


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**15), max_value=10**15))
def test_amounts_come_back_exactly(number: Decimal) -> None:
    column, dialect = Amount(), create_engine("sqlite://").dialect
    text = column.process_bind_param(number, dialect)
    assert "E" not in text
    assert column.process_result_value(text, dialect) == number


@pytest.mark.parametrize("nonsense", [0.1, "1", Decimal("NaN"), Decimal("Infinity")])
def test_what_is_not_a_finite_decimal_is_refused(nonsense: object) -> None:
    with pytest.raises(TypeError):
        Amount().process_bind_param(nonsense, create_engine("sqlite://").dialect)  # type: ignore[arg-type]


def test_times_sort_as_text_and_come_back_in_utc() -> None:
    column, dialect = UtcTime(), create_engine("sqlite://").dialect
    moments = [NOW + timedelta(microseconds=n * 999_999) for n in range(20)]
    texts = [column.process_bind_param(moment.astimezone(timezone(timedelta(hours=5))), dialect) for moment in moments]
    assert texts == sorted(texts)
    assert [column.process_result_value(text, dialect) for text in texts] == moments


@pytest.mark.sqlite_only("the type of a value is its own there")
def test_money_in_a_row_is_text_on_sqlite(store: Store) -> None:
    values = {
        "signal_id": "s", "broker": "kraken", "account_id": "kraken", "symbol": "BTC/USD", "side": "buy",
        "kind": "entry", "size": Decimal("0.00000001"), "quantity": Decimal(1), "reference_price": Decimal(1),
        "batch": 0, "executed_at": NOW, "created_at": NOW,
    }  # fmt: skip

    def work(connection: Connection) -> None:
        remember(connection)
        connection.execute(insert(signal).values(values))

    store.write(work)
    with store.read() as connection:
        assert connection.exec_driver_sql("select size, typeof(size) from signal").one() == ("0.00000001", "text")
        assert connection.execute(select(signal.c.size)).scalar_one() == Decimal("0.00000001")


def test_a_state_directory_may_have_any_name(tmp_path: Path) -> None:
    path = tmp_path / "what? 100% #1" / "nija.db"
    path.parent.mkdir()
    migrations.upgrade(sqlite_url(path))
    assert path.is_file()
