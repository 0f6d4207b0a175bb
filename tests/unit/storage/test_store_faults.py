"""A store whose disk is full, read-only, locked, damaged or gone: it says so, lies about nothing, and recovers."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import IntegrityError, OperationalError

from bot.domain.errors import StoreUnavailable
from bot.seams import failpoints
from bot.storage import migrations, process
from bot.storage.store import Store, open_engine, sqlite_url
from tests.bot_process import wait_until

BIG = "x" * 3_000_000
of_the_file = pytest.mark.sqlite_only("what becomes of the database's file and its lock")


@pytest.fixture(autouse=True)
def no_drill_is_left() -> Iterator[None]:
    yield
    failpoints.install("")


def keep(key: str, value: str = "1") -> Callable[[Connection], None]:
    return lambda connection: process.set_meta(connection, key, value)


def kept(store: Store, key: str) -> str | None:
    with store.read() as connection:
        return process.get_meta(connection, key)


def tell_writer(store: Store, pragma: str) -> None:
    """A setting of the one connection that writes; it is asked for anew with every use."""
    with closing(store._writer.raw_connection()) as connection:
        connection.cursor().execute(f"PRAGMA {pragma}")


def pages(store: Store) -> int:
    with store.read() as connection:
        return int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())


def write_together(store: Store, *works: Callable[[Connection], None]) -> list[Exception | None]:
    """Have these works become one group; returns what each caller was told."""
    begun, gate, told = threading.Event(), threading.Event(), dict[int, Exception | None]()

    def block(_connection: Connection) -> None:
        begun.set()
        gate.wait(10)

    def write(number: int, work: Callable[[Connection], None]) -> None:
        try:
            store.write(work)
        except Exception as error:  # noqa: BLE001 - whatever the caller is told
            told[number] = error
        else:
            told[number] = None

    blocker = threading.Thread(target=store.write, args=(block,))
    blocker.start()
    assert begun.wait(10)
    threads = [threading.Thread(target=write, args=pair) for pair in enumerate(works)]
    for count, thread in enumerate(threads, start=1):
        thread.start()
        wait_until(partial(_waits, store, count), seconds=10, what="the work waits its turn")
    gate.set()
    for thread in [blocker, *threads]:
        thread.join(20)
    return [told[number] for number in range(len(works))]


def _waits(store: Store, count: int) -> bool:
    return store.queue_depth >= count


@of_the_file
def test_a_full_disk_is_told_to_the_caller_and_leaves_reading_and_the_next_write_alone(store: Store) -> None:
    tell_writer(store, f"max_page_count={pages(store)}")
    with pytest.raises(StoreUnavailable, match="full"):
        store.write(keep("big", BIG))
    assert kept(store, "big") is None
    tell_writer(store, "max_page_count=1000000")
    store.write(keep("big", BIG))
    assert kept(store, "big") == BIG


@of_the_file
def test_when_the_disk_fills_up_no_caller_of_the_group_is_told_that_its_work_was_done(store: Store) -> None:
    tell_writer(store, f"max_page_count={pages(store)}")
    told = write_together(store, keep("a"), keep("big", BIG), keep("b"))
    assert [type(error) for error in told] == [StoreUnavailable] * 3
    assert [kept(store, key) for key in ("a", "big", "b")] == [None] * 3
    tell_writer(store, "max_page_count=1000000")
    assert write_together(store, keep("a"), keep("b")) == [None, None]
    assert [kept(store, key) for key in ("a", "b")] == ["1", "1"]


@of_the_file
def test_a_read_only_database_takes_nothing_and_says_so(store: Store) -> None:
    tell_writer(store, "query_only=ON")
    with pytest.raises(StoreUnavailable, match="readonly"):
        store.write(keep("a"))
    tell_writer(store, "query_only=OFF")
    store.write(keep("a"))


@of_the_file
def test_a_database_locked_by_another_process_is_waited_for_and_then_said_to_be_locked(
    store: Store, tmp_path: Path
) -> None:
    tell_writer(store, "busy_timeout=50")
    with closing(sqlite3.connect(tmp_path / "nija.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            store.write(keep("a"))
        assert kept(store, "a") is None
    store.write(keep("a"))


@of_the_file
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("replaced", [False, True])
def test_nothing_is_written_into_files_that_were_deleted_or_replaced(
    store: Store, tmp_path: Path, suffix: str, replaced: bool
) -> None:
    store.write(keep("before"))
    assert store.lost() == ""
    file = tmp_path / f"nija.db{suffix}"
    content = file.read_bytes()
    file.unlink()
    if replaced:
        file.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="replaced" if replaced else "deleted"):
        store.write(keep("after"))
    assert str(file) in store.lost()


@of_the_file
def test_what_was_committed_into_files_that_were_deleted_meanwhile_is_not_called_written(
    store: Store, tmp_path: Path
) -> None:
    def work(connection: Connection) -> None:
        keep("after")(connection)
        (tmp_path / "nija.db").unlink()

    with pytest.raises(StoreUnavailable, match="deleted"):
        store.write(work)


def test_a_store_does_not_make_the_database_that_it_cannot_find(tmp_path: Path) -> None:
    store = Store(sqlite_url(tmp_path / "nija.db"))
    with pytest.raises(StoreUnavailable, match="unable to open"):
        store.start()
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match=r"read-?only"), store.read() as connection:
        process.set_meta(connection, "a", "1")


def test_a_reading_that_fails_is_told_as_what_it_is(store: Store) -> None:
    def fail(_connection: Connection) -> None:
        raise OperationalError("select", {}, sqlite3.OperationalError("disk I/O error"))

    event.listen(store._reader, "begin", fail)
    with pytest.raises(StoreUnavailable, match="disk I/O error"), store.read() as connection:
        process.get_meta(connection, "a")


def test_every_connection_has_full_durability_and_a_write_ahead_log(tmp_path: Path) -> None:
    migrations.upgrade(sqlite_url(tmp_path / "nija.db"))
    for writer in (True, False):
        engine = open_engine(sqlite_url(tmp_path / "nija.db"), writer=writer)
        with engine.connect() as connection:
            names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "query_only")
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]
        engine.dispose()
        assert found == ["wal", 2, 1, 5000, 0 if writer else 1]


def test_a_database_that_does_not_take_a_setting_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where the file of this name is made
    # A database in memory has no write-ahead log: what SQLite answers is what it does, not what it was asked.
    engine = open_engine(sqlite_url(Path(":memory:")), writer=True, create=True)
    with pytest.raises(StoreUnavailable, match="journal_mode=wal"):
        engine.connect()


@of_the_file
def test_the_writer_takes_its_lock_at_once_so_that_two_cannot_block_each_other(store: Store, tmp_path: Path) -> None:
    def somebody_else_writes(_connection: Connection) -> None:
        with closing(sqlite3.connect(tmp_path / "nija.db", isolation_level=None, timeout=0)) as other:
            other.execute("BEGIN IMMEDIATE")

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        store.write(somebody_else_writes)


def test_a_lone_work_that_fails_leaves_nothing_behind(store: Store) -> None:
    def fail(connection: Connection) -> None:
        process.set_meta(connection, "a", "1")
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        store.write(fail)
    assert kept(store, "a") is None


def test_a_work_that_breaks_a_rule_of_the_tables_hears_so_and_its_neighbours_do_not(store: Store) -> None:
    def twice(connection: Connection) -> None:
        for _ in range(2):
            connection.exec_driver_sql("INSERT INTO meta VALUES ('twice', '1')")

    told = write_together(store, keep("a"), twice, keep("b"))
    assert [type(error) for error in told] == [type(None), IntegrityError, type(None)]
    assert [kept(store, key) for key in ("a", "twice", "b")] == ["1", None, "1"]


def test_a_lone_work_costs_no_savepoint(store: Store) -> None:
    said: list[str] = []
    event.listen(store._writer, "before_cursor_execute", lambda *arguments: said.append(arguments[2]))
    store.write(lambda connection: connection.exec_driver_sql("DELETE FROM meta"))
    assert len(said) == 2, "the lock of the writer comes first"
    assert said[1] == "DELETE FROM meta"


def test_a_transaction_that_the_database_dropped_is_not_called_committed(store: Store) -> None:
    def drop(connection: Connection) -> None:
        process.set_meta(connection, "a", "1")
        connection.exec_driver_sql("ROLLBACK")

    with pytest.raises(StoreUnavailable, match="dropped the transaction"):
        store.write(drop)
    store.write(keep("b"))
    assert (kept(store, "a"), kept(store, "b")) == (None, "1")


def test_an_error_nobody_thought_of_does_not_end_the_thread_that_writes(store: Store) -> None:
    failpoints.install("store_commit:raise")
    with pytest.raises(StoreUnavailable, match="store_commit"):
        store.write(keep("a"))
    failpoints.install("")
    store.write(keep("b"))
    assert (kept(store, "a"), kept(store, "b")) == (None, "1")


def test_a_commit_whose_outcome_was_lost_is_no_success_although_the_rows_are_there(store: Store) -> None:
    failpoints.install("store_committed:raise")
    with pytest.raises(StoreUnavailable):
        store.write(keep("a"))
    assert kept(store, "a") == "1"


def test_what_is_committed_after_its_caller_gave_up_is_done_before_anything_asked_later(store: Store) -> None:
    """A late work can't overtake: who reads after its own next write sees how the unknown one ended."""
    gate, begun = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        begun.set()
        gate.wait(10)
        process.set_meta(connection, "a", "late")

    with pytest.raises(StoreUnavailable, match="within"):
        store.write(slow, timeout_seconds=0.05)
    assert begun.is_set()
    gate.set()
    assert store.write(lambda connection: process.get_meta(connection, "a")) == "late"
