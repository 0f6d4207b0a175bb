"""What is PostgreSQL's own: transactions done again, connections that die, writers that wait for each other."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from bot.domain.errors import ConfigurationError, StoreUnavailable
from bot.storage import process
from bot.storage.postgres import describe, postgres_url
from bot.storage.store import Store, open_engine
from tests.postgres_server import PostgresServer


@pytest.fixture
def store(postgres: PostgresServer) -> Iterator[Store]:
    opened = Store(postgres_url(postgres.migrated_database()))
    opened.start()
    yield opened
    opened.close()


def kept(store: Store, key: str) -> str | None:
    with store.read() as connection:
        return process.get_meta(connection, key)


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_a_transaction_that_lost_against_another_is_done_again_as_a_whole(store: Store, code: str) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(len(tries))
        process.set_meta(connection, "tries", str(len(tries)))
        if len(tries) < 3:
            connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{code}'; END $$")

    store.write(work)
    assert kept(store, "tries") == "3"


def test_one_that_always_loses_is_told_so(store: Store) -> None:
    def work(connection: Connection) -> None:
        process.set_meta(connection, "lost", "1")
        connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$")

    with pytest.raises(StoreUnavailable):
        store.write(work)
    assert kept(store, "lost") is None


def test_a_connection_that_dies_in_a_transaction_leaves_nothing_and_the_next_write_is_good(store: Store) -> None:
    def work(connection: Connection) -> None:
        process.set_meta(connection, "half", "1")
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(StoreUnavailable):
        store.write(work)
    assert kept(store, "half") is None
    store.write(lambda connection: process.set_meta(connection, "whole", "1"))
    assert kept(store, "whole") == "1"


def test_connections_that_died_while_nobody_used_them_cost_nothing(store: Store, postgres: PostgresServer) -> None:
    assert kept(store, "x") is None
    postgres.cut_off(str(store.url.database))
    store.write(lambda connection: process.set_meta(connection, "x", "1"))
    assert kept(store, "x") == "1"


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match="read-only"), store.read() as connection:
        process.set_meta(connection, "a", "1")


def test_a_second_writer_waits_until_the_first_has_committed_and_sees_what_it_wrote(store: Store) -> None:
    engine = open_engine(store.url, writer=True)
    inside, gate = threading.Event(), threading.Event()

    def first(connection: Connection) -> None:
        inside.set()
        gate.wait(4)
        process.set_meta(connection, "first", "1")

    writer = threading.Thread(target=store.write, args=(first,))
    writer.start()
    assert inside.wait(10)
    opener = threading.Timer(0.3, gate.set)
    opener.start()
    with engine.begin() as connection:
        assert process.get_meta(connection, "first") == "1"
    writer.join(10)
    engine.dispose()


@pytest.mark.parametrize("text", ["mysql://u:secret@h/d", "postgresql://u:secret@h", "secret no url", "sqlite:///x.db"])
def test_a_url_that_cannot_be_used_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        postgres_url(text)
    assert "secret" not in str(refused.value)


def test_a_url_of_any_platform_means_the_same_driver_and_shows_no_password() -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        url = postgres_url(f"{scheme}://u:secret@db.example:5433/nija")
        assert url.drivername == "postgresql+psycopg"
        assert describe(url) == "PostgreSQL nija at db.example:5433"
